"""What killed runs leave in a workdir, and nobody will ever read."""

import contextlib
import os
import pathlib
import shutil

from absl import logging
from etils import epath

from overlap import claims
from overlap.store import folders

# Where something is written aside, to be renamed.
_PLACES = ('', '*', 'models/*', 'predictions/*/*', 'sweep/units/*')


def remove(path: epath.PathLike) -> None:
  """Removes what was written aside before this run began.

  Only where no other run is at work, which might still need its own; on Cloud
  Storage, where looking is slow, nothing is done.

  Args:
    path: the workdir, on which this run has a claim.
  """
  own = claims.only_one(path)
  if own is None:
    return
  began = os.stat(own).st_mtime
  root, count = pathlib.Path(path), 0
  for place in _PLACES:
    for left in root.glob(f'{place}/.*.partial' if place else '.*.partial'):
      if left.stat().st_mtime < began:
        count += 1
        if left.is_dir():
          folders.remove(epath.Path(left))
        else:
          with contextlib.suppress(OSError):  # It does no harm.
            left.unlink(missing_ok=True)
  for left in root.glob('models/*/*.orbax-checkpoint-tmp*'):
    count += 1
    shutil.rmtree(left, ignore_errors=True)
  if count:
    logging.info('removed %d things that a killed run had left', count)
