"""PyTorch's files against PyTorch itself, hostile and damaged ones included."""

import collections
import io
import os
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlap.core import errors
from overlap.models.checkpoints import torch_file

torch = pytest.importorskip('torch')

DTYPES = [
  *('float64', 'float32', 'float16', 'bfloat16', 'complex64', 'complex128'),
  *('int64', 'int32', 'int16', 'int8', 'uint64', 'uint32', 'uint16', 'uint8'),
  *('bool', 'float8_e4m3fn', 'float8_e5m2'),
  *('float8_e4m3fnuz', 'float8_e5m2fnuz'),
]
OURS = {
  name: np.dtype(getattr(ml_dtypes, name, None) or name) for name in DTYPES
}


def as_bytes(tensor):
  flat = tensor.clone(memory_format=torch.contiguous_format).flatten()
  return flat.view(torch.uint8).numpy().tobytes() if len(flat) else b''


def assert_same(got, want):
  """The same numbers, bit for bit, in the same order of memory."""
  assert list(got) == list(want)
  for name, tensor in want.items():
    array, tensor = got[name], tensor.detach()
    assert array.shape == tuple(tensor.shape)
    assert array.dtype == OURS[str(tensor.dtype).removeprefix('torch.')]
    assert array.tobytes() == as_bytes(tensor)
    if tensor.numel() > 0:
      strides = [stride * array.itemsize for stride in tensor.stride()]
      assert list(array.strides) == strides
    assert not array.flags.writeable


@pytest.mark.parametrize('name', DTYPES)
def test_every_dtype(load, name, saved):
  numbers = torch.tensor([[0.0, 1.0, 3.0], [2.0, 0.5, 96.0]])
  state = {
    'a': numbers.to(getattr(torch, name)),
    'scalar': numbers[1, 0].to(getattr(torch, name)).clone(),
    'empty': numbers[:0].to(getattr(torch, name)).clone(),
  }
  assert_same(load(saved(state)), state)


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_a_module_and_its_parameters(load, saved, protocol):
  module = torch.nn.Sequential(
    torch.nn.Conv2d(2, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 3)
  )
  state = module.state_dict()
  content = saved(state, protocol=protocol)
  assert_same(load(content), state)
  parameters = collections.OrderedDict(module.named_parameters())
  module[0].weight.origin = 'a parameter with an attribute'
  content = saved(parameters, protocol=protocol)
  assert_same(load(content), parameters)


def test_views_and_shared_storages(load, saved):
  base = torch.arange(24.0).reshape(4, 6)
  state = {
    'base': base,
    'rows': base[1:3],
    'columns': base[:, 1::2],
    'transposed': base.T,
    'last': base[3, 5],
    'expanded': base[:1].expand(5, 6),
    'windows': base.flatten().unfold(0, 4, 2),
    'none': base[4:],
    'channels last': torch.rand(2, 3, 4, 5).to(
      memory_format=torch.channels_last
    ),
  }
  got = load(saved(state))
  assert_same(got, state)
  assert np.shares_memory(got['base'], got['transposed'])


def test_an_expanded_tensor_takes_no_memory(load, saved):
  state = {'a': torch.ones(1).expand(2**40)}
  got = load(saved(state))
  assert (got['a'].shape, got['a'].strides) == ((2**40,), (0,))


@pytest.mark.parametrize('size', [0, 1, 3])
def test_storages_of_odd_lengths_are_aligned(load, size, saved):
  state = {
    'a': torch.arange(size, dtype=torch.uint8),
    'b': torch.arange(5, dtype=torch.float64),
    'c': torch.arange(size, dtype=torch.int16),
    'd': torch.arange(5) + 0.5j,
  }
  got = load(saved(state))
  assert_same(got, state)
  assert all(array.flags.aligned for array in got.values())


@st.composite
def views(draw):
  """A storage and a view that lies within it."""
  shape = draw(st.lists(st.integers(0, 4), max_size=5))
  strides = [draw(st.integers(0, 7)) for _ in shape]
  offset = draw(st.integers(0, 5))
  last = offset + sum((n - 1) * s for n, s in zip(shape, strides) if n)
  size = max(last, offset) + 1 + draw(st.integers(0, 3))
  dtype = getattr(torch, draw(st.sampled_from(DTYPES[:8])))
  numbers = torch.arange(size).to(dtype)
  return torch.as_strided(numbers, shape, strides, offset)


@given(
  state=st.dictionaries(st.text(max_size=5), views(), max_size=4),
  zipped=st.booleans(),
  protocol=st.sampled_from([2, 4]),
)
@settings(max_examples=150, deadline=None)
def test_any_views(tmp_path_factory, state, zipped, protocol):
  path = tmp_path_factory.mktemp('views') / 'a.pt'
  torch.save(
    state,
    path,
    _use_new_zipfile_serialization=zipped,
    pickle_protocol=protocol,
  )
  assert_same(torch_file.load(path), state)


@pytest.mark.parametrize('key', ['state_dict', 'model', 'params'])
def test_a_training_scripts_dict(load, saved, key):
  module = torch.nn.Linear(3, 2)
  optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
  module(torch.ones(1, 3)).sum().backward()
  optimizer.step()
  content = {
    'epoch': 3,
    'best': 0.75,
    'arch': 'linear',
    'done': None,
    'history': [1, 2.5, (True, 2**70)],
    'optimizer': optimizer.state_dict(),
    key: module.state_dict(),
  }
  state = module.state_dict()
  assert_same(load(saved(content)), state)
  deeper = {'params': {'model': state, 'step': 5}, 'step': 5}
  assert_same(load(saved(deeper)), state)


def test_a_dict_that_holds_itself(load, saved):
  content = {'step': 5}
  content['model'] = content
  with pytest.raises(errors.DataError, match="type int under 'step'"):
    load(saved(content))


@pytest.mark.parametrize(
  ('value', 'says'),
  [
    (5, 'holds one object of type int'),
    ([torch.ones(2)], 'holds one object of type list'),
    (torch.ones(2), 'holds one object of type Tensor'),
    ({'a': torch.ones(2), 'epoch': 3}, "type int under 'epoch'"),
    ({'a': {'b': torch.ones(2)}}, "type dict under 'a'"),
    ({3: torch.ones(2)}, 'under a number'),
    ({10**5000: torch.ones(2)}, 'under a number'),
    ({(1, 2): torch.ones(2)}, 'under a key of type tuple'),
    ({'a': torch.Size([2, 3])}, "type tuple under 'a'"),
    ({'a': torch.eye(2).to_sparse()}, '_rebuild_sparse_tensor'),
    ({'a': torch.ones(2, dtype=torch.complex64).conj()}, 'conjugated'),
    ({'a': torch.ones(2, device='meta')}, 'was not run'),
    (torch.nn.Linear(2, 2), "'torch.nn.modules.linear.Linear'"),
    ({'a': b'bytes'}, "'_codecs.encode'"),
    ({'a': np.float64(1)}, 'scalar'),
  ],
)
def test_what_is_no_dict_of_tensors_is_refused(load, value, says, saved):
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    content = saved(value)
  with pytest.raises(errors.DataError) as caught:
    load(content)
  assert says in str(caught.value)
  assert len(str(caught.value)) < 500


def test_quantised_tensors_are_refused(load, saved):
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    tensor = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    content = saved({'a': tensor})
  with pytest.raises(errors.DataError, match='QInt8Storage'):
    load(content)


class Call:
  """Asks whoever loads it to call `function(*arguments)`."""

  def __init__(self, function, *arguments, state=None):
    self.reduced = (function, arguments, state)

  def __reduce__(self):
    return self.reduced if self.reduced[2] else self.reduced[:2]


def hostile(marker):
  """Objects that make a file when they are loaded, and what they call."""
  return {
    'system': (Call(os.system, f'touch {marker}'), 'system'),
    'eval': (Call(eval, f'open({str(marker)!r}, "w")'), 'eval'),
    'open': (Call(open, str(marker), 'w'), 'open'),
    'getattr': (Call(getattr, 'text', 'upper'), 'getattr'),
    'torch': (Call(torch.save, torch.ones(1), str(marker)), 'torch.ser'),
    'lazy': (Call(torch.hub.load, 'a', 'b'), 'torch.hub.load'),
  }


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('name', hostile(''))
@pytest.mark.parametrize('nested', [False, True])
def test_what_a_file_asks_to_run_is_not_run(
  load, tmp_path, name, saved, protocol, nested
):
  marker = tmp_path / 'it ran'
  value, function = hostile(marker)[name]
  if nested:
    state = {'a': torch.ones(2)}
    content = saved({'model': state, 'epoch': value}, protocol=protocol)
    assert_same(load(content), state)
    assert not marker.exists()
    return
  content = saved(value, protocol=protocol)
  with pytest.raises(errors.DataError) as caught:
    load(content)
  assert function in str(caught.value)
  assert 'was not run' in str(caught.value)
  assert not marker.exists()


def test_the_hostile_file_is_hostile(tmp_path, saved):
  marker = tmp_path / 'ran'
  value, _ = hostile(marker)['open']
  content = saved(value)
  torch.load(io.BytesIO(content), weights_only=False).close()
  assert marker.exists()


def rebuilt(*arguments, state=None):
  return Call(torch._utils._rebuild_tensor_v2, *arguments, state=state)


@pytest.mark.parametrize(
  ('offset', 'shape', 'strides', 'says'),
  [
    (0, (7,), (1,), 'lie within its storage of 24 bytes'),
    (6, (), (), 'lie within'),
    (1, (2, 3), (3, 1), 'lie within'),
    (0, (2,), (2**61,), 'lie within'),
    (2**62, (1,), (1,), 'lie within'),
    (0, (2**62, 2**62), (0, 0), 'must be an array'),
    (0, (1,), (2**61,), 'must be an array'),
    (0, (0, 2**62, 2**62), (1, 1, 1), 'must be an array'),
    (0, (2**63,), (0,), 'sizes of 0 or more'),
    (-1, (2,), (1,), 'offset of 0 or more'),
    (5, (2,), (-1,), 'strides of 0 or more'),
    (0, (-2,), (1,), 'sizes of 0 or more'),
    (0, (2, 3), (1,), 'a stride for each size'),
    (0, (1,) * 65, (1,) * 65, 'sizes of 0 or more'),
    (0, (True,), (1,), 'sizes of 0 or more'),
    (0.0, (2,), (1,), 'offset of 0 or more'),
    (0, [2], (1,), 'sizes of 0 or more'),
    (None, None, None, 'offset of 0 or more'),
  ],
)
def test_views_beyond_their_storage_are_refused(
  load, offset, shape, strides, says, saved
):
  storage = torch.arange(6.0)._typed_storage()
  view = rebuilt(storage, offset, shape, strides, False, None)
  with pytest.raises(errors.DataError, match=says):
    load(saved({'a': view}))


@pytest.mark.parametrize(
  'call',
  [
    rebuilt(),
    rebuilt(1, 0, (1,), (1,)),
    rebuilt(*range(20)),
    Call(torch._utils._rebuild_tensor_v3, 1, 0, (1,), (1,), False, None, 2),
    Call(torch._utils._rebuild_parameter, 1, False, None),
    Call(torch.Size, [2, 3]),
    Call(torch.Size, ('a',)),
    Call(collections.OrderedDict, 5),
    Call(collections.OrderedDict, [1, 2]),
    Call(collections.OrderedDict, [('a', 1, 2)]),
    Call(torch.Size, (2,), state={'a': 1}),
  ],
)
def test_listed_functions_check_their_arguments(load, call, saved):
  with pytest.raises(errors.DataError, match='must hold whole objects'):
    load(saved({'a': call}))


def test_a_dict_of_pairs(load, saved):
  # As Python 2 wrote an OrderedDict.
  state = collections.OrderedDict(a=torch.ones(2), b=torch.zeros(3))
  call = Call(collections.OrderedDict, [[k, v] for k, v in state.items()])
  assert_same(load(saved(call)), state)


def test_no_file(tmp_path):
  with pytest.raises(errors.DataError, match='must be a readable file'):
    torch_file.load(tmp_path / 'absent.pth')
  with pytest.raises(errors.DataError, match='must be a readable file'):
    torch_file.load(tmp_path)
