"""Average precision as Pascal VOC 2007 has it (Everingham et al. 2010).

Examples are ranked by a class's scores. At each rank, recall is the share of
the class's positives found so far, precision the share of positives among
those. The 11-point average is the mean, over recall 0, 0.1, ... 1, of the
highest precision at any rank whose recall is at least that.

Whether recall reaches a level is decided exactly, in integers: `10 * found >=
level * positives`. The rule as it is commonly coded compares float numbers
with `linspace(0, 1, 11)`, where 0.3 and 3/10 differ in their last bit, and
now and then disagrees: `exact=False` does the same.
"""

import numpy as np

LEVELS = 11


def average_precision(
  scores: np.ndarray, targets: np.ndarray, *, exact: bool = True
) -> float:
  """The 11-point average precision of one class.

  Args:
    scores: `[examples]`, the higher the likelier. Of equal ones, the earlier
      example ranks first; NaN ranks last.
    targets: `[examples]`: 1 positive, 0 negative, -1 left out of the ranking.
    exact: whether recall is compared exactly, or as float numbers.

  Returns:
    Within [0, 1]; NaN without a positive.
  """
  weights = np.ones((1, len(np.asarray(targets))), np.int64)
  return float(resampled(scores, targets, weights, exact=exact)[0])


def resampled(
  scores: np.ndarray,
  targets: np.ndarray,
  weights: np.ndarray,
  *,
  exact: bool = True,
) -> np.ndarray:
  """`average_precision` where examples count as often as weights say.

  Args:
    scores: `[examples]`.
    targets: `[examples]`.
    weights: int `[resamples, examples]`, at least 0.
    exact: as for `average_precision`.

  Returns:
    float64 `[resamples]`; NaN for those without a positive.
  """
  scores, targets = np.asarray(scores), np.asarray(targets)
  kept = targets >= 0
  ranks = np.argsort(-scores[kept], kind='stable')
  positive = (targets[kept] == 1)[ranks]
  weights = np.asarray(weights)[:, kept][:, ranks]
  found = np.cumsum(weights * positive, axis=1)
  seen = np.cumsum(weights, axis=1)
  if not found.shape[1]:
    return np.full(len(weights), np.nan)
  total = found[:, -1]
  precision = found / np.maximum(seen, 1)
  # The highest at this rank or a later one.
  best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
  summed = np.zeros(len(weights))
  for level in range(LEVELS):
    if exact:
      reached = (LEVELS - 1) * found >= level * total[:, np.newaxis]
    else:
      recall = found / np.maximum(total, 1)[:, np.newaxis]
      reached = recall >= np.linspace(0, 1, LEVELS)[level]
    # Ranks that no example fills have no precision.
    reached &= seen > 0
    place = reached.argmax(axis=1)
    value = best[np.arange(len(best)), place]
    summed += np.where(reached.any(axis=1), value, 0)
  return np.where(total > 0, summed / LEVELS, np.nan)
