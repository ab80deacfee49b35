"""Intermediate results of a run that may be cut short, for the next one."""

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
# Names of the files: this begins them, and a process's number or this ends
# those of each process and those that the primary writes for all.
_BEGIN, _OWN, _SHARED = 'overlap-', '-process', '-shared'

T = TypeVar('T')


class Scratch:
  """Arrays in one file of a folder, taken up by a run of the same digest.

  Processes either write a file each, of what each has done by itself, or share
  one of what all have done together. A shared file is written by the primary
  alone, and all take up the same content: processes that went on from different
  states would wait for each other forever.

  Attributes:
    file: path of the file, which need not exist.
  """

  def __init__(self, folder: epath.PathLike, name: str, *, shared: bool):
    """Reads and writes nothing yet.

    Args:
      folder: created when something is saved.
      name: what the file's name says of its content.
      shared: whether the arrays are the same on all processes.
    """
    self._shared = shared
    end = _SHARED if shared else f'{_OWN}{parallel.process_index()}'
    self.file = epath.Path(folder) / f'{_BEGIN}{name}{end}.npz'
    self._last = time.monotonic()

  def load(
    self, digest: str, read: Callable[[Mapping[str, np.ndarray]], T]
  ) -> T | None:
    """Returns `read(arrays)`; None without a file of this digest.

    All processes call it for a shared file. One that can't be read counts as
    absent.
    """
    self._last = time.monotonic()
    content = self._content()
    if self._shared:
      content = parallel.broadcast_bytes(content)
    try:
      with np.load(io.BytesIO(content), allow_pickle=False) as saved:
        return read(saved) if str(saved['digest']) == digest else None
    except _UNREADABLE:
      return None

  def _content(self) -> bytes:
    """The file's bytes; none where it is absent or not this process's."""
    if self._shared and not parallel.is_primary():
      return b''
    try:
      return self.file.read_bytes()
    except OSError:
      return b''

  def save(self, digest: str, arrays: Callable[[], Mapping[str, Any]]) -> None:
    """Writes arrays if the last time is long enough ago."""
    if self._shared and not parallel.is_primary():
      return
    if time.monotonic() - self._last < _EVERY:
      return
    content = io.BytesIO()
    np.savez(content, digest=digest, **arrays())
    files.write_bytes(self.file, content.getvalue())
    self._last = time.monotonic()


def clear(folder: epath.PathLike) -> None:
  """Removes the files of all processes, and the folder if nothing else is left.

  To be called by one process, when none will load or save any more.

  Args:
    folder: need not exist; files of other names stay.
  """
  folder = epath.Path(folder)
  # What stays is taken up by no other run. (etils raises ValueError where a
  # folder is not empty.)
  with contextlib.suppress(OSError, ValueError):
    for end in (f'{_OWN}*', _SHARED):
      for file in folder.glob(f'{_BEGIN}*{end}.npz'):
        file.unlink(missing_ok=True)
    folder.rmdir()
