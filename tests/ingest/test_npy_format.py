"""NumPy's own files, block by block, against NumPy; never unpickled."""

import functools
import io
import os
import re
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

from overlap.core import errors
from overlap.ingest import npy_format, source

SHAPED = "{{'descr': '<f4', 'fortran_order': False, 'shape': {}}}"


class Bomb:
  """Whoever unpickles it makes a folder."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.mkdir, (str(self.path),)


def described(content: bytes) -> npy_format.Stored:
  return npy_format.describe(functools.partial(io.BytesIO, content), 'f')


def saved(values, **kwargs) -> bytes:
  file = io.BytesIO()
  np.lib.format.write_array(file, np.asarray(values), **kwargs)
  return file.getvalue()


def pickled(path, shape) -> bytes:
  """An array of objects as NumPy saves it."""
  values = np.empty(shape, object)
  values[:] = Bomb(path)
  file = io.BytesIO()
  np.save(file, values)
  return file.getvalue()


@pytest.mark.parametrize('shape', [(0,), (1,), (9,), (0, 3), (1, 3), (9, 3)])
@pytest.mark.parametrize('dtype', ['f4', '>f8', 'f2', 'i8', 'u1', 'U3', 'S2'])
@pytest.mark.parametrize('version', [(1, 0), (2, 0), (3, 0)])
def test_load_and_blocks(shape, dtype, version, monkeypatch):
  rng = np.random.default_rng(0)
  values = rng.integers(100, size=shape).astype(dtype)
  stored = described(saved(values, version=version))
  assert (stored.shape, stored.dtype) == (shape, values.dtype)
  np.testing.assert_array_equal(stored.load(), values)
  row_bytes = values.itemsize * int(np.prod(shape[1:]))
  monkeypatch.setattr(source, 'BLOCK_BYTES', 2 * row_bytes)
  blocks = list(stored.blocks())
  assert [start for start, _ in blocks] == list(range(0, shape[0], 2))
  parts = [np.empty((0, *shape[1:]), dtype), *(block for _, block in blocks)]
  np.testing.assert_array_equal(np.concatenate(parts), values)


def test_columns_first(monkeypatch):
  monkeypatch.setattr(source, 'BLOCK_BYTES', 1)
  values = np.asfortranarray(np.arange(12.0).reshape(4, 3))
  stored = described(saved(values))
  np.testing.assert_array_equal(stored.load(), values)
  blocks = [block for _, block in stored.blocks()]
  assert len(blocks) == 4
  np.testing.assert_array_equal(np.concatenate(blocks), values)


@pytest.mark.parametrize('shape', [(2,), (2, 1)])
def test_objects_are_never_unpickled(tmp_path, shape):
  content = pickled(tmp_path / 'exploded', shape)
  with pytest.raises(errors.DataError, match='pickled objects, which are neve'):
    described(content)
  assert not (tmp_path / 'exploded').exists()
  # The test is worth something: unpickling does make the file.
  (tmp_path / 'm.npy').write_bytes(content)
  code = 'import numpy, sys; numpy.load(sys.argv[1], allow_pickle=True)'
  subprocess.run([sys.executable, '-c', code, tmp_path / 'm.npy'], check=True)
  assert (tmp_path / 'exploded').exists()


@pytest.mark.parametrize('name', ['m.npy', 'm.npz'])
def test_a_bare_pickle_is_never_unpickled(case, refused, tmp_path, name):
  content = pickled(tmp_path / 'exploded', (1,))
  # What follows the header is a pickle, and begins with byte 128.
  path = case.file(name, content[content.index(b'\x80', 10) :])
  refused(case, errors.DataError, case.ingest, path)
  assert not (tmp_path / 'exploded').exists()


@pytest.mark.parametrize('name', ['predicted', 'ids', 'labels', 'confidence'])
def test_no_array_of_an_npz_is_unpickled(case, refused, tmp_path, name):
  bombs = np.empty(len(case.ids), object)
  bombs[:] = Bomb(tmp_path / 'exploded')
  path = case.folder / 'm.npz'
  np.savez(path, **({'predicted': case.predicted} | {name: bombs}))
  text = refused(case, errors.DataError, case.ingest, path)
  assert 'pickled objects' in text
  assert not (tmp_path / 'exploded').exists()


@pytest.mark.parametrize('flag', ['labels', 'ids'])
def test_no_file_beside_is_unpickled(case, refused, tmp_path, flag):
  bombs = np.empty(len(case.ids), object)
  bombs[:] = Bomb(tmp_path / 'exploded')
  beside = {flag: str(case.npy('beside.npy', bombs))}
  path = case.npy('m.npy', case.logits)
  text = refused(case, errors.DataError, case.ingest, path, **beside)
  assert 'pickled objects' in text
  assert not (tmp_path / 'exploded').exists()


@pytest.mark.parametrize(
  ('header', 'told'),
  [
    ("{'descr': '<f4', b'fortran_order': False, 'shape': (3, 2)}", 'damaged'),
    ('-' * 9000 + '1', 'damaged'),
    ('{[1]: 2}', 'damaged'),
    ('[' * 150 + ']' * 150, 'Header is not a dictionary'),
    (SHAPED.format('(True, 2)'), r'gives the shape \(True, 2\)'),
    (SHAPED.format('(3, -2)'), r'gives the shape \(3, -2\)'),
    (SHAPED.format('3'), 'shape is not valid: 3'),
  ],
)
def test_an_odd_header(case, refused, header, told):
  text = header.encode() + b'\n'
  magic = b'\x93NUMPY\x01\x00' + len(text).to_bytes(2, 'little')
  path = case.file('m.npy', magic + text + bytes(24))
  said = refused(case, errors.DataError, case.ingest, path)
  assert re.search(told, said)
  assert 'must be readable as .npy, got: ' in said


@pytest.mark.parametrize('order', ['False', 'True'])
def test_what_python_2_wrote(order):
  header = f"{{'descr': '<f4', 'fortran_order': {order}, 'shape': (3L, 1L)}}\n"
  magic = b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little')
  values = np.arange(3, dtype='f4')[:, np.newaxis]
  stored = described(magic + header.encode() + values.tobytes())
  np.testing.assert_array_equal(stored.load(), values)  # And nothing is warned.


def test_a_single_value():
  with pytest.raises(errors.DataError, match='got a single value'):
    described(saved(3.0))


@pytest.mark.parametrize('read', ['load', 'blocks'])
def test_the_end_comes_early(read):
  content = saved(np.zeros((5, 3)))[:-7]
  stored = described(content)
  with pytest.raises((EOFError, errors.DataError), match='ends 7 bytes early'):
    list(getattr(stored, read)())


def test_the_end_comes_late():
  stored = described(saved(np.zeros((5, 3))) + b'x')
  with pytest.raises(errors.DataError, match=r'shape \[5, 3\] does, got more'):
    list(stored.blocks())


def test_a_header_that_lies_about_the_size_costs_no_memory():
  content = saved(np.zeros((100, 3)))
  lying = content.replace(b'(100, 3), }' + 9 * b' ', b'(99999999999, 3), }')
  assert len(lying) == len(content) - 1
  lying = lying.replace(b' \n', b'  \n')
  for read in (described(lying).load, lambda: list(described(lying).blocks())):
    with pytest.raises((EOFError, errors.DataError), match='bytes early'):
      read()


@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('shape', [(0, 3), (9, 3), (9,)])
def test_bfloat16(shape, order):
  values = np.random.default_rng(0).normal(size=shape)
  values = np.asarray(values.astype(ml_dtypes.bfloat16), order=order)
  file = io.BytesIO()
  np.save(file, values)
  stored = described(file.getvalue())
  assert stored.guessed
  np.testing.assert_array_equal(stored.load(), values)
  if len(shape) == 2:
    parts = [block for _, block in stored.blocks()]
    np.testing.assert_array_equal(np.concatenate([values[:0], *parts]), values)
