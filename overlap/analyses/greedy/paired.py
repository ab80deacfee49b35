"""Two ensembles on the same examples: what one gains over the other."""

from typing import NamedTuple

import numpy as np
from scipy import special

from overlap.analyses import errors, stats


class Difference(NamedTuple):
  """How much more accurate the second is; each field of any one shape.

  Attributes:
    gained: how many examples only the second gets right.
    lost: how many only the first gets right.
    estimate: the difference of their accuracies, a fraction; NaN without
      examples.
    lower: of its interval.
    upper: of its interval.
    p: of McNemar's exact test.
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
  """Compares what two ensembles get right.

  Args:
    before: bool `[..., examples]`.
    after: bool `[..., examples]`, broadcast against it.
    confidence: the interval's level.
  """
  gained = (after & ~before).sum(axis=-1)
  lost = (before & ~after).sum(axis=-1)
  total = np.broadcast_shapes(before.shape, after.shape)[-1]
  return from_counts(gained, lost, total, confidence=confidence)


def from_counts(
  gained: np.ndarray, lost: np.ndarray, total: int, *, confidence: float
) -> Difference:
  """The same from counts.

  The interval is the adjusted Wald interval of Bonett and Price (2012), which
  adds one example to each of the two counts: it covers well for small counts
  and has a width where both are 0.

  Args:
    gained: counts of examples that only the second gets right, of any shape.
    lost: of those that only the first gets right.
    total: the number of examples.
    confidence: the interval's level.
  """
  gained, lost = np.asarray(gained, np.int64), np.asarray(lost, np.int64)
  z = special.ndtri((1 + confidence) / 2)
  up, down = (gained + 1) / (total + 2), (lost + 1) / (total + 2)
  reach = z * np.sqrt((up + down - (up - down) ** 2) / (total + 2))
  known = np.where(total > 0, 1.0, np.nan)
  return Difference(
    gained,
    lost,
    errors.fraction(gained - lost, np.broadcast_to(total, gained.shape)),
    np.maximum(up - down - reach, -1.0) * known,
    np.minimum(up - down + reach, 1.0) * known,
    stats.mcnemar(gained, lost),
  )
