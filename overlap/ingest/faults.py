"""What a damaged file makes its library raise, turned into one line."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator

import safetensors

from overlap import errors

_FAULTS = (
  OSError, EOFError, ValueError, KeyError, NotImplementedError, RuntimeError,
  SyntaxError, zipfile.BadZipFile, zlib.error, safetensors.SafetensorError,
)  # fmt: skip


@contextlib.contextmanager
def readable(path: str, what: str) -> Iterator[None]:
  """Turns what a damaged file makes its library raise into one line.

  Raises:
    DataError: something within raised.
  """
  try:
    yield
  except errors.OverlapError:
    raise
  except _FAULTS as e:
    if isinstance(e, OSError) and e.strerror:
      reason = e.strerror
    else:
      reason = str(e).partition('\n')[0] or type(e).__name__
    raise errors.DataError(
      f'{path} must be readable as {what}, got: {reason.rstrip(".")}.'
    ) from e
