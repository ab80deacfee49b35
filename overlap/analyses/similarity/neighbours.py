"""Whether two models find the same examples near each other.

The agreement is the share of an example's k nearest neighbours that it has in
both representations, in the mean over examples ("mutual nearest neighbours").
By chance it is k / (examples - 1).
"""

import numpy as np


def nearest(features: np.ndarray, k: int) -> np.ndarray | None:
  """Which examples are the k nearest of each by the cosine of their features.

  Of equally near ones the first are taken. A vector of zeros has cosine 0
  with all.

  Args:
    features: float32 `[examples, dimensions]`.
    k: how many.

  Returns:
    Bits, uint8 `[examples, examples / 8]`, rounded up, k of them set in each
    row; None where there are hardly more examples than neighbours (fewer than
    k + 2), so that all would agree.
  """
  if k < 1 or len(features) < k + 2:
    return None
  lengths = np.linalg.norm(features, axis=1, keepdims=True)
  directions = features / np.where(lengths > 0, lengths, 1)
  found = np.empty((len(features), -(-len(features) // 8)), np.uint8)
  for start in range(0, len(features), _ROWS):
    cosines = directions[start : start + _ROWS] @ directions.T
    index = np.arange(len(cosines))
    cosines[index, index + start] = -np.inf  # Nobody is its own neighbour.
    found[start : start + _ROWS] = np.packbits(_largest(cosines, k), axis=1)
  return found


_ROWS = 1024


def _largest(values: np.ndarray, k: int) -> np.ndarray:
  """The k largest of each row, of equal ones the first: bool."""
  least = np.partition(values, -k, axis=1)[:, -k, np.newaxis]
  above, equal = values > least, values == least
  missing = k - above.sum(axis=1, keepdims=True)
  many = np.flatnonzero(equal.sum(axis=1) > missing[:, 0])
  equal[many] &= np.cumsum(equal[many], axis=1) <= missing[many]
  return above | equal


def agreement(one: np.ndarray | None, two: np.ndarray | None, k: int) -> float:
  """The share of neighbours in common; NaN where `nearest` gave None."""
  if one is None or two is None:
    return float('nan')
  return float(np.bitwise_count(one & two).sum(dtype=np.int64) / (len(one) * k))
