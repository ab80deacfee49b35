"""Arrays of the store: Zarr v3 over TensorStore, with checksums per chunk.

A chunk holds consecutive whole rows, uncompressed, followed by their CRC-32C,
so reading costs little more than the bytes. Zarr reads a missing chunk as the
fill value; here all chunks are written and a missing one is an error.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorstore as ts
from etils import epath

from overlap.core import errors
from overlap.store import schema

# Exceptions that TensorStore raises, by status, and NumPy's where an array
# does not fit in memory.
FAULTS = (ValueError, OSError, LookupError, RuntimeError, MemoryError)

_READS_IN_FLIGHT = 3
_CRC_BYTES = 4  # Length of the checksum that ends each chunk file.
# Hexadecimal digits per chunk in an entry's `crc32c`.
CRC_DIGITS = 2 * _CRC_BYTES


@dataclasses.dataclass(frozen=True)
class Layout:
  """Layout of an array on disk.

  Attributes:
    shape: shape of the array, rows first.
    dtype: name of a NumPy dtype; little-endian on disk.
    chunk_rows: rows per chunk; a chunk has all columns.
  """

  shape: tuple[int, ...]
  dtype: str
  chunk_rows: int

  @classmethod
  def of(cls, shape: tuple[int, ...], dtype: str) -> 'Layout':
    """Returns the layout of a new array of this shape."""
    row_bytes = math.prod(shape[1:]) * np.dtype(dtype).itemsize
    # Chunks are stored whole, so a short array gets a chunk of its own length.
    rows = min(schema.chunk_rows(row_bytes), max(1, shape[0]))
    return cls(tuple(map(int, shape)), str(np.dtype(dtype)), rows)

  @classmethod
  def from_entry(cls, entry: dict[str, Any]) -> 'Layout':
    """Returns the layout of an array described in record.json."""
    return cls(tuple(entry['shape']), entry['dtype'], entry['chunk_rows'])

  def blocks(self) -> Iterator[tuple[int, int]]:
    """Yields the rows `(start, stop)` of each chunk."""
    for start in range(0, self.shape[0], self.chunk_rows):
      yield start, min(start + self.chunk_rows, self.shape[0])

  def chunk_bytes(self) -> int:
    """Size in bytes of each chunk's file; the last is padded with zeros."""
    values = self.chunk_rows * math.prod(self.shape[1:])
    return values * np.dtype(self.dtype).itemsize + _CRC_BYTES

  def chunk_count(self) -> int:
    """Number of chunks; 0 if the array has no values."""
    return 0 if 0 in self.shape else -(-self.shape[0] // self.chunk_rows)

  def chunk_file(self, index: int) -> str:
    """Name of a chunk's file, relative to the array's folder."""
    return f'c/{index}{"/0" * (len(self.shape) - 1)}'

  def chunk_files(self) -> set[str]:
    """File names of all chunks, relative to the array's folder."""
    return {self.chunk_file(index) for index in range(self.chunk_count())}


def is_local(path: epath.PathLike) -> bool:
  """Returns whether the path is on this machine's file system."""
  return '://' not in os.fspath(path)


def kvstore(path: epath.PathLike) -> dict[str, str]:
  """Returns TensorStore's kvstore spec of a folder, local or on Cloud Storage.

  Raises:
    UsageError: the path is neither local nor on Cloud Storage.
  """
  name = os.fspath(path)
  if is_local(path):
    return {'driver': 'file', 'path': os.path.abspath(name) + '/'}
  scheme, _, rest = name.partition('://')
  bucket, _, folder = rest.partition('/')
  if scheme != 'gs' or not bucket:
    raise errors.UsageError(
      f'A workdir must be a local folder or gs://BUCKET/FOLDER, got {name!r}.'
    )
  return {'driver': 'gcs', 'bucket': bucket, 'path': f'{folder.rstrip("/")}/'}


def spec(folder: epath.PathLike, layout: Layout) -> dict[str, Any]:
  """Returns TensorStore's spec of an array: location and metadata."""
  chunk = [layout.chunk_rows, *(max(1, size) for size in layout.shape[1:])]
  return {
    'driver': 'zarr3',
    'kvstore': kvstore(folder),
    'store_data_equal_to_fill_value': True,
    'fill_missing_data_reads': False,
    'metadata': {
      'shape': list(layout.shape),
      'data_type': layout.dtype,
      'chunk_grid': {
        'name': 'regular',
        'configuration': {'chunk_shape': chunk},
      },
      'chunk_key_encoding': {'name': 'default'},
      'fill_value': 0,
      'codecs': [
        {'name': 'bytes', 'configuration': {'endian': 'little'}},
        {'name': 'crc32c'},
      ],
    },
  }


@functools.cache
def _context() -> ts.Context:
  # Files are synced once, when all are written: see `folders.publish`.
  return ts.Context({'file_io_sync': False})


def create(folder: epath.PathLike, layout: Layout) -> ts.TensorStore:
  """Creates an array without any chunks."""
  return ts.open(spec(folder, layout), create=True, context=_context()).result()


def assume(folder: epath.PathLike, layout: Layout) -> ts.TensorStore:
  """Opens an array that another process creates, possibly later."""
  return ts.open(
    spec(folder, layout), open=True, assume_metadata=True, context=_context()
  ).result()


def open_array(folder: epath.PathLike, layout: Layout) -> ts.TensorStore:
  """Opens an array; its zarr.json must match the layout."""
  return ts.open(spec(folder, layout), open=True, context=_context()).result()


def read_rows(
  array: ts.TensorStore,
  layout: Layout,
  start: int,
  stop: int,
  *,
  crc32c: str | None = None,
) -> np.ndarray:
  """Reads rows `[start, stop)`, with a few chunks in flight.

  TensorStore checks each chunk against the CRC-32C at the end of its file. That
  does not detect a whole chunk in the wrong place, such as another model's, so
  the CRC-32C is also compared with the one in record.json.

  Args:
    array: opened array.
    layout: layout of the array.
    start: first row.
    stop: row after the last.
    crc32c: `crc32c` of the array in record.json; None for no comparison.

  Returns:
    Rows `[stop - start, ...]`.

  Raises:
    ValueError: a chunk differs from the one in the record.
    FAULTS: a chunk is missing, incomplete or damaged.
  """
  # NumPy allocates huge pages and TensorStore does not, and requesting all
  # chunks at once takes additional memory: together twice the time.
  out = np.empty((stop - start, *layout.shape[1:]), layout.dtype)
  target = ts.array(out)[ts.d[0].translate_to[start]]
  rows = layout.chunk_rows
  pending: collections.deque[_PendingChunk] = collections.deque()
  for low in range(start - start % rows, stop, rows):
    part = slice(max(start, low), min(stop, low + rows))
    stored = None
    if crc32c is not None and layout.chunk_count():
      stored = _read_crc(array, layout, low // rows)
    pending.append(_PendingChunk(low, target[part].write(array[part]), stored))
    if len(pending) > _READS_IN_FLIGHT:
      _finish(pending.popleft(), layout, crc32c)
  for chunk in pending:
    _finish(chunk, layout, crc32c)
  return out


class _PendingChunk(NamedTuple):
  """Chunk that is being read.

  Attributes:
    row: first row of the chunk.
    values: future that is done when the rows are in place.
    crc: CRC-32C in the chunk's file; None if it is not compared.
  """

  row: int
  values: ts.WriteFutures
  crc: ts.Future[ts.KvStore.ReadResult] | None


def _read_crc(
  array: ts.TensorStore, layout: Layout, index: int
) -> ts.Future[ts.KvStore.ReadResult]:
  """Reads the CRC-32C at the end of a chunk's file."""
  end = layout.chunk_bytes()
  files = array.kvstore
  assert files is not None
  return files.read(
    layout.chunk_file(index), byte_range=slice(end - _CRC_BYTES, end)
  )


def _finish(chunk: _PendingChunk, layout: Layout, crc32c: str | None) -> None:
  chunk.values.result()
  if chunk.crc is None or crc32c is None:
    return
  place = chunk.row // layout.chunk_rows * CRC_DIGITS
  if chunk.crc.result().value.hex() != crc32c[place : place + CRC_DIGITS]:
    stop = min(chunk.row + layout.chunk_rows, layout.shape[0])
    raise ValueError(
      f'rows {chunk.row} to {stop - 1} that are not those its record.json '
      'describes'
    )


def describe(folder: epath.Path, layout: Layout) -> dict[str, Any]:
  """Reads a whole array, a chunk at a time, and describes it for record.json.

  Returns:
    `shape`, `dtype`, `chunk_rows`, `sha256` of the little-endian bytes in row
    order, `crc32c` (8 hexadecimal digits per chunk, in order),
    `metadata_sha256` of zarr.json, and `non_finite`, the number of values that
    are NaN or infinite.
  """
  array = open_array(folder, layout)
  sha256, non_finite = hashlib.sha256(), 0
  for start, stop in layout.blocks():
    block = read_rows(array, layout, start, stop)
    sha256.update(little_endian(block))
    if block.dtype.kind == 'f':
      non_finite += block.size - int(np.count_nonzero(np.isfinite(block)))
  crcs = (
    _read_crc(array, layout, index).result().value.hex()
    for index in range(layout.chunk_count())
  )
  metadata = (folder / 'zarr.json').read_bytes()
  return dataclasses.asdict(layout) | {
    'shape': list(layout.shape),
    'sha256': sha256.hexdigest(),
    'crc32c': ''.join(crcs),
    'metadata_sha256': hashlib.sha256(metadata).hexdigest(),
    'non_finite': non_finite,
  }


def little_endian(values: np.ndarray) -> memoryview:
  """Returns the bytes to hash: C order, little-endian."""
  values = np.ascontiguousarray(values)
  flat = values.astype(values.dtype.newbyteorder('<'), copy=False).reshape(-1)
  return flat.view(np.uint8).data


@contextlib.contextmanager
def reported(rule: str, advice: str) -> Iterator[None]:
  """Turns exceptions of TensorStore into a DataError of one line.

  Args:
    rule: what must hold ("logits of model 'a' must be readable").
    advice: what the user should do.

  Raises:
    DataError: the block raised one of `FAULTS`.
  """
  try:
    yield
  except FAULTS as e:
    # TensorStore appends its whole spec in brackets.
    reason = str(e).partition(' [')[0].rstrip('.')
    raise errors.DataError(f'{rule}, got: {reason}: {advice}.') from e
