"""What PyTorch's names stand for, against PyTorch's own."""

import numpy as np
import pytest

from overlap.models.checkpoints import torch_objects

FLOATS = torch_objects.NAMES['torch.FloatStorage']


def test_a_storage():
  got = torch_objects.storage(('storage', FLOATS, 'k', 'cuda:0', 3))
  assert (got.key, got.dtype, got.nbytes) == ('k', np.dtype('float32'), 12)
  # The older layout has one more, which is None.
  torch_objects.storage(('storage', FLOATS, 'k', 'cpu', 0, None))


@pytest.mark.parametrize(
  'identifier',
  [
    'k',
    (),
    ['storage', FLOATS, 'k', 'cpu', 3],
    ('storage', FLOATS, 'k', 'cpu'),
    ('module', FLOATS, 'k', 'cpu', 3),
    ('storage', np.dtype('float32'), 'k', 'cpu', 3),
    ('storage', FLOATS, 7, 'cpu', 3),
    ('storage', FLOATS, 'k', 'cpu', -3),
    ('storage', FLOATS, 'k', 'cpu', 3.0),
    ('storage', FLOATS, 'k', 'cpu', 2**63),
    # A view of another storage.
    ('storage', FLOATS, 'k', 'cpu', 3, ('root', 1, 3)),
  ],
)
def test_no_storage(identifier):
  with pytest.raises(ValueError, match=r'storage|unpack'):
    torch_objects.storage(identifier)


def test_only_descriptions_can_be_called():
  called = [
    name
    for name, value in torch_objects.NAMES.items()
    if callable(value) or isinstance(value, torch_objects.Function)
  ]
  assert called == [
    'collections.OrderedDict',
    'torch.Size',
    'torch._utils._rebuild_parameter',
    'torch._utils._rebuild_parameter_with_state',
    'torch._utils._rebuild_tensor',
    'torch._utils._rebuild_tensor_v2',
    'torch._utils._rebuild_tensor_v3',
  ]


@pytest.mark.parametrize(
  ('name', 'value'),
  [
    (name, value)
    for name, value in torch_objects.NAMES.items()
    if not isinstance(value, torch_objects.Function)
  ],
)
def test_types_have_pytorchs_sizes(name, value):
  torch = pytest.importorskip('torch')
  if isinstance(value, torch_objects.StorageType):
    theirs = getattr(torch, name.rsplit('.', 1)[1])
    ours = value.dtype
    dtype = torch.uint8 if 'Untyped' in name else theirs._dtype
  else:
    ours, dtype = value, getattr(torch, name.removeprefix('torch.'))
  assert ours.itemsize == dtype.itemsize
  assert ours.name == str(dtype).removeprefix('torch.')
