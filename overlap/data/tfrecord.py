"""TFRecord files by random access, without TensorFlow.

A record is the length of its data (uint64), the length's checksum, the data,
and the data's checksum (both uint32), all little-endian. Going from length to
length gives an index of a file; what is compressed as a whole has none.
"""

import concurrent.futures
import functools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import google_crc32c
import numpy as np

from overlap.core import errors

_HEAD = 12  # Bytes of a length and its checksum.
_EXTRA = 16  # Bytes of a record that are not its data.
# Files that are read at once: threads wait for the disk, not for each other.
_WORKERS = 16
_MAGIC = {b'\x1f\x8b': 'gzip', b'x\x01': 'zlib', b'x\x9c': 'zlib',
          b'x\xda': 'zlib', b'(\xb5': 'zstandard'}  # fmt: skip
_ANEW = 'delete the data set and prepare it anew'


class TfRecords:
  """The records of several files, one file after another.

  A file's index (8 bytes a record) is made when the file is first read. Every
  checksum is verified. May be used by several threads at once.
  """

  def __init__(
    self,
    paths: Sequence[str],
    counts: Sequence[int],
    parse: Callable[[bytes], Any],
  ):
    """Opens nothing yet.

    Args:
      paths: paths of the files.
      counts: records a file.
      parse: what is made of a record's data.
    """
    self._paths = list(paths)
    self._counts = list(counts)
    self._parse = parse
    self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    self._offsets: list[np.ndarray | None] = [None] * len(paths)
    self._locks = [threading.Lock() for _ in paths]

  def __len__(self) -> int:
    return int(self._starts[-1])

  def __getitems__(self, indices: Sequence[int]) -> list[Any]:
    """Reads records, in the order asked for.

    Args:
      indices: B numbers in [0, len(self)).

    Raises:
      DataError: a file is absent, damaged or compressed, or has not as many
        records as it should.
    """
    wanted = np.asarray(indices, np.int64)
    files = np.searchsorted(self._starts, wanted, side='right') - 1
    places = [np.flatnonzero(files == file) for file in np.unique(files)]
    contents: list[Any] = [None] * len(wanted)
    read = _threads().map(lambda here: self._read_file(wanted[here]), places)
    for here, found in zip(places, read):
      for place, content in zip(here, found):
        contents[place] = self._parse(content)
    return contents

  def _read_file(self, indices: np.ndarray) -> list[bytes]:
    """The data of records that are all in one file."""
    file = int(np.searchsorted(self._starts, indices[0], side='right')) - 1
    path, records = self._paths[file], indices - self._starts[file]
    try:
      with open(path, 'rb') as f:
        with self._locks[file]:
          offsets = self._offsets[file]
          if offsets is None:
            offsets = _index(f, path, self._counts[file])
            self._offsets[file] = offsets
        return [_read(f, path, offsets, i) for i in records.tolist()]
    except OSError as e:
      raise errors.DataError(
        f'{path} must be readable, got: {e.strerror or e}.'
      ) from e


@functools.cache
def _threads() -> concurrent.futures.ThreadPoolExecutor:
  return concurrent.futures.ThreadPoolExecutor(_WORKERS, 'overlap-records')


def _index(f: BinaryIO, path: str, count: int) -> np.ndarray:
  """Returns where records of a file start, and its end: int64 [count + 1]."""
  size = os.fstat(f.fileno()).st_size
  offsets = [0]
  while offsets[-1] < size and len(offsets) <= count:
    f.seek(offsets[-1])
    head = f.read(_HEAD)
    if len(head) < _HEAD:
      raise _damaged(path, f'is truncated in record {len(offsets) - 1}')
    if not _matches(head[:8], head[8:]):
      if len(offsets) == 1 and (kind := _MAGIC.get(head[:2])):
        raise errors.DataError(
          'TFRecord files must be uncompressed to be read by random access, '
          f'got {kind} in {path}; decompress it.'
        )
      raise _damaged(
        path, f'has a length with another checksum in record {len(offsets) - 1}'
      )
    offsets.append(offsets[-1] + _EXTRA + int.from_bytes(head[:8], 'little'))
  if offsets[-1] > size:
    raise _damaged(path, f'is truncated in record {len(offsets) - 2}')
  if len(offsets) != count + 1 or offsets[-1] < size:
    found = len(offsets) - 1
    raise _damaged(
      path,
      f'holds {"more" if offsets[-1] < size else found} records where '
      f'dataset_info.json says {count}',
    )
  return np.array(offsets, np.int64)


def _read(f: BinaryIO, path: str, offsets: np.ndarray, record: int) -> bytes:
  start, stop = offsets[record : record + 2].tolist()
  f.seek(start + _HEAD)
  content = f.read(stop - start - _HEAD)
  data = content[:-4]
  if len(content) < stop - start - _HEAD or not _matches(data, content[-4:]):
    raise _damaged(path, f'has data with another checksum in record {record}')
  return data


def _matches(data: bytes, stored: bytes) -> bool:
  """Returns whether data have the masked CRC-32C that TFRecord stored."""
  crc = google_crc32c.value(data)
  masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
  return masked == int.from_bytes(stored, 'little')


def _damaged(path: str, fault: str) -> errors.DataError:
  return errors.DataError(
    f'{path} must be a whole TFRecord file, but {fault}; {_ANEW}.'
  )
