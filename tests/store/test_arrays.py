"""One array: where it lies, what is read, what is refused."""

import hashlib
import pathlib

import google_crc32c
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from etils import epath

from overlap.core import errors
from overlap.store import arrays


@pytest.mark.parametrize(
  ('path', 'expected'),
  [
    ('/w/a%2Fb c', {'driver': 'file', 'path': '/w/a%2Fb c/'}),
    ('/w/../v/', {'driver': 'file', 'path': '/v/'}),
    ('gs://bucket', {'driver': 'gcs', 'bucket': 'bucket', 'path': '/'}),
    ('gs://bucket/a/b', {'driver': 'gcs', 'bucket': 'bucket', 'path': 'a/b/'}),
    ('gs://bucket/a/', {'driver': 'gcs', 'bucket': 'bucket', 'path': 'a/'}),
  ],
)
def test_kvstore(path, expected):
  assert arrays.kvstore(path) == expected
  assert arrays.kvstore(epath.Path(path)) == expected


def test_kvstore_of_a_relative_path(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert arrays.kvstore('a') == {'driver': 'file', 'path': f'{tmp_path}/a/'}


@pytest.mark.parametrize('path', ['s3://bucket/a', 'gs://', 'http://x/y'])
def test_kvstore_refuses_others(path):
  with pytest.raises(errors.UsageError, match='gs://BUCKET'):
    arrays.kvstore(path)


def _write(folder: pathlib.Path, values: np.ndarray, chunk_rows: int):
  layout = arrays.Layout(values.shape, values.dtype.name, chunk_rows)
  arrays.create(folder, layout).write(values).result()
  return layout


SHAPES = [(1,), (7, 3), (8, 3), (9, 1), (0,), (0, 3), (5, 0), (0, 0), (300,)]


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('dtype', ['float32', 'int32', 'uint8'])
@pytest.mark.parametrize('chunk_rows', [1, 4, 512])
def test_round_trip_and_files(tmp_path, shape, dtype, chunk_rows):
  values = (np.arange(np.prod(shape)) % 251).astype(dtype).reshape(shape)
  layout = _write(tmp_path / 'a', values, chunk_rows)
  array = arrays.open_array(tmp_path / 'a', layout)
  read = arrays.read_rows(array, layout, 0, shape[0])
  np.testing.assert_array_equal(read, values)
  assert read.dtype == dtype
  names = {
    path.relative_to(tmp_path / 'a').as_posix()
    for path in (tmp_path / 'a').rglob('*')
    if path.is_file()
  }
  assert names == layout.chunk_files() | {'zarr.json'}
  for name in layout.chunk_files():
    assert (tmp_path / 'a' / name).stat().st_size == layout.chunk_bytes()


def test_zeros_are_stored(tmp_path):
  layout = _write(tmp_path / 'a', np.zeros((8, 2), np.float32), 4)
  assert (tmp_path / 'a/c/1/0').is_file()
  array = arrays.open_array(tmp_path / 'a', layout)
  np.testing.assert_array_equal(
    arrays.read_rows(array, layout, 0, 8), np.zeros((8, 2))
  )


def test_chunks_are_the_bytes_and_a_crc(tmp_path):
  values = np.arange(8, dtype=np.float32).reshape(4, 2)
  _write(tmp_path / 'a', values, 2)
  chunk = (tmp_path / 'a/c/1/0').read_bytes()
  assert chunk[:-4] == values[2:].astype('<f4').tobytes()


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=40, deadline=None)
def test_ranges(tmp_path_factory, data):
  rows = data.draw(st.integers(0, 30))
  chunk_rows = data.draw(st.integers(1, 9))
  start = data.draw(st.integers(0, rows))
  stop = data.draw(st.integers(start, rows))
  values = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
  folder = tmp_path_factory.mktemp('a')
  layout = _write(folder, values, chunk_rows)
  array = arrays.open_array(folder, layout)
  np.testing.assert_array_equal(
    arrays.read_rows(array, layout, start, stop), values[start:stop]
  )


def _chunk_crcs(values, chunk_rows):
  """CRC-32C of each chunk, whose last is padded with zeros."""
  for start in range(0, len(values), chunk_rows):
    chunk = values[start : start + chunk_rows].astype('<f4').tobytes()
    size = 4 * chunk_rows * int(np.prod(values.shape[1:]))
    yield (
      google_crc32c.value(chunk.ljust(size, b'\0')).to_bytes(4, 'little').hex()
    )


@pytest.mark.parametrize('shape', [(0, 2), (1, 2), (10, 2), (13,)])
def test_describe(tmp_path, shape):
  values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
  values[1::3] = np.nan
  values[2::3] = -np.inf
  layout = _write(tmp_path / 'a', values, 4)
  metadata = (tmp_path / 'a/zarr.json').read_bytes()
  assert arrays.describe(epath.Path(tmp_path / 'a'), layout) == {
    'shape': list(shape),
    'dtype': 'float32',
    'chunk_rows': 4,
    'sha256': hashlib.sha256(values.astype('<f4').tobytes()).hexdigest(),
    'crc32c': ''.join(_chunk_crcs(values, 4)),
    'metadata_sha256': hashlib.sha256(metadata).hexdigest(),
    'non_finite': int((~np.isfinite(values)).sum()),
  }


@pytest.mark.parametrize('dtype', ['<f4', '>f4', '<i4', '>i4', 'u1'])
def test_little_endian(dtype):
  values = np.arange(6).astype(dtype).reshape(2, 3).T
  little = np.dtype(dtype).newbyteorder('<')
  expected = np.ascontiguousarray(values).astype(little).tobytes()
  assert bytes(arrays.little_endian(values)) == expected


def test_a_layout_is_no_longer_than_its_array():
  assert arrays.Layout.of((10, 10), 'float32').chunk_rows == 10
  assert arrays.Layout.of((0, 10), 'float32').chunk_rows == 1
  assert arrays.Layout.of((10**6, 10), 'float32').chunk_rows == 32768


@pytest.mark.parametrize(
  'other',
  [
    arrays.Layout((8, 3), 'float32', 4),
    arrays.Layout((9, 2), 'float32', 4),
    arrays.Layout((8, 2), 'int32', 4),
    arrays.Layout((8, 2), 'float32', 8),
  ],
)
def test_another_layout_is_refused(tmp_path, other):
  _write(tmp_path / 'a', np.zeros((8, 2), np.float32), 4)
  with (
    pytest.raises(errors.DataError, match=r'^It must be so, got: .*: do that'),
    arrays.reported('It must be so', 'do that'),
  ):
    arrays.open_array(tmp_path / 'a', other)


def test_reported_is_one_short_line_and_lets_others_pass():
  with (
    pytest.raises(errors.DataError) as caught,
    arrays.reported('A must be', 'go'),
  ):
    raise ValueError('NOT_FOUND: gone [spec={\n}] [more]')
  assert str(caught.value) == 'A must be, got: NOT_FOUND: gone: go.'
  with pytest.raises(errors.UsageError), arrays.reported('A must be', 'go'):
    raise errors.UsageError('mine')
  with pytest.raises(KeyboardInterrupt), arrays.reported('A must be', 'go'):
    raise KeyboardInterrupt
