"""Average precision of Pascal VOC 2007 (Everingham et al. 2010).

Examples are ranked by a class's scores. At each rank, recall is the fraction of
the class's positives up to that rank, and precision the fraction of positives
among the examples up to that rank. The 11-point average is the mean, over
recall 0, 0.1, ... 1, of the highest precision at any rank with at least that
recall.

Recall is compared with a level exactly, in integers:
`10 * found >= level * positives`. Common implementations compare float numbers
with `linspace(0, 1, 11)`, where 0.3 and 3/10 differ in their last bit, which
occasionally gives another result; `exact=False` reproduces it.
"""

import numpy as np

LEVELS = 11


def average_precision(
  scores: np.ndarray, targets: np.ndarray, *, exact: bool = True
) -> float:
  """11-point average precision of one class.

  Args:
    scores: scores `[examples]`, higher for likelier positives. Ties go to the
      earlier example; NaN ranks last.
    targets: 1 for positive, 0 for negative, -1 for examples left out of the
      ranking, `[examples]`.
    exact: whether recall is compared exactly or as float numbers.

  Returns:
    A value within [0, 1]; NaN without a positive.
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
  """Average precision of one class with each example repeated by its weight.

  Args:
    scores: scores `[examples]`, as for `average_precision`.
    targets: targets `[examples]`, as for `average_precision`.
    weights: number of repetitions, int `[resamples, examples]`, at least 0.
    exact: whether recall is compared exactly, as for `average_precision`.

  Returns:
    Average precisions, float64 `[resamples]`; NaN without a positive.
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
  # The highest precision at this rank or a later one.
  best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
  summed = np.zeros(len(weights))
  for level in range(LEVELS):
    if exact:
      reached = (LEVELS - 1) * found >= level * total[:, np.newaxis]
    else:
      recall = found / np.maximum(total, 1)[:, np.newaxis]
      reached = recall >= np.linspace(0, 1, LEVELS)[level]
    # Ranks before the first weighted example have no precision.
    reached &= seen > 0
    place = reached.argmax(axis=1)
    value = best[np.arange(len(best)), place]
    summed += np.where(reached.any(axis=1), value, 0)
  return np.where(total > 0, summed / LEVELS, np.nan)
