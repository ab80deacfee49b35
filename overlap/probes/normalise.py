"""Normalisation of features before a probe (Sec. 4.6)."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from overlap import lookup, parallel

KINDS = {
  'l2_standardise': "each example's vector to length 1, then each dimension "
  'to mean 0 and standard deviation 1 on the training split',
  'standardise': 'each dimension only',
  'l2': "each example's vector only",
  'none': 'as they are',
}
# Spreads below this are rounding, and dividing by them would overflow.
_LEAST_STD = 1e-30


@dataclasses.dataclass(frozen=True)
class Normalisation:
  """Normalisation of features, with the statistics it takes.

  Attributes:
    kind: a key of `KINDS`.
    mean: float64 `[d]`, of the training rows (after their lengths were made
      1, if they are).
    std: standard deviation of each dimension; 1 where dimensions are not
      standardised, infinite for a constant one, which thus becomes 0.
  """

  kind: str
  mean: np.ndarray
  std: np.ndarray

  def __call__(self, features: np.ndarray) -> np.ndarray:
    """Normalises `[n, d]`; float32."""
    features = lengths_one(np.asarray(features, np.float32), self.kind)
    if 'standardise' not in self.kind:
      return features
    mean, std = self.mean.astype(np.float32), self.std.astype(np.float32)
    return (features - mean[None]) / std[None]

  def centred(self, features: np.ndarray) -> np.ndarray:
    """Normalises and centres, whatever the kind; float32 `[n, d]`.

    A shift only moves the biases. A constant dimension is 0 here too: the
    penalty keeps its weight at 0 once the bias does its work.
    """
    features = lengths_one(np.asarray(features, np.float32), self.kind)
    mean, std = self.mean.astype(np.float32), self.std.astype(np.float32)
    return (features - mean[None]) / std[None]


def lengths_one(features: np.ndarray, kind: str) -> np.ndarray:
  """Scales rows to length 1 if `kind` says so; a row of zeros stays.

  In float64, in which the squares of no float32 over- or underflow.
  """
  if not kind.startswith('l2'):
    return features
  lengths = np.sqrt(np.sum(np.square(features, dtype=np.float64), axis=1))
  lengths = np.where(lengths > 0, lengths, 1)[:, None]
  return (features / lengths).astype(np.float32)


def measure(
  blocks: Iterable[np.ndarray], kind: str = 'l2_standardise'
) -> Normalisation:
  """Takes the statistics of the training rows of all processes.

  Args:
    blocks: float32 `[some, d]`, finite, one after the other.
    kind: a key of `KINDS`.

  Raises:
    UsageError: there is no such kind.
  """
  lookup.check('normalisation', kind, KINDS)
  count, mean, squares = 0.0, np.zeros(1), np.zeros(1)
  low, high = np.full(1, np.inf), np.full(1, -np.inf)
  for block in blocks:
    block = lengths_one(block, kind)
    own = _moments(block)
    count, mean, squares = _merge((count, mean, squares), own)
    low = np.minimum(low, block.min(axis=0))
    high = np.maximum(high, block.max(axis=0))
  rows = parallel.gather_exact(
    np.stack([np.full_like(mean, count), mean, squares, low, high])[None]
  )
  total = (0.0, np.zeros(1), np.zeros(1))
  for counts, means, sums, _, _ in rows:
    total = _merge(total, (float(counts[0]), means, sums))
  count, mean, squares = total
  std = np.sqrt(squares / count)
  constant = rows[:, 3].min(axis=0) == rows[:, 4].max(axis=0)
  constant |= std < _LEAST_STD
  scale = std if 'standardise' in kind else np.ones_like(std)
  return Normalisation(kind, mean, np.where(constant, np.inf, scale))


def _moments(block: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
  """Rows, their mean and their summed squared distances from it."""
  mean = np.asarray(np.mean(block, axis=0, dtype=np.float64))
  total = np.zeros_like(mean)
  for start in range(0, len(block), 1024):
    total += np.sum(np.square(block[start : start + 1024] - mean), axis=0)
  return float(len(block)), mean, total


def _merge(
  one: tuple[float, np.ndarray, np.ndarray],
  other: tuple[float, np.ndarray, np.ndarray],
) -> tuple[float, np.ndarray, np.ndarray]:
  """The moments of both sets of rows together."""
  count = one[0] + other[0]
  apart = other[1] - one[1]
  share = other[0] / count
  squares = one[2] + other[2] + np.square(apart) * one[0] * share
  return count, one[1] + apart * share, squares
