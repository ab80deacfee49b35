"""Counts of a pass that was cut short, kept until it is through."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap import files
from overlap.analyses.scratch import Scratch


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
    self._depends_on = depends_on
    self._scratch = Scratch(folder, 'pairs', shared=False)
    self._digest = ''

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

    def read(saved: Mapping[str, np.ndarray]) -> int:
      if saved['counts'].shape != counts.shape:
        return 0
      counts[:] = saved['counts']
      return int(saved['done'])

    done = self._scratch.load(self._digest, read) or 0
    if done:
      logging.info(
        'pairs: going on after block %d of %s', done, self._scratch.file
      )
    return done

  def save(self, done: int, counts: np.ndarray) -> None:
    """Writes counts, if it is some time since they were written.

    Args:
      done: how many blocks they are of.
      counts: so far.
    """
    self._scratch.save(self._digest, lambda: {'done': done, 'counts': counts})
