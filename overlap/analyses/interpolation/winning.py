"""The interval of weights of two models for which the label wins.

Along `(1 - t) start + t end`, the label's lead over another class is linear in
t, so it is positive on one side of a point. The label wins where all its leads
are positive: an interval, computed without evaluating any t. Only a class that
is at least equal to the label at one end can bound it, and these are few.
"""

import numpy as np

# Replacement of -inf, below any logit.
_FLOOR = -1e30
# Scores per block of rows, few enough for the processor's cache.
_BLOCK = 2**18


def class_aware(
  first: np.ndarray,
  second: np.ndarray,
  group_a: np.ndarray,
  group_b: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """Returns both ends of the class-aware interpolation.

  Classes of group A have weight `1 - t` for model 1 and `t` for model 2,
  classes of group B the reverse; other classes, and classes in both groups,
  have 1/2 each.

  Args:
    first: calibrated logits of model 1, `[examples, classes]`.
    second: calibrated logits of model 2, `[examples, classes]`.
    group_a: class indices of group A.
    group_b: class indices of group B.

  Returns:
    The scores at t = 0 and at t = 1.
  """
  start = (first + second) / 2
  end = start.copy()
  only_a = np.setdiff1d(group_a, group_b)
  only_b = np.setdiff1d(group_b, group_a)
  for chosen, at_start, at_end in (
    (only_a, first, second),
    (only_b, second, first),
  ):
    start[:, chosen] = at_start[:, chosen]
    end[:, chosen] = at_end[:, chosen]
  return start, end


def intervals(
  start: np.ndarray, end: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the weights t for which the label's score is the highest.

  Ties go to the lowest class index. Sums are exact, not rounded to float32.

  Args:
    start: scores at t = 0, `[examples, classes]`.
    end: scores at t = 1, `[examples, classes]`.
    labels: class indices `[examples]`.

  Returns:
    Lower and upper ends of closed intervals, float64 `[examples]`. The lower is
    above the upper if the label never wins, as with a score of NaN or +inf. A
    label of -inf at one end can win only at the other end.
  """
  lower, upper = np.zeros(len(labels)), np.ones(len(labels))
  step = max(1, _BLOCK // max(1, start.shape[1]))
  for first in range(0, len(labels), step):
    rows = slice(first, first + step)
    found = _block(start[rows], end[rows], np.asarray(labels)[rows])
    lower[rows], upper[rows] = found
  return lower, upper


def _block(
  start: np.ndarray, end: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  count = len(labels)
  lower, upper = np.zeros(count), np.ones(count)
  own = np.arange(count), labels
  rivals = start >= start[own][:, np.newaxis]
  rivals |= end >= end[own][:, np.newaxis]
  rivals[own] = False
  # False for NaN.
  usable = (start.max(axis=1) < np.inf) & (end.max(axis=1) < np.inf)
  rivals &= usable[:, np.newaxis]
  row, rival = np.nonzero(rivals)
  at_start = _lead(start, labels, row, rival)
  at_end = _lead(end, labels, row, rival)
  # The label must be above a preceding class, and at least equal to a later
  # one.
  strict = rival < labels[row]
  behind_start = np.where(strict, at_start <= 0, at_start < 0)
  behind_end = np.where(strict, at_end <= 0, at_end < 0)
  # The quotient is not used where both leads are equal.
  with np.errstate(invalid='ignore', divide='ignore'):
    crossing = at_start / (at_start - at_end)
  rising, falling = behind_start & ~behind_end, behind_end & ~behind_start
  after = np.where(strict, np.nextafter(crossing, np.inf), crossing)
  before = np.where(strict, np.nextafter(crossing, -np.inf), crossing)
  # Keep rounding from moving a crossing onto or beyond an end.
  after = np.clip(after, np.nextafter(0, 1), 1)
  before = np.clip(before, 0, np.nextafter(1, 0))
  np.maximum.at(lower, row[rising], after[rising])
  np.minimum.at(upper, row[falling], before[falling])
  never = behind_start & behind_end
  lower[row[never]] = np.inf
  lower[~usable] = np.inf
  # Minus infinity excludes the label wherever it has any weight.
  lower = np.where(start[own] == -np.inf, np.maximum(lower, 1), lower)
  upper = np.where(end[own] == -np.inf, np.minimum(upper, 0), upper)
  return lower, upper


def _lead(
  scores: np.ndarray, labels: np.ndarray, row: np.ndarray, rival: np.ndarray
) -> np.ndarray:
  """Returns the label's score minus a rival's, float64 `[rivals]`."""
  label = np.maximum(scores[row, labels[row]].astype(np.float64), _FLOOR)
  return label - np.maximum(scores[row, rival].astype(np.float64), _FLOOR)
