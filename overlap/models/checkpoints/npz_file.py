"""Arrays from NumPy's archives, of which nothing is unpickled."""

import struct
import tokenize
import zipfile
import zlib

import ml_dtypes
import numpy as np
from etils import epath

from overlap.core import errors, files
from overlap.models.checkpoints import places

# JAX's bfloat16, which NumPy writes as two bytes without a meaning.
_RAW_BFLOAT16 = np.dtype('V2')


def load(path: epath.PathLike) -> dict[str, np.ndarray]:
  """Reads an .npz file: arrays by name, sorted and read-only.

  Raises:
    DataError: the file is absent, cut short or damaged, or has objects.
  """
  path = epath.Path(path)
  try:
    with (
      files.numpy_of_any_age(),
      places.reading(path),
      path.open('rb') as f,
      np.load(f, allow_pickle=False) as archive,
    ):
      files.check_expansion(archive.zip, path)
      return {name: _array(archive[name]) for name in sorted(archive.files)}
  except (
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    MemoryError,
    AttributeError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
  ) as e:
    raise errors.DataError(
      f'{path} must be a whole .npz file of arrays, got: {str(e)[:100]}.'
    ) from e


def _array(values: np.ndarray) -> np.ndarray:
  if values.dtype == _RAW_BFLOAT16:
    values = values.view(ml_dtypes.bfloat16)
  values.flags.writeable = False
  return values
