"""Checkpoint files of intermediate results, for resuming a run."""

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

from overlap.core import files
from overlap.distributed import processes

# Interval between writes, in seconds.
_EVERY = 15.0

# Exceptions from reading a damaged file, depending on the damaged byte.
_UNREADABLE = (
  OSError, EOFError, ValueError, LookupError, TypeError, OverflowError,
  RuntimeError, NotImplementedError, SyntaxError, zipfile.BadZipFile,
  zlib.error, struct.error, tokenize.TokenError,
)  # fmt: skip
# Parts of file names: the prefix, and the suffixes of the files that each
# process writes (followed by its number) and of those that the primary writes
# for all.
_BEGIN, _OWN, _SHARED = 'overlap-', '-process', '-shared'

T = TypeVar('T')


class Scratch:
  """Checkpoint file of arrays, loaded only by a run with the same digest.

  Processes either write a file each, with their own results, or share a file
  with common results. A shared file is written by the primary only, and all
  processes load the same content: processes that resumed from different states
  would wait for each other forever.

  Attributes:
    file: path of the file, which need not exist.
  """

  def __init__(self, folder: epath.PathLike, name: str, *, shared: bool):
    """Prepares the checkpoint without reading or writing anything.

    Args:
      folder: folder of the file, created when something is saved.
      name: part of the file's name that describes its content.
      shared: whether the arrays are the same on all processes.
    """
    self._shared = shared
    end = _SHARED if shared else f'{_OWN}{processes.process_index()}'
    self.file = epath.Path(folder) / f'{_BEGIN}{name}{end}.npz'
    self._last = time.monotonic()

  def load(
    self, digest: str, read: Callable[[Mapping[str, np.ndarray]], T]
  ) -> T | None:
    """Returns `read(arrays)`, or None without a file of this digest.

    All processes must call it for a shared file. An unreadable file counts as
    absent.
    """
    self._last = time.monotonic()
    content = self._content()
    if self._shared:
      content = processes.broadcast_bytes(content)
    try:
      with np.load(io.BytesIO(content), allow_pickle=False) as saved:
        return read(saved) if str(saved['digest']) == digest else None
    except _UNREADABLE:
      return None

  def _content(self) -> bytes:
    """Returns the file's bytes; empty if absent or not read by this process."""
    if self._shared and not processes.is_primary():
      return b''
    try:
      return self.file.read_bytes()
    except OSError:
      return b''

  def save(self, digest: str, arrays: Callable[[], Mapping[str, Any]]) -> None:
    """Saves arrays, at most once per interval."""
    if self._shared and not processes.is_primary():
      return
    if time.monotonic() - self._last < _EVERY:
      return
    content = io.BytesIO()
    np.savez(content, digest=digest, **arrays())
    files.write_bytes(self.file, content.getvalue())
    self._last = time.monotonic()


def clear(folder: epath.PathLike) -> None:
  """Removes the files of all processes, and the folder if it is then empty.

  One process calls it, after the last load and save of all processes.

  Args:
    folder: folder of the files, which may be absent; files with other names are
      kept.
  """
  folder = epath.Path(folder)
  # Remaining files do no harm: other runs do not load them. (etils raises
  # ValueError if a folder is not empty.)
  with contextlib.suppress(OSError, ValueError):
    for end in (f'{_OWN}*', _SHARED):
      for file in folder.glob(f'{_BEGIN}*{end}.npz'):
        file.unlink(missing_ok=True)
    folder.rmdir()
