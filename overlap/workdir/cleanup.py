"""Clean-up of what killed runs leave in a workdir."""

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

from absl import logging

from overlap.core import files, locks

# Folders in which this program writes files aside before renaming them.
_PLACES = (
  'cache', 'figures', 'report', 'tables', 'timings', 'models/*',
  'predictions/*/*', 'sweep/units/*',
)  # fmt: skip
# Names under which Orbax writes variables before renaming to `checkpoint`.
_ORBAX = re.compile(r'checkpoint\.orbax-checkpoint-tmp(-\d+)?')


def remove(path: os.PathLike) -> None:
  """Removes files that earlier runs wrote aside and did not rename.

  Removes only names that this program makes, in folders that it makes, reached
  without a symbolic link, and only if no other run is active, which might need
  them. Does nothing on Cloud Storage, where listing is slow.

  Args:
    path: path of the workdir, locked by this run.
  """
  own = locks.only_one(path)
  if own is None:
    return
  began = os.stat(own).st_mtime
  count = 0
  for left in _left(pathlib.Path(path)):
    if left.stat().st_mtime < began:
      count += 1
      if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
      else:
        with contextlib.suppress(OSError):  # It is harmless.
          left.unlink(missing_ok=True)
  if count:
    logging.info('removed %d things that a killed run had left', count)


def _left(root: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields files and folders that were written aside, none through a link."""
  for folder in [root, *(f for place in _PLACES for f in root.glob(place))]:
    if not folder.is_dir() or _has_link(folder, root):
      continue
    for child in list(folder.iterdir()):
      is_orbax = _ORBAX.fullmatch(child.name) and not child.is_symlink()
      if files.is_aside(child) or (is_orbax and folder.parent.name == 'models'):
        yield child


def _has_link(folder: pathlib.Path, root: pathlib.Path) -> bool:
  """Returns whether a part of the path below the root is a symbolic link."""
  parts = [folder, *folder.parents]
  return any(part.is_symlink() for part in parts[: parts.index(root)])
