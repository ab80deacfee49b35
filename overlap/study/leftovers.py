"""Clean-up of what killed runs leave in a workdir."""

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

from absl import logging

from overlap import claims, files

# The folders where this program writes files aside, to be renamed.
_PLACES = (
  'cache', 'figures', 'report', 'tables', 'timings', 'models/*',
  'predictions/*/*', 'sweep/units/*',
)  # fmt: skip
# What Orbax writes a model's variables to, to be renamed to `checkpoint`.
_ORBAX = re.compile(r'checkpoint\.orbax-checkpoint-tmp(-\d+)?')


def remove(path: os.PathLike) -> None:
  """Removes what this program wrote aside before this run began.

  Only what has a name of its own making, in a folder of its own making that
  is reached without a symbolic link. Only where no other run is at work, which
  might still need its own; on Cloud Storage, where looking is slow, nothing is
  done.

  Args:
    path: the workdir, on which this run has a claim.
  """
  own = claims.only_one(path)
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
        with contextlib.suppress(OSError):  # It does no harm.
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
