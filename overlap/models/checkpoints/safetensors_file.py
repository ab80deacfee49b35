"""Tensors from safetensors files."""

import ml_dtypes
import numpy as np
import safetensors
from etils import epath

from overlap.core import errors
from overlap.models.checkpoints import places

# The format's names and what the numbers are in the file: little-endian.
_DTYPES = {
  'F64': '<f8',
  'F32': '<f4',
  'F16': '<f2',
  'BF16': ml_dtypes.bfloat16,
  'F8_E4M3': ml_dtypes.float8_e4m3fn,
  'F8_E5M2': ml_dtypes.float8_e5m2,
  'C64': '<c8',
  'I64': '<i8',
  'I32': '<i4',
  'I16': '<i2',
  'I8': 'i1',
  'U64': '<u8',
  'U32': '<u4',
  'U16': '<u2',
  'U8': 'u1',
  'BOOL': '?',
}


_LENGTH_BYTES = 8


def is_one(start: bytes, size: int) -> bool:
  """Returns whether a file is safetensors: a length and a JSON header.

  Args:
    start: first 9 bytes of the file.
    size: bytes in the file.
  """
  length = int.from_bytes(start[:_LENGTH_BYTES], 'little')
  return start[_LENGTH_BYTES:] == b'{' and _LENGTH_BYTES + length <= size


def load(path: epath.PathLike) -> dict[str, np.ndarray]:
  """Reads a safetensors file: tensors by name.

  Returns:
    Arrays by name, sorted and read-only. bfloat16 and float8 have ml_dtypes'
    dtypes.

  Raises:
    DataError: the file is absent, cut short or damaged, or has a dtype that
      NumPy and ml_dtypes lack; the text says which.
  """
  path = epath.Path(path)
  with places.reading(path):
    content = path.read_bytes()
  try:
    tensors = safetensors.deserialize(content)
  except (safetensors.SafetensorError, ValueError, OverflowError) as e:
    raise errors.DataError(
      f'{path} must be a whole safetensors file, got: {str(e)[:100]}.'
    ) from e
  # The library gives them in an order of its own, different every time.
  return {
    name: _array(name, tensor, path)
    for name, tensor in sorted(tensors, key=lambda named: named[0])
  }


def _array(name: str, tensor: dict, path: epath.Path) -> np.ndarray:
  if tensor['dtype'] not in _DTYPES:
    raise errors.DataError(
      f'{name[:100]!r} in {path} must have one of the dtypes '
      f'{", ".join(_DTYPES)}, and has {tensor["dtype"]}.'
    )
  dtype = np.dtype(_DTYPES[tensor['dtype']])
  values = np.frombuffer(tensor['data'], dtype).reshape(tensor['shape'])
  values.flags.writeable = False
  return values
