"""NumPy's archives as weights: what is read, what is refused."""

import io
import zipfile

import ml_dtypes
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import checkpoints
from overlap.models.checkpoints import npz_file


def saved(**arrays):
  buffer = io.BytesIO()
  np.savez(buffer, **arrays)
  return buffer.getvalue()


@pytest.mark.parametrize('name', ['a.npz', 'a.pth', 'a'])
def test_it_is_known_by_its_content(tmp_path, name):
  path = tmp_path / name
  path.write_bytes(saved(**{'b/kernel': np.eye(2), 'a': np.float32(3)}))
  got = checkpoints.load_state(path)
  assert list(got) == ['a', 'b/kernel']
  np.testing.assert_array_equal(got['b/kernel'], np.eye(2))
  assert got['a'].shape == ()
  assert not got['b/kernel'].flags.writeable


def test_what_jax_writes_as_two_bytes_is_bfloat16(tmp_path):
  values = np.array([1.5, -2], ml_dtypes.bfloat16)
  (tmp_path / 'a.npz').write_bytes(saved(a=values))
  got = npz_file.load(tmp_path / 'a.npz')['a']
  assert got.dtype == ml_dtypes.bfloat16
  np.testing.assert_array_equal(got.astype('f'), [1.5, -2])


def test_what_python_2_wrote(tmp_path):
  header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2L,)}\n"
  magic = b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little')
  with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as archive:
    archive.writestr('a.npy', magic + header + np.float32([1, 2]).tobytes())
  got = npz_file.load(tmp_path / 'a.npz')['a']  # And nothing is warned.
  np.testing.assert_array_equal(got, [1, 2])


def test_objects_are_refused(tmp_path):
  path = tmp_path / 'a.npz'
  with zipfile.ZipFile(path, 'w') as archive:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
      header, {'descr': '|O', 'fortran_order': False, 'shape': (1,)}
    )
    archive.writestr('a.npy', header.getvalue() + b'cposix\nsystem\n.')
  with pytest.raises(errors.DataError, match=r'a whole \.npz file') as caught:
    checkpoints.load_state(path)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('part', [4, 60, 200, -100, -10])
def test_a_file_cut_short_is_one_line(tmp_path, part):
  path = tmp_path / 'a.npz'
  path.write_bytes(saved(a=np.arange(100.0))[:part])
  with pytest.raises(errors.DataError) as caught:
    checkpoints.load_state(path)
  assert '\n' not in str(caught.value)


def test_no_file(tmp_path):
  with pytest.raises(errors.DataError, match='a readable file'):
    npz_file.load(tmp_path / 'none.npz')
