"""From tensors named as PyTorch names them to leaves of our modules."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.models.checkpoints import leaves


def convert(state):
  return leaves.rename_leaves(
    state, {'conv1': 'stem/conv'}.get, family='Net', example='conv1.weight'
  )


@pytest.mark.parametrize(
  ('kind', 'shape', 'path', 'order'),
  [
    ('weight', (5, 4, 3, 2), 'params/stem/conv/kernel', (2, 3, 1, 0)),
    ('weight', (5, 4), 'params/stem/conv/kernel', (1, 0)),
    ('weight', (5,), 'params/stem/conv/scale', (0,)),
    ('bias', (5,), 'params/stem/conv/bias', (0,)),
    ('running_mean', (5,), 'batch_stats/stem/conv/mean', (0,)),
    ('running_var', (5,), 'batch_stats/stem/conv/var', (0,)),
  ],
)
def test_each_kind(kind, shape, path, order):
  values = np.arange(np.prod(shape)).reshape(shape)
  counter = {'conv1.num_batches_tracked': np.asarray(3)}
  got = convert({f'conv1.{kind}': values} | counter)
  assert got.keys() == {path}
  np.testing.assert_array_equal(got[path], values.transpose(order))


@pytest.mark.parametrize('name', ['conv2.weight', 'conv1.gain', 'conv1', ''])
def test_what_no_model_of_the_family_has_is_refused(name):
  with pytest.raises(errors.DataError, match=r'Net must .*, got'):
    convert({name: np.ones(1)})


@pytest.mark.parametrize(
  ('shape', 'wanted', 'fits'),
  [
    ((1, 1, 3, 4), (3, 4), True),
    ((2, 2, 3, 4), (12, 4), True),
    ((1, 1, 4, 3), (3, 4), False),
    ((1, 1, 3, 4), (1, 1, 3, 4), False),
    ((12, 4), (3, 16), False),
  ],
)
def test_kernels_of_products(shape, wanted, fits):
  values = np.arange(np.prod(shape)).reshape(shape)
  got = leaves.fitted(values, wanted)
  assert got.shape == (wanted if fits else shape)
  np.testing.assert_array_equal(got.ravel(), values.ravel())
