"""Correctness of ensembles after the addition of each model."""

from collections.abc import Sequence

import numpy as np

from overlap.analyses.greedy.compact import Compact, Scores
from overlap.core.jit import jit_cpu

Ensemble = tuple[int, ...]


class Additions:
  """Correctness of ensembles with each model added, packed as bits."""

  def __init__(self, places: dict[Ensemble, int], bits: np.ndarray, total: int):
    """Takes packed bits uint8 `[ensembles, models, bytes]`."""
    self._places, self._bits, self._total = places, bits, total

  def right(self, ensemble: Ensemble) -> np.ndarray:
    """Correctness with each model added, bool `[models, examples]`."""
    bits = self._bits[self._places[ensemble]]
    return np.unpackbits(bits, axis=-1, count=self._total).view(bool)


def score_additions(
  scores: Scores, wanted: Sequence[Ensemble], *, what: str = 'greedy'
) -> Additions:
  """Adds every model to every ensemble, in one pass over the scores.

  The ensemble predicts the class with the highest sum of its members' scores,
  in float32, in the order of their addition; the lowest index wins ties. An
  example is wrong if the sums contain NaN or are minus infinity for all
  classes.

  Args:
    scores: scores of the models.
    wanted: ensembles, as indices of models in the order of their addition; all
      of the same size, at least 1.
    what: label of the progress display.
  """
  places = {ensemble: i for i, ensemble in enumerate(dict.fromkeys(wanted))}
  members = np.array(list(places), np.int64).reshape(len(places), -1)
  size = -(-scores.examples // 8)
  bits = np.zeros((len(places), scores.models, size), np.uint8)

  def score(_: slice, block: Compact) -> np.ndarray:
    right = _score(*block, members)
    return np.packbits(right.swapaxes(1, 2), axis=-1)

  for rows, found in scores.map(score, what=what):
    first = rows.start // 8
    bits[:, :, first : first + found.shape[-1]] = found
  return Additions(places, bits, scores.examples)


@jit_cpu
def _score(own, offsets, lower, scores, members):
  """Checks each label for the highest sum: `[ensembles, rows, models]`."""
  total, size = members.shape
  rows, models = own.shape
  right = np.empty((total, rows, models), np.uint8)
  for row in range(rows):
    first = offsets[row] * models
    classes = offsets[row + 1] - offsets[row]
    block = scores[first : first + classes * models].reshape(models, classes)
    together = np.empty(classes, np.float32)
    for ensemble in range(total):
      chosen = members[ensemble]
      label = own[row, chosen[0]]
      together[:] = block[chosen[0]]
      for i in range(1, size):
        label += own[row, chosen[i]]
        added = block[chosen[i]]
        for c in range(classes):
          together[c] += added[c]
      for model in range(models):
        mine = label + own[row, model]
        added = block[model]
        # Comparisons that are false for NaN.
        lost = np.int32(not mine > -np.inf)
        for c in range(lower[row]):
          lost |= np.int32(not (together[c] + added[c] < mine))
        for c in range(lower[row], classes):
          lost |= np.int32(not (together[c] + added[c] <= mine))
        right[ensemble, row, model] = lost == 0
  return right
