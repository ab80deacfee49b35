"""Errors that libraries raise on damaged files, turned into one line."""

import contextlib
import tokenize
import zipfile
import zlib
from collections.abc import Iterator

import pyarrow as pa
import safetensors

from overlap.core import errors

_FAULTS = (
  OSError, EOFError, ValueError, KeyError, NotImplementedError, RuntimeError,
  SyntaxError, zipfile.BadZipFile, zlib.error, safetensors.SafetensorError,
  pa.ArrowException, tokenize.TokenError,
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
    # A library may quote the very bytes that are damaged.
    reason = ''.join(c if c.isprintable() else '?' for c in reason)
    raise errors.DataError(
      f'{path} must be readable as {what}, got: {reason.rstrip(".")}.'
    ) from e
