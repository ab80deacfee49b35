"""Normalisation of features before a probe (Sec. 4.6)."""

import dataclasses

import numpy as np

from overlap.core import lookup
from overlap.distributed import processes
from overlap.probes.rows import Rows

KINDS = {
  'l2_standardise': "each example's vector to length 1, then each dimension "
  'to mean 0 and standard deviation 1 on the training split',
  'standardise': 'each dimension only',
  'l2': "each example's vector only",
  'none': 'as they are',
}
# Standard deviations below this are rounding; dividing by them would overflow.
_LEAST_STD = 1e-30


@dataclasses.dataclass(frozen=True)
class Normalisation:
  """Normalisation of features with its statistics.

  Attributes:
    kind: normalisation, a key of `KINDS`.
    mean: mean of the training rows, float64 `[d]`, after scaling to unit
      length where `kind` does so.
    std: standard deviation of each dimension; 1 where `kind` does not
      standardise, infinite for a constant dimension, which thus becomes 0.
  """

  kind: str
  mean: np.ndarray
  std: np.ndarray

  def __call__(self, features: np.ndarray) -> np.ndarray:
    """Returns normalised features, float32 `[n, d]`."""
    features = lengths_one(np.asarray(features, np.float32), self.kind)
    if 'standardise' not in self.kind:
      return features
    mean, std = self.mean.astype(np.float32), self.std.astype(np.float32)
    return (features - mean[None]) / std[None]

  def centred(self, features: np.ndarray) -> np.ndarray:
    """Returns normalised and centred features for any kind, float32 `[n, d]`.

    A shift only changes the biases. A constant dimension is 0 here too: its
    weight is 0 at the optimum, since the bias does its work unpenalised.
    """
    features = lengths_one(np.asarray(features, np.float32), self.kind)
    mean, std = self.mean.astype(np.float32), self.std.astype(np.float32)
    return (features - mean[None]) / std[None]


def lengths_one(features: np.ndarray, kind: str) -> np.ndarray:
  """Scales rows to unit length if `kind` says so; zero rows stay as they are.

  Computed in float64, in which squares of float32 neither over- nor underflow.
  """
  if not kind.startswith('l2'):
    return features
  lengths = np.sqrt(np.sum(np.square(features, dtype=np.float64), axis=1))
  lengths = np.where(lengths > 0, lengths, 1)[:, None]
  return (features / lengths).astype(np.float32)


def measure_statistics(
  rows: Rows, kind: str = 'l2_standardise'
) -> Normalisation:
  """Computes the statistics of the training rows of all processes.

  Args:
    rows: training rows `[n, d]` of this process.
    kind: normalisation, a key of `KINDS`.

  Raises:
    UsageError: `kind` is unknown.
    DataError: features are not finite.
  """
  lookup.check_choice('normalisation', kind, KINDS)
  found = processes.gather_exact(
    np.stack([_part(rows, part, kind) for part in rows.local_parts()])
  )
  # In the order of the devices, whichever process has them.
  total = (0.0, np.zeros(1), np.zeros(1))
  for counts, means, sums, _, _ in found:
    if counts[0]:
      total = _merge(total, (float(counts[0]), means, sums))
  count, mean, squares = total
  std = np.sqrt(squares / count)
  constant = found[:, 3].min(axis=0) == found[:, 4].max(axis=0)
  constant |= std < _LEAST_STD
  scale = std if 'standardise' in kind else np.ones_like(std)
  return Normalisation(kind, mean, np.where(constant, np.inf, scale))


def _part(rows: Rows, part: slice, kind: str) -> np.ndarray:
  """Count, mean, squared distances, least and greatest; float64 `[5, d]`."""
  width = rows.shape[1]
  count, mean, squares = 0.0, np.zeros(width), np.zeros(width)
  low, high = np.full(width, np.inf), np.full(width, -np.inf)
  for _, block in rows.part_blocks(part):
    block = lengths_one(block, kind)
    count, mean, squares = _merge((count, mean, squares), _moments(block))
    low = np.minimum(low, block.min(axis=0))
    high = np.maximum(high, block.max(axis=0))
  return np.stack([np.full(width, count), mean, squares, low, high])


def _moments(block: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
  """Returns the number of rows, their mean and sum of squared deviations."""
  mean = np.asarray(np.mean(block, axis=0, dtype=np.float64))
  total = np.zeros_like(mean)
  for start in range(0, len(block), 1024):
    total += np.sum(np.square(block[start : start + 1024] - mean), axis=0)
  return float(len(block)), mean, total


def _merge(
  one: tuple[float, np.ndarray, np.ndarray],
  other: tuple[float, np.ndarray, np.ndarray],
) -> tuple[float, np.ndarray, np.ndarray]:
  """Returns the moments of the union of two sets of rows."""
  count = one[0] + other[0]
  apart = other[1] - one[1]
  share = other[0] / count
  squares = one[2] + other[2] + np.square(apart) * one[0] * share
  return count, one[1] + apart * share, squares
