"""NumPy's own format, read row block by row block from any file of bytes.

Nothing is unpickled: an array of objects is refused.
"""

import math
import zipfile
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from overlap.core import errors, files
from overlap.ingest import source as source_lib
from overlap.ingest.faults import readable
from overlap.ingest.source import Blocks

# NumPy's, besides what all readers raise, of a header that is odd Python.
_OF_HEADERS = (
  TypeError, LookupError, AttributeError, MemoryError, OverflowError,
)  # fmt: skip

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


class Stored(NamedTuple):
  """An array in a file.

  Attributes:
    shape: the array's shape.
    dtype: the array's type.
    load: reads the array.
    blocks: reads rows from the first to the last, of 2-D arrays.
    guessed: whether the file does not name the type.
  """

  shape: tuple[int, ...]
  dtype: np.dtype
  load: Callable[[], np.ndarray]
  blocks: Callable[[], Blocks]
  guessed: bool = False


def member(path: str, member: str) -> BinaryIO:
  # The archive's file is closed with the member's, which holds it.
  archive = zipfile.ZipFile(path)
  file = archive.open(member)
  archive.close()
  return file  # type: ignore[return-value]


def describe(opener: Callable[[], BinaryIO], path: str) -> Stored:
  """Describes an array in NumPy's format, wherever its bytes come from."""
  with opener() as f:
    shape, fortran, dtype = _header(f, path)
  guessed = dtype == _BFLOAT16
  if fortran and len(shape) > 1:
    # Its rows lie apart: it is read whole.
    def load() -> np.ndarray:
      with opener() as f, files.numpy_of_any_age():
        values = np.lib.format.read_array(f, allow_pickle=False)
      return values.view(dtype)

    def whole() -> Blocks:
      with readable(path, 'an array'):
        values = load()
      yield from source_lib.sliced(values)()

    return Stored(shape, dtype, load, whole, guessed)

  def read() -> np.ndarray:
    with opener() as f:
      _header(f, path)
      return _rows(f, shape[0], shape[1:], dtype)

  def blocks() -> Blocks:
    with readable(path, 'an array'), opener() as f:
      _header(f, path)
      step = source_lib.block_rows(dtype.itemsize * math.prod(shape[1:]))
      for start in range(0, shape[0], step):
        count = min(step, shape[0] - start)
        yield start, _rows(f, count, shape[1:], dtype)
      if f.read(1):
        raise errors.DataError(
          f'{path} must end where its array of shape {list(shape)} does, got '
          'more bytes.'
        )

  return Stored(shape, dtype, read, blocks, guessed)


def _header(f: BinaryIO, path: str) -> tuple[tuple[int, ...], bool, np.dtype]:
  version = np.lib.format.read_magic(f)
  read = (
    np.lib.format.read_array_header_1_0
    if version == (1, 0)
    else np.lib.format.read_array_header_2_0
  )
  try:
    with files.numpy_of_any_age():
      shape, fortran, dtype = read(f)
  except _OF_HEADERS as e:
    raise ValueError('its header is damaged') from e
  if any(type(size) is not int or size < 0 for size in shape):
    raise ValueError(f'its header gives the shape {shape}')
  if dtype.hasobject:
    raise errors.DataError(
      f'{path} must hold numbers or text, got an array of pickled objects, '
      'which are never loaded: save text as numpy.array(values, str).'
    )
  if not shape:
    raise errors.DataError(f'{path} must hold an array, got a single value.')
  # NumPy has no name for the type, and writes that of two bytes.
  return shape, fortran, _BFLOAT16 if dtype == np.dtype('V2') else dtype


def _rows(
  f: BinaryIO, count: int, rest: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
  size = count * math.prod(rest) * dtype.itemsize
  content = _exactly(f, size)
  return np.frombuffer(content, dtype).reshape(count, *rest)


def _exactly(f: BinaryIO, size: int) -> bytes:
  parts: list[bytes] = []
  left = size
  while left:
    part = f.read(min(left, 1 << 24))
    if not part:
      raise EOFError(f'the file ends {left} bytes early')
    parts.append(part)
    left -= len(part)
  return b''.join(parts)
