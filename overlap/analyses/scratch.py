"""What a run that may be cut short leaves for the next one, in one file."""

import contextlib
import io
import struct
import time
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from etils import epath

from overlap import files, parallel

# How often it is written, in seconds.
_EVERY = 15.0

# What reading a damaged file raises, by the byte that is.
_UNREADABLE = (
  OSError, EOFError, ValueError, LookupError, TypeError, OverflowError,
  RuntimeError, NotImplementedError, SyntaxError, zipfile.BadZipFile,
  zlib.error, struct.error, tokenize.TokenError,
)  # fmt: skip

T = TypeVar('T')


class Scratch:
  """Arrays in a folder, of each process for itself.

  They are taken up again only by a run that has the same digest, of everything
  that they depend on.

  Attributes:
    file: where they are; there need not be any.
  """

  def __init__(self, folder: epath.PathLike, name: str):
    """Nothing is read or written yet.

    Args:
      folder: made where it is absent.
      name: of the file, before the process's number.
    """
    index = parallel.process_index()
    self.file = epath.Path(folder) / f'{name}-{index}.npz'
    self._last = time.monotonic()

  def load(
    self, digest: str, read: Callable[[Mapping[str, np.ndarray]], T]
  ) -> T | None:
    """What `read` makes of the arrays; None without any of this digest.

    A file that can't be read is as if there were none.
    """
    self._last = time.monotonic()
    if not self.file.exists():
      return None
    try:
      with np.load(
        io.BytesIO(self.file.read_bytes()), allow_pickle=False
      ) as saved:
        return read(saved) if str(saved['digest']) == digest else None
    except _UNREADABLE:
      return None

  def save(self, digest: str, arrays: Callable[[], Mapping[str, Any]]) -> None:
    """Writes arrays, if it is some time since they were written."""
    if time.monotonic() - self._last < _EVERY:
      return
    content = io.BytesIO()
    np.savez(content, digest=digest, **arrays())
    files.write_bytes(self.file, content.getvalue())
    self._last = time.monotonic()

  def remove(self) -> None:
    """Removes what was written, and the folder where it holds no more."""
    # What stays is taken up by no other run: that it stays does no harm.
    with contextlib.suppress(OSError):
      self.file.unlink(missing_ok=True)
      self.file.parent.rmdir()
