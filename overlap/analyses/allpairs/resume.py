"""Counts of a pass that was cut short, kept until it is through."""

import contextlib
import io
import time
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap import files, parallel

# How often counts are written, in seconds.
_EVERY = 15.0


class Checkpoint:
  """Where the counts of one pass are kept, by each process for itself.

  They are taken up again only by a pass that counts the very same: what it
  depends on is part of the file.
  """

  def __init__(self, folder: epath.PathLike, depends_on: Any):
    """Nothing is written yet.

    Args:
      folder: made where it is absent.
      depends_on: JSON, what stands for the models' logits: the checksums of
        what is stored, for instance.
    """
    self._folder, self._depends_on = epath.Path(folder), depends_on
    self._file = self._folder / f'pairs-{parallel.process_index()}.npz'
    self._digest, self._last = '', 0.0

  def load(
    self, plan: Any, arrays: Sequence[np.ndarray], counts: np.ndarray
  ) -> int:
    """Takes up what an earlier pass has counted.

    Args:
      plan: JSON, what else the counts depend on.
      arrays: and arrays that they depend on.
      counts: zeros, filled in.

    Returns:
      How many blocks they are of, 0 without any.
    """
    self._digest = files.digest(
      {
        'sources': self._depends_on,
        'plan': plan,
        'arrays': [files.array_digest(array) for array in arrays],
      }
    )
    self._last = time.monotonic()
    if not self._file.exists():
      return 0
    try:
      with np.load(io.BytesIO(self._file.read_bytes())) as saved:
        same = str(saved['digest']) == self._digest
        if not same or saved['counts'].shape != counts.shape:
          return 0
        counts[:] = saved['counts']
        done = int(saved['done'])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
      return 0  # It can't be read: it is as if there were none.
    logging.info('pairs: going on after block %d of %s', done, self._file)
    return done

  def save(self, done: int, counts: np.ndarray) -> None:
    """Writes counts, if it is some time since they were written.

    Args:
      done: how many blocks they are of.
      counts: so far.
    """
    if time.monotonic() - self._last < _EVERY:
      return
    content = io.BytesIO()
    np.savez(content, digest=self._digest, done=done, counts=counts)
    files.write_bytes(self._file, content.getvalue())
    self._last = time.monotonic()

  def remove(self) -> None:
    """Removes what was written, and the folder where it holds no more."""
    # What stays is taken up by no other pass: that it stays does no harm.
    with contextlib.suppress(OSError):
      self._file.unlink(missing_ok=True)
      self._folder.rmdir()
