"""Agreement of two models' nearest neighbours.

The agreement is the fraction of an example's k nearest neighbours that are the
same in both representations, averaged over the examples ("mutual nearest
neighbours"). Its expected value by chance is k / (examples - 1).
"""

import numpy as np


def nearest(features: np.ndarray, k: int) -> np.ndarray | None:
  """Finds each example's k nearest neighbours by cosine similarity.

  Ties go to the first examples. A zero vector has cosine 0 with all others.

  Args:
    features: float32 `[examples, dimensions]`.
    k: number of neighbours.

  Returns:
    A bit mask, uint8 `[examples, examples / 8]`, rounded up, with k bits set in
    each row; None for fewer than k + 2 examples, where all neighbours would
    agree.
  """
  if k < 1 or len(features) < k + 2:
    return None
  lengths = np.linalg.norm(features, axis=1, keepdims=True)
  directions = features / np.where(lengths > 0, lengths, 1)
  found = np.empty((len(features), -(-len(features) // 8)), np.uint8)
  for start in range(0, len(features), _ROWS):
    cosines = directions[start : start + _ROWS] @ directions.T
    index = np.arange(len(cosines))
    cosines[index, index + start] = -np.inf  # Exclude the example itself.
    found[start : start + _ROWS] = np.packbits(_largest(cosines, k), axis=1)
  return found


_ROWS = 1024


def _largest(values: np.ndarray, k: int) -> np.ndarray:
  """Returns a mask of the k largest per row; ties go to the first."""
  least = np.partition(values, -k, axis=1)[:, -k, np.newaxis]
  above, equal = values > least, values == least
  missing = k - above.sum(axis=1, keepdims=True)
  many = np.flatnonzero(equal.sum(axis=1) > missing[:, 0])
  equal[many] &= np.cumsum(equal[many], axis=1) <= missing[many]
  return above | equal


def agreement(one: np.ndarray | None, two: np.ndarray | None, k: int) -> float:
  """Fraction of neighbours in common; NaN if either argument is None."""
  if one is None or two is None:
    return float('nan')
  return float(np.bitwise_count(one & two).sum(dtype=np.int64) / (len(one) * k))
