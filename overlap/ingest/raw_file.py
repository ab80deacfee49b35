"""Files as bytes and as text: decompressed while they are read, and decoded."""

import io
import os
from typing import BinaryIO, TextIO

import pyarrow as pa

from overlap.core import errors, files

# Suffixes of compressed files, and what Arrow calls the compression.
COMPRESSIONS = {'.gz': 'gzip', '.bz2': 'bz2', '.zst': 'zstd'}
# What is read from its beginning to its end, so that it may be compressed.
_STREAMED = ('.npy', '.csv', '.tsv', '.json', '.jsonl', '.ndjson', '.txt')
_UTF16_MARKS = (b'\xff\xfe', b'\xfe\xff')


def split_extension(path: str) -> tuple[str, str]:
  """Splits a path into its stem and its extension in lower case.

  Of a compressed file it is that of the content: `m.csv` of `m.csv.gz`. Where
  the content can't be read from a stream, the extension keeps both parts.
  """
  stem, extension = os.path.splitext(path)
  if extension.lower() not in COMPRESSIONS:
    return stem, extension.lower()
  inner, content = os.path.splitext(stem)
  if content.lower() in _STREAMED:
    return inner, content.lower()
  return inner, (content + extension).lower()


def open_binary(path: str) -> BinaryIO:
  """Opens a file to read its bytes, decompressed if its suffix says so.

  Raises:
    OSError: it is absent or can't be read.
    DataError: while it is read: it expands far more than data do.
  """
  compression = COMPRESSIONS.get(os.path.splitext(path)[1].lower())
  if compression is None:
    return open(path, 'rb')
  raw = open(path, 'rb')  # noqa: SIM115 Closed with the stream.
  stream = pa.CompressedInputStream(raw, compression)
  return io.BufferedReader(_Decompressed(path, stream), 1 << 20)


def open_text(path: str) -> TextIO:
  """Opens a text file: UTF-8, or UTF-16 with a byte-order mark.

  Ends of lines are left as they are.
  """
  return io.TextIOWrapper(
    open_binary(path), encoding=encoding(path), newline=''
  )


def encoding(path: str) -> str:
  """The codec of a text file, after its byte-order mark if it has one."""
  with open_binary(path) as f:
    return 'utf-16' if f.read(2) in _UTF16_MARKS else 'utf-8-sig'


class _Decompressed(io.RawIOBase):
  """The content of a compressed file, as far as it is bounded."""

  def __init__(self, path: str, stream: pa.NativeFile):
    self._path = path
    self._stream = stream
    self._compressed = os.path.getsize(path)
    self._size = 0

  def readable(self) -> bool:
    return True

  def readinto(self, buffer) -> int:
    content = self._stream.read(len(buffer))
    self._size += len(content)
    if self._size > files.most_expanded(self._compressed):
      raise errors.DataError(
        f'{self._path} must hold data that are at most '
        f'{files.MOST_EXPANSION} times as large as they are compressed, got '
        f'more than {self._size} bytes of {self._compressed}.'
      )
    buffer[: len(content)] = content
    return len(content)

  def close(self) -> None:
    self._stream.close()
    super().close()
