"""Flax's msgpack files: what is read, what is refused, nothing run."""

import jax.numpy as jnp
import ml_dtypes
import msgpack
import numpy as np
import pytest
from flax import serialization

from overlap.core import errors
from overlap.models import checkpoints
from overlap.models.checkpoints import msgpack_file

TREE = {
  'step': 7,
  'params': {
    'head': {'kernel': np.arange(6.0).reshape(2, 3), 'bias': np.ones(3, 'f')},
    'scale': np.float32(2),
    'half': np.array([1.5, -2], ml_dtypes.bfloat16),
    'plain': 3.5,
  },
  'model_state': {'batch_stats': {'norm': {'mean': np.zeros(3, np.float16)}}},
  'opt_state': {'0': {'mu': {'head': {'kernel': np.ones((2, 3))}}}},
}


@pytest.fixture
def write(tmp_path):
  """Writes a file, and returns its path."""

  def write_bytes(content, name='checkpoint_1000'):
    path = tmp_path / name
    path.write_bytes(content)
    return path

  return write_bytes


@pytest.mark.parametrize('name', ['checkpoint_1000', 'a.msgpack', 'a.bin'])
def test_it_is_known_by_its_content(write, name):
  got = checkpoints.load_state(write(serialization.to_bytes(TREE), name))
  assert list(got) == [
    'batch_stats/norm/mean',
    'params/half',
    'params/head/bias',
    'params/head/kernel',
    'params/plain',
    'params/scale',
  ]
  np.testing.assert_array_equal(
    got['params/head/kernel'], TREE['params']['head']['kernel']
  )
  assert got['params/half'].dtype == ml_dtypes.bfloat16
  assert got['params/half'].astype('f').tolist() == [1.5, -2]
  assert got['params/scale'].shape == ()
  assert got['params/plain'] == 3.5
  assert got['batch_stats/norm/mean'].dtype == np.float16
  assert not got['params/head/bias'].flags.writeable


@pytest.mark.parametrize('count', [1, 15, 16, 70_000])
def test_a_dict_of_any_size_is_known(write, count):
  tree = {f'a{i}': i for i in range(count)}
  got = checkpoints.load_state(write(serialization.to_bytes(tree)))
  assert len(got) == count
  assert got['params/a0'] == 0


def test_an_array_in_parts_is_put_together(write, monkeypatch):
  monkeypatch.setattr(serialization, 'MAX_CHUNK_SIZE', 16)
  values = np.arange(35.0).reshape(5, 7)
  content = serialization.to_bytes({'params': {'a': values}})
  assert b'chunked' in content
  got = checkpoints.load_state(write(content))
  np.testing.assert_array_equal(got['params/a'], values)


@pytest.mark.parametrize('part', [0.01, 0.3, 0.6, 0.99])
def test_a_file_cut_short_is_one_line(write, part):
  content = serialization.to_bytes(TREE)
  path = write(content[: max(2, int(part * len(content)))])
  with pytest.raises(errors.DataError, match='whole msgpack file') as caught:
    checkpoints.load_state(path)
  assert '\n' not in str(caught.value)


def array(shape, dtype, content):
  """As Flax packs one."""
  return msgpack.ExtType(1, msgpack.packb((shape, dtype, content)))


@pytest.mark.parametrize(
  'leaf',
  [
    array((1,), 'O', bytes(8)),
    array((1,), 'object', bytes(8)),
    array((1,), 'O,i4', bytes(12)),
    array((3,), 'float32', bytes(8)),
    array((-1, 10**12), 'float32', bytes(8)),
    array((2,), 'no_such_dtype', bytes(8)),
    array((2,), 3, bytes(8)),
    array((2,), ['float32'], bytes(8)),
    array('ab', 'float32', bytes(8)),
    msgpack.ExtType(1, b'\xc1'),
    msgpack.ExtType(1, msgpack.packb((1, 2))),
    msgpack.ExtType(2, msgpack.packb(())),
    {'__msgpack_chunked_array__': True},
    {'__msgpack_chunked_array__': True, 'shape': 3, 'chunks': 4},
  ],
)
def test_what_is_no_array_is_one_line(write, leaf):
  path = write(msgpack.packb({'params': {'a': leaf}}))
  with pytest.raises(errors.DataError, match='whole msgpack file') as caught:
    checkpoints.load_state(path)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'leaf',
  [
    'text',
    b'bytes',
    msgpack.ExtType(42, b'cposix\nsystem\n.'),
    msgpack.Timestamp(3),
    array((1,), 'M8[s]', bytes(8)),
    array((1,), 'S8', bytes(8)),
    array((1,), 'V8', bytes(8)),
    array((2,), 'i4,i4', bytes(16)),
  ],
)
def test_what_is_no_number_is_named(write, leaf):
  path = write(msgpack.packb({'params': {'a': leaf}}))
  with pytest.raises(errors.DataError, match=r"'params/a' in .* numbers"):
    checkpoints.load_state(path)


def test_deep_nesting_is_one_line(write):
  path = write(b'\x81\xa1a' * 100_000 + b'\x01')
  with pytest.raises(errors.DataError, match='whole msgpack file'):
    checkpoints.load_state(path)


def test_an_object_that_is_no_dict(write):
  path = write(msgpack.packb([1, 2]), 'a.msgpack')
  with pytest.raises(errors.DataError, match='must hold a dict of arrays'):
    msgpack_file.load(path)


def test_no_file(tmp_path):
  with pytest.raises(errors.DataError, match='a readable file'):
    msgpack_file.load(tmp_path / 'none')


def test_arrays_of_jax_are_read(write):
  got = checkpoints.load_state(
    write(serialization.to_bytes({'a': jnp.ones(3, jnp.bfloat16)}))
  )
  assert got['params/a'].dtype == ml_dtypes.bfloat16
