"""Layout of the store: arrays, chunks, names on disk, ids.

```
predictions/<dataset>/<split>/examples/  ids, labels, targets, record.json
predictions/<dataset>/<split>/<model>/   logits, features, ..., record.json
```
"""

import hashlib
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from overlap.core import errors, files

FORMAT_VERSION = 2
RECORD = 'record.json'
EXAMPLES = 'examples'

# Value in `predicted` of a model that gave no class: wrong, and equal to none.
NO_CLASS = -1

# Chunks have between one and two MiB: large enough that a chunk costs one seek,
# small enough that a few of them in flight take little memory.
CHUNK_BYTES = 2 << 20
# Maximal rows of a chunk, however short they are.
CHUNK_ROWS = 1 << 16


class Kind(NamedTuple):
  """Dtype and number of dimensions of an array of the store."""

  dtype: str
  ndim: int


MODEL_ARRAYS = {
  'logits': Kind('float32', 2),  # [M, C]
  'features': Kind('float32', 2),  # [M, D]
  'predicted': Kind('int32', 1),  # [M], for models without logits; `NO_CLASS`
  'confidence': Kind('float32', 1),  # [M], beside `predicted`
}
EXAMPLE_ARRAYS = {
  'ids': Kind('uint8', 2),  # [M, L]: UTF-8, zero padded
  'labels': Kind('int32', 1),  # [M]
  'targets': Kind('int8', 2),  # [M, C], where an image shows several classes
}
OPTIONAL_EXAMPLE_ARRAYS = ('targets',)
# Arrays with a column for each class.
_PER_CLASS = ('logits', 'targets')


def chunk_rows(row_bytes: int) -> int:
  """Returns the rows per chunk: the largest power of two in `CHUNK_BYTES`.

  Powers of two make the chunks of all of a model's arrays start at common rows.

  Args:
    row_bytes: size of one row in bytes; 0 if it has no columns.
  """
  rows = max(1, min(CHUNK_BYTES // max(1, row_bytes), CHUNK_ROWS))
  return 1 << (rows.bit_length() - 1)


def process_slices(
  num_rows: int, process_count: int, chunk_rows: int
) -> list[tuple[int, int]]:
  """Returns the rows of each process: consecutive, as equal as possible.

  Where a slice ends within a chunk, two processes share that chunk: each
  merges its rows into the chunk on disk, which costs an additional read and
  write.

  Args:
    num_rows: rows of the array.
    process_count: number of processes, at least one.
    chunk_rows: multiple at which slices start: the rows of a chunk, so that
      none is shared, or 1 for slices of equal length.

  Returns:
    Rows `(start, stop)` of each process, in order and covering all rows; their
    numbers of chunks differ by at most one. Some may be empty.
  """
  chunks = -(-num_rows // chunk_rows)
  bounds = [
    min(num_rows, index * chunks // process_count * chunk_rows)
    for index in range(process_count + 1)
  ]
  return list(itertools.pairwise(bounds))


def shape_fault(
  name: str, shape: Sequence[int], dtype: str, *, rows: int, classes: int
) -> str:
  """Returns the fault of an array's shape or dtype as a clause, or ''.

  Args:
    name: key of `MODEL_ARRAYS` or `EXAMPLE_ARRAYS`.
    shape: shape of the array.
    dtype: name of its dtype.
    rows: number of examples, M.
    classes: number of classes, C.
  """
  kind = (MODEL_ARRAYS | EXAMPLE_ARRAYS)[name]
  if dtype != kind.dtype:
    return f'must be {kind.dtype}, got {dtype}'
  if len(shape) != kind.ndim:
    return f'must have {kind.ndim} dimensions, got shape {list(shape)}'
  if shape[0] != rows:
    return f'must have {rows} rows, one an example, got {shape[0]}'
  if name in _PER_CLASS and shape[1] != classes:
    return f'must have {classes} columns, one a class, got {shape[1]}'
  return ''


def _component(name: str) -> str:
  component = files.encode_name(name)
  if len(component) > files.LONGEST_NAME:
    raise errors.UsageError(
      f'A name must take at most {files.LONGEST_NAME} characters on disk, got '
      f'{len(component)}: {name!r}.'
    )
  return component


def model_component(model: str) -> str:
  """Returns the folder name of a model: percent-encoded, never `examples`.

  Raises:
    UsageError: the name is empty or too long.
  """
  component = _component(model)
  return '%65xamples' if component == EXAMPLES else component


def root(workdir: epath.PathLike) -> epath.Path:
  """Returns the folder of all predictions."""
  return epath.Path(workdir) / 'predictions'


def split_folder(
  workdir: epath.PathLike, dataset: str, split: str
) -> epath.Path:
  """Returns the folder of one split: its examples and models' predictions."""
  return root(workdir) / _component(dataset) / _component(split)


def examples_folder(
  workdir: epath.PathLike, dataset: str, split: str
) -> epath.Path:
  """Returns the folder of a split's ids and labels."""
  return split_folder(workdir, dataset, split) / EXAMPLES


def model_folder(
  workdir: epath.PathLike, dataset: str, split: str, model: str
) -> epath.Path:
  """Returns the folder of one model's predictions over one split."""
  return split_folder(workdir, dataset, split) / model_component(model)


def encode_ids(ids: Sequence[str] | np.ndarray) -> np.ndarray:
  """Encodes ids as bytes: uint8 [M, L], UTF-8, zero-padded to the longest.

  Raises:
    DataError: an id is empty, duplicate, or not text.
  """
  ids = np.asarray(ids, dtype=np.str_)
  if ids.ndim != 1:
    raise errors.DataError(f'Ids must be [examples], got {list(ids.shape)}.')
  if np.any(ids == ''):
    raise errors.DataError(
      f'Ids must not be empty, got an empty one in row {np.argmin(ids != "")}.'
    )
  repeated = repeated_ids(ids)
  if len(repeated):
    raise errors.DataError(
      f'Ids must be unique, got {len(repeated)} more than once, among them '
      f'{str(repeated[0])!r}.'
    )
  try:
    encoded = np.strings.encode(ids, 'utf-8')
  except UnicodeEncodeError as e:
    raise errors.DataError(f'Ids must be Unicode text, got: {e}.') from e
  length = max(1, encoded.dtype.itemsize)
  return encoded.astype(f'S{length}').view(np.uint8).reshape(-1, length)


def decode_ids(encoded: np.ndarray) -> np.ndarray:
  """Decodes ids encoded by `encode_ids`, unicode [M]."""
  flat = np.ascontiguousarray(encoded).view(f'S{encoded.shape[1]}')
  return np.strings.decode(flat.reshape(len(encoded)), 'utf-8')


def repeated_ids(ids: np.ndarray) -> np.ndarray:
  """Returns the ids that occur more than once, sorted."""
  unique, counts = np.unique(ids, return_counts=True)
  return unique[counts > 1]


def ids_hash(ids: Sequence[str] | np.ndarray) -> str:
  """Returns the SHA-256 of the ids in order, each in UTF-8 with a zero byte.

  It identifies the examples and their order: rows of two arrays correspond if
  the hashes are equal.
  """
  return encoded_ids_hash(encode_ids(ids))


def encoded_ids_hash(encoded: np.ndarray) -> str:
  """Returns `ids_hash` of ids encoded by `encode_ids`."""
  length = encoded.shape[1]
  rows = np.ascontiguousarray(encoded).view(f'S{length}').reshape(-1).tolist()
  return hashlib.sha256(b''.join(row + b'\0' for row in rows)).hexdigest()
