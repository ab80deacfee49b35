"""Compressed files and encodings, read as the plain file is."""

import bz2
import gzip

import numpy as np
import pyarrow as pa
import pytest

from overlap.core import errors, files
from overlap.ingest import raw_file

COMPRESS = {
  '.gz': gzip.compress,
  '.bz2': bz2.compress,
  '.zst': lambda content: pa.compress(content, 'zstd', asbytes=True),
}


@pytest.mark.parametrize(
  ('path', 'expected'),
  [
    ('a/m.v2.csv', ('a/m.v2', '.csv')),
    ('m.CSV.GZ', ('m', '.csv')),
    ('m.jsonl.zst', ('m', '.jsonl')),
    ('m.npz.gz', ('m', '.npz.gz')),
    ('m.gz', ('m', '.gz')),
    ('m', ('m', '')),
  ],
)
def test_extensions_of_the_content(path, expected):
  assert raw_file.split_extension(path) == expected


@pytest.mark.parametrize('suffix', COMPRESS)
def test_content_is_decompressed(tmp_path, suffix):
  parts = [b'a,b\n', np.random.default_rng(0).bytes(3_000_000)]
  path = tmp_path / f'm.csv{suffix}'
  # One part after another, as parallel compressors write them.
  path.write_bytes(b''.join(map(COMPRESS[suffix], parts)))
  with raw_file.open_binary(str(path)) as f:
    assert f.readline() == parts[0]
    assert f.read() == parts[1]


@pytest.mark.parametrize('suffix', COMPRESS)
def test_a_file_that_was_cut_is_refused(tmp_path, suffix):
  path = tmp_path / f'm.csv{suffix}'
  path.write_bytes(COMPRESS[suffix](bytes(10_000))[:-5])
  with (
    raw_file.open_binary(str(path)) as f,
    pytest.raises(OSError, match='runcated'),
  ):
    f.read()


@pytest.mark.parametrize('suffix', COMPRESS)
def test_expansion_is_bounded(tmp_path, suffix, monkeypatch):
  monkeypatch.setattr(files, '_LARGE_BYTES', 1000)
  path = tmp_path / f'm.csv{suffix}'
  content = COMPRESS[suffix](bytes(2_000_000))
  path.write_bytes(content)
  with (
    raw_file.open_binary(str(path)) as f,
    pytest.raises(errors.DataError, match='at most 200 times') as caught,
  ):
    f.read()
  assert f'of {len(content)}' in str(caught.value)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_text_in_its_encoding(tmp_path, encoding):
  path = tmp_path / 'm.txt'
  path.write_bytes('é,\r\n1'.encode(encoding))
  with raw_file.open_text(str(path)) as f:
    assert f.read() == 'é,\r\n1'
