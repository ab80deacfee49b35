"""Paired comparison of two ensembles on the same examples."""

from typing import NamedTuple

import numpy as np
from scipy import special

from overlap.analyses import correctness, stats


class Difference(NamedTuple):
  """Accuracy gain of the second ensemble; all fields have the same shape.

  Attributes:
    gained: number of examples that only the second gets right.
    lost: number of examples that only the first gets right.
    estimate: difference of the accuracies, a fraction; NaN without examples.
    lower: lower bound of the confidence interval.
    upper: upper bound of the confidence interval.
    p: p-value of McNemar's exact test.
  """

  gained: np.ndarray
  lost: np.ndarray
  estimate: np.ndarray
  lower: np.ndarray
  upper: np.ndarray
  p: np.ndarray


def compare(
  before: np.ndarray, after: np.ndarray, *, confidence: float
) -> Difference:
  """Compares the correctness of two ensembles.

  Args:
    before: correctness of the first, bool `[..., examples]`.
    after: correctness of the second, bool `[..., examples]`, broadcast against
      `before`.
    confidence: level of the interval.
  """
  gained = (after & ~before).sum(axis=-1)
  lost = (before & ~after).sum(axis=-1)
  total = np.broadcast_shapes(before.shape, after.shape)[-1]
  return from_counts(gained, lost, total, confidence=confidence)


def from_counts(
  gained: np.ndarray, lost: np.ndarray, total: int, *, confidence: float
) -> Difference:
  """Compares two ensembles by their counts of discordant examples.

  The interval is the adjusted Wald interval of Bonett and Price (2012), which
  adds one example to each of the two counts: its coverage is good for small
  counts, and its width is positive where both are 0.

  Args:
    gained: number of examples that only the second gets right, of any shape.
    lost: number of examples that only the first gets right.
    total: number of examples.
    confidence: level of the interval.
  """
  gained, lost = np.asarray(gained, np.int64), np.asarray(lost, np.int64)
  z = special.ndtri((1 + confidence) / 2)
  up, down = (gained + 1) / (total + 2), (lost + 1) / (total + 2)
  reach = z * np.sqrt((up + down - (up - down) ** 2) / (total + 2))
  known = np.where(total > 0, 1.0, np.nan)
  return Difference(
    gained,
    lost,
    correctness.fraction(gained - lost, np.broadcast_to(total, gained.shape)),
    np.maximum(up - down - reach, -1.0) * known,
    np.minimum(up - down + reach, 1.0) * known,
    stats.mcnemar(gained, lost),
  )
