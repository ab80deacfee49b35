"""Tests of overlap.data.idx."""

import gzip
import math

import numpy as np
import pytest

from overlap.core import errors
from overlap.data import idx

CODES = {
  0x08: ('B', np.uint8), 0x09: ('b', np.int8), 0x0B: ('h', np.int16),
  0x0C: ('i', np.int32), 0x0D: ('f', np.float32), 0x0E: ('d', np.float64),
}  # fmt: skip


@pytest.mark.parametrize('end', ['', '.gz'])
@pytest.mark.parametrize('shape', [(0,), (1,), (5,), (2, 3), (3, 1, 2), (0, 4)])
@pytest.mark.parametrize('code', CODES)
def test_round_trip(tmp_path, write_idx, code, shape, end):
  letter, dtype = CODES[code]
  low = 0 if dtype == np.uint8 else -100
  array = np.random.default_rng(0).integers(low, 100, shape).astype(dtype)
  write_idx(tmp_path / f'a{end}', array, code=code, letter=letter)
  got = idx.read_idx(tmp_path / f'a{end}')
  assert got.dtype == dtype
  assert got.dtype.isnative
  np.testing.assert_array_equal(got, array)


def test_gzip_is_told_by_content_not_by_name(tmp_path, write_idx):
  write_idx(tmp_path / 'a.gz', np.arange(3, dtype=np.uint8))
  (tmp_path / 'a.gz').rename(tmp_path / 'plain')
  assert idx.read_idx(tmp_path / 'plain').tolist() == [0, 1, 2]


@pytest.fixture
def content(tmp_path, write_idx):
  write_idx(tmp_path / 'whole', np.arange(12, dtype=np.uint8).reshape(3, 4))
  return (tmp_path / 'whole').read_bytes()


def check_fault(path, content):
  path.write_bytes(content)
  with pytest.raises(errors.DataError) as error:
    idx.read_idx(path)
  assert str(path) in str(error.value)


def test_every_truncation_is_a_fault(tmp_path, content):
  assert len(content) == 4 + 2 * 4 + 12
  for length in range(len(content)):
    check_fault(tmp_path / 'cut', content[:length])


def test_every_truncation_of_gzip_is_a_fault(tmp_path, content):
  packed = gzip.compress(content)
  for length in range(len(packed)):
    check_fault(tmp_path / 'cut.gz', packed[:length])


def test_gzip_with_a_flipped_byte_is_a_fault(tmp_path, content):
  packed = bytearray(gzip.compress(content))
  packed[-6] ^= 0xFF  # in the checksum
  check_fault(tmp_path / 'flipped.gz', bytes(packed))


@pytest.mark.parametrize(
  ('position', 'value'), [(0, 1), (1, 1), (2, 0x0A), (3, 3), (4, 1), (7, 4)]
)
def test_a_garbled_header_is_a_fault(tmp_path, content, position, value):
  garbled = bytearray(content)
  garbled[position] = value
  check_fault(tmp_path / 'garbled', bytes(garbled))


def test_trailing_bytes_are_a_fault(tmp_path, content):
  check_fault(tmp_path / 'long', content + b'\0')


def test_sizes_that_overflow_are_a_fault(tmp_path):
  # (2^32 - 1)^4 numbers; 64 bits would wrap round to 1.
  check_fault(tmp_path / 'huge', b'\0\0\x08\x04' + b'\xff' * 16 + b'\0')


@pytest.mark.parametrize('sizes', [(2**32 - 1, 2**32 - 1, 0), (1,) * 65])
def test_sizes_of_no_array_are_a_fault(tmp_path, sizes):
  content = bytes([0, 0, 8, len(sizes)]) + np.array(sizes, '>u4').tobytes()
  check_fault(tmp_path / 'garbled', content + bytes(math.prod(sizes)))


def test_an_absent_file_is_a_fault(tmp_path):
  with pytest.raises(errors.DataError, match='must exist'):
    idx.read_idx(tmp_path / 'none')


def load(data_dir, *, dataset='idx', split='train'):
  return idx.SOURCE.load(
    dataset=dataset, split=split, data_dir=str(data_dir), image_size=0,
    channels=0,
  )  # fmt: skip


@pytest.mark.parametrize('end', ['', '.gz'])
def test_source(tmp_path, write_idx_splits, end):
  write_idx_splits(tmp_path / 'tiny', train=12, test=3, size=5, end=end)
  idx.SOURCE.obtain(dataset='idx:tiny', data_dir=str(tmp_path))
  train = load(tmp_path, dataset='idx:tiny')
  assert len(train) == 12
  assert train.ids[0] == 'train/00000'
  assert train.class_names == tuple('0123456789')
  assert (train.image_size, train.channels) == (5, 1)
  np.testing.assert_array_equal(train.labels(), np.arange(12) % 10)
  test = load(tmp_path / 'tiny', split='test')
  assert test.ids.tolist() == ['test/00000', 'test/00001', 'test/00002']
  # Both splits have the classes of both.
  assert test.class_names == train.class_names
  np.testing.assert_array_equal(test.fetch([2, 1])['image'][:, 0, 0, 0], [2, 1])


def test_source_faults(tmp_path, write_idx_splits):
  with pytest.raises(errors.DataError, match='train-images-idx3-ubyte'):
    idx.SOURCE.obtain(dataset='idx', data_dir=str(tmp_path))
  write_idx_splits(tmp_path, train=2, test=2)
  with pytest.raises(errors.UsageError, match="split is called 'heldout'"):
    load(tmp_path, split='heldout')
