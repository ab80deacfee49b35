"""Which examples an ensemble gets right once a member is added to it."""

from collections.abc import Sequence

import numpy as np

from overlap.analyses.greedy.compact import Compact, Scores
from overlap.compiled import compiled

Ensemble = tuple[int, ...]


class Additions:
  """What ensembles get right with each candidate added, one bit each."""

  def __init__(self, places: dict[Ensemble, int], bits: np.ndarray, total: int):
    """Packed bits uint8 `[ensembles, models, bytes]` of `total` examples."""
    self._places, self._bits, self._total = places, bits, total

  def right(self, ensemble: Ensemble) -> np.ndarray:
    """bool `[models, examples]`: right with that model added."""
    bits = self._bits[self._places[ensemble]]
    return np.unpackbits(bits, axis=-1, count=self._total).view(bool)


def score_additions(
  scores: Scores, wanted: Sequence[Ensemble], *, what: str = 'greedy'
) -> Additions:
  """Adds every model to every ensemble, in one pass over the scores.

  The ensemble predicts the class with the highest sum of its members' scores,
  in float32, in the order in which they were added; the lowest index wins
  ties. An example on which the sums hold NaN, or rule out all classes by minus
  infinity, is wrong.

  Args:
    scores: of the models.
    wanted: ensembles, as indices of models in the order of their addition;
      all of the same size, at least 1.
    what: said of the progress.
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


@compiled
def _score(own, offsets, lower, scores, members):
  """Whether each sum is highest at the label: `[ensembles, rows, models]`."""
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
        # As comparisons that NaN fails.
        lost = np.int32(not mine > -np.inf)
        for c in range(lower[row]):
          lost |= np.int32(not (together[c] + added[c] < mine))
        for c in range(lower[row], classes):
          lost |= np.int32(not (together[c] + added[c] <= mine))
        right[ensemble, row, model] = lost == 0
  return right
