"""safetensors files against the library's own writer."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from overlap.core import errors
from overlap.models.checkpoints import safetensors_file

SMALL = {
  'a': np.arange(6, dtype=np.float32).reshape(2, 3),
  'scalar': np.asarray(2.5),
  'empty': np.zeros((3, 0), np.int16),
  'b': np.asarray([0.5, -3, np.inf], ml_dtypes.bfloat16),
}


@pytest.fixture
def load(tmp_path):
  def load_bytes(content):
    path = tmp_path / 'weights.safetensors'
    path.write_bytes(content)
    return safetensors_file.load(path)

  return load_bytes


def assert_same(got, want):
  assert list(got) == sorted(want)
  for name, array in want.items():
    assert got[name].tobytes() == array.tobytes()
    assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape)
    assert not got[name].flags.writeable


@pytest.mark.parametrize(
  'dtype',
  [
    *('float64', 'float32', 'float16', 'bfloat16', 'complex64', 'bool'),
    *('int64', 'int32', 'int16', 'int8', 'uint64', 'uint32', 'uint16', 'uint8'),
    *('float8_e4m3fn', 'float8_e5m2'),
  ],
)
def test_every_dtype(load, dtype):
  state = {'a': np.asarray([[0, 1, 3], [2, 1, 96]]).astype(dtype)}
  assert_same(load(safetensors.numpy.save(state)), state)


@given(
  state=st.dictionaries(
    st.text(min_size=1, max_size=5).filter(lambda name: name != '__metadata__'),
    st.lists(st.integers(0, 4), max_size=4).map(
      lambda shape: np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    ),
    max_size=4,
  )
)
@settings(max_examples=100, deadline=None)
def test_any_shapes_and_names(tmp_path_factory, state):
  path = tmp_path_factory.mktemp('shapes') / 'a.safetensors'
  path.write_bytes(safetensors.numpy.save(state, metadata={'format': 'np'}))
  assert_same(safetensors_file.load(path), state)


def test_a_file_cut_short_anywhere(load):
  content = safetensors.numpy.save(SMALL)
  for length in range(len(content)):
    with pytest.raises(errors.DataError, match='must be a whole safetensors'):
      load(content[:length])


def test_a_damaged_file(load):
  content = safetensors.numpy.save(SMALL)
  rng = np.random.default_rng(0)
  refused = 0
  for _ in range(400):
    damaged = np.frombuffer(content, np.uint8).copy()
    where = rng.integers(len(content), size=rng.integers(1, 4))
    damaged[where] ^= rng.integers(1, 256, size=len(where), dtype=np.uint8)
    try:
      got = load(damaged.tobytes())
    except errors.DataError:
      refused += 1
    else:
      assert all(isinstance(array, np.ndarray) for array in got.values())
  assert 0 < refused < 400


def with_header(header, content=b''):
  text = json.dumps(header).encode()
  return len(text).to_bytes(8, 'little') + text + content


@pytest.mark.parametrize(
  ('content', 'says'),
  [
    (b'', 'whole safetensors file'),
    (b'weights that are text', 'whole safetensors file'),
    (b'\xff' * 100, 'whole safetensors file'),
    (with_header([]), 'whole safetensors file'),
    (
      with_header(
        {'a': {'dtype': 'F32', 'shape': [3], 'data_offsets': [0, 8]}}, bytes(8)
      ),
      'whole safetensors file',
    ),
    (
      with_header(
        {'a': {'dtype': 'F4', 'shape': [4], 'data_offsets': [0, 2]}}, bytes(2)
      ),
      'F64, F32, F16',
    ),
  ],
)
def test_other_files_are_refused(load, content, says):
  with pytest.raises(errors.DataError, match=says):
    load(content)


def test_no_file(tmp_path):
  with pytest.raises(errors.DataError, match='must be a readable file'):
    safetensors_file.load(tmp_path / 'absent.safetensors')
