"""IDX files, the format of MNIST: a header, then big-endian numbers.

Layout: two zero bytes, a byte for the type, a byte for the number D of
dimensions, D sizes as big-endian uint32, the numbers in C order.
"""

import gzip
import math
import os
import zlib
from typing import Any

import numpy as np

from overlap.core import errors, lookup
from overlap.data import source
from overlap.data.examples import ArrayExamples, Examples

_DTYPES: dict[int, np.dtype[Any]] = {
  0x08: np.dtype('u1'),
  0x09: np.dtype('i1'),
  0x0B: np.dtype('>i2'),
  0x0C: np.dtype('>i4'),
  0x0D: np.dtype('>f4'),
  0x0E: np.dtype('>f8'),
}
_GZIP_MAGIC = b'\x1f\x8b'
# The beginning of the files' names for each of our splits.
SPLITS = {'train': 'train', 'test': 't10k'}


def read_idx(path: str | os.PathLike) -> np.ndarray:
  """Reads an IDX file, gzipped or not, into an array of native byte order.

  Raises:
    DataError: it is absent, truncated, or no IDX file.
  """
  content = _read_bytes(os.fspath(path))
  if len(content) < 4 or content[:2] != b'\0\0' or content[2] not in _DTYPES:
    raise errors.DataError(
      f'{path} must be an IDX file (MNIST format), got one that begins with '
      f'{content[:4].hex() or "nothing"}.'
    )
  dtype, rank = _DTYPES[content[2]], content[3]
  header = 4 + 4 * rank
  sizes = np.frombuffer(content[4:header], '>u4', min(rank, _whole(content)))
  shape = tuple(int(size) for size in sizes)
  # Python's integers: a garbled header must not overflow into a match.
  expected = header + math.prod(shape) * dtype.itemsize
  if len(shape) < rank or len(content) != expected:
    raise errors.DataError(
      f'{path} must hold {expected} bytes for its shape {list(shape)}, got '
      f'{len(content)}: it is truncated or garbled.'
    )
  try:
    numbers = np.frombuffer(content, dtype, offset=header).reshape(shape)
  except ValueError as e:  # More dimensions than NumPy's, or sizes beside a 0.
    raise errors.DataError(
      f'{path} must hold an array, got the shape {list(shape)}.'
    ) from e
  return numbers.astype(dtype.newbyteorder('='))


def _whole(content: bytes) -> int:
  """Returns how many whole uint32 follow the first four bytes."""
  return (len(content) - 4) // 4


def _read_bytes(path: str) -> bytes:
  try:
    with open(path, 'rb') as f:
      content = f.read()
    # By content: the extension is often wrong after a browser's download.
    if content.startswith(_GZIP_MAGIC):
      return gzip.decompress(content)
  except FileNotFoundError as e:
    raise errors.DataError(f'{path} must exist, and does not.') from e
  except (OSError, EOFError, zlib.error) as e:
    raise errors.DataError(
      f'{path} must be readable, got: {e or type(e).__name__}.'
    ) from e
  return content


def find(folder: str, stem: str) -> str | None:
  """Returns the path of `stem` or `stem`.gz in `folder`, if it is there."""
  paths = [os.path.join(folder, stem + end) for end in ('.gz', '')]
  return next(filter(os.path.isfile, paths), None)


def paths(folder: str, split: str) -> tuple[str | None, str | None]:
  """Returns where images and labels of a split lie, None where absent."""
  prefix = SPLITS[split]
  return (
    find(folder, f'{prefix}-images-idx3-ubyte'),
    find(folder, f'{prefix}-labels-idx1-ubyte'),
  )


def read_split(folder: str, split: str) -> tuple[np.ndarray, np.ndarray]:
  """Reads images and labels of one split.

  Raises:
    DataError: a file is absent or faulty.
    UsageError: no such split.
  """
  lookup.check_choice('split', split, SPLITS)
  images, labels = paths(folder, split)
  if not images or not labels:
    raise errors.DataError(
      f'{folder} must hold {SPLITS[split]}-images-idx3-ubyte and '
      f'{SPLITS[split]}-labels-idx1-ubyte (each .gz or not), and does not.'
    )
  return read_idx(images), read_idx(labels)


def numbered_ids(split: str, count: int) -> list[str]:
  """Returns 'train/00000', ...: positions in the file."""
  return [f'{split}/{i:05d}' for i in range(count)]


def _obtain(*, dataset: str, data_dir: str) -> None:
  read_split(source.folder(dataset, data_dir), 'train')


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """'idx' or 'idx:NAME': the four files in data_dir or data_dir/NAME."""
  del image_size, channels
  folder = source.folder(dataset, data_dir)
  images, labels = read_split(folder, split)
  # The classes of both splits: one of them may lack the last.
  largest = max(
    int(read_idx(path).max(initial=0))
    for path in (paths(folder, name)[1] for name in SPLITS)
    if path
  )
  return ArrayExamples(
    dataset=dataset, split=split, images=images, labels=labels,
    ids=numbered_ids(split, len(images)),
    class_names=[str(label) for label in range(largest + 1)],
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)
