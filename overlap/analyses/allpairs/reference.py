"""NumPy reference backend: evaluates every class of every pair."""

import numpy as np

from overlap.analyses import correctness
from overlap.analyses.allpairs.blocks import Block
from overlap.analyses.allpairs.probabilities import softmax

# Scores summed at a time, few enough for the processor's cache.
_SUM = 2**16


class Counter:
  """Counts the pairs of a block."""

  def __init__(self, pairs: np.ndarray, models: int, methods: list[str]):
    """Takes int `[pairs, 2]` and keys of `ensembles.METHODS`."""
    self._pairs, self._methods = pairs, methods

  def count(
    self, block: Block, labels: np.ndarray, correct: np.ndarray | None
  ) -> np.ndarray:
    """Returns a block's counts, int64 `[methods, 5, pairs]`.

    Args:
      block: block of examples.
      labels: labels `[rows]`.
      correct: correctness of each model, bool `[models, rows]`; None to compute
        it from the block.
    """
    scores = block.tile().swapaxes(0, 1)
    if correct is None:
      correct = np.stack([correctness.correct(z, labels) for z in scores])
    right_1, right_2 = correct[self._pairs[:, 0]], correct[self._pairs[:, 1]]
    return np.stack(
      [
        _count(
          _wins(
            softmax(scores) if method == 'probs' else scores,
            labels,
            self._pairs,
          ),
          right_1,
          right_2,
        )
        for method in self._methods
      ]
    )


def _wins(
  scores: np.ndarray, labels: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
  """Returns where the highest sum of two models' scores is the label's.

  Args:
    scores: scores `[models, rows, classes]`.
    labels: labels `[rows]`.
    pairs: indices of the two models, int `[pairs, 2]`.

  Returns:
    A mask, bool `[pairs, rows]`.
  """
  _, total, classes = scores.shape
  step = max(1, _SUM // max(1, classes))
  result = np.empty((len(pairs), total), bool)
  summed = np.empty((step, classes), scores.dtype)
  for start in range(0, total, step):
    rows = slice(start, min(start + step, total))
    buffer = summed[: rows.stop - start]
    for pair, (one, two) in enumerate(pairs):
      with np.errstate(invalid='ignore', over='ignore'):
        np.add(scores[one, rows], scores[two, rows], out=buffer)
      result[pair, rows] = correctness.correct(buffer, labels[rows])
  return result


def _count(
  wins: np.ndarray, right_1: np.ndarray, right_2: np.ndarray
) -> np.ndarray:
  """Sums bool `[pairs, rows]` over rows to the fields of `EnsembleCounts`."""
  parts = (
    wins,
    wins & right_1 & ~right_2,
    wins & ~right_1 & right_2,
    wins & ~(right_1 | right_2),
    ~wins & right_1 & right_2,
  )
  return np.stack([part.sum(axis=1, dtype=np.int64) for part in parts])
