"""Checkpoints of an interrupted pass over all pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap.analyses.scratch import Scratch
from overlap.core import files


class Checkpoint:
  """Checkpoint of the counts of one pass, one per process.

  A later pass uses it only if everything that the counts depend on is the same;
  a digest of this is part of the file.
  """

  def __init__(self, folder: epath.PathLike, depends_on: Any):
    """Prepares the checkpoint without writing anything.

    Args:
      folder: folder of the checkpoint, created if absent.
      depends_on: JSON that identifies the models' logits, such as the checksums
        of the stored arrays.
    """
    self._depends_on = depends_on
    self._scratch = Scratch(folder, 'pairs', shared=False)
    self._digest = ''

  def load(
    self, plan: Any, arrays: Sequence[np.ndarray], counts: np.ndarray
  ) -> int:
    """Loads the counts of an earlier pass.

    Args:
      plan: JSON that identifies what else the counts depend on.
      arrays: arrays that the counts depend on.
      counts: output, initially zeros.

    Returns:
      The number of counted blocks, 0 without a checkpoint.
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
    """Saves counts at most once per interval.

    Args:
      done: number of counted blocks.
      counts: counts of these blocks.
    """
    self._scratch.save(self._digest, lambda: {'done': done, 'counts': counts})
