"""Calibration error with a data-dependent number of bins (ECE-sweep)."""

import numpy as np

# A decrease of a bin's accuracy by no more than this is rounding.
_SLACK = 1e-9


def ece_sweep(
  confidence: np.ndarray,
  correct: np.ndarray,
  *,
  norm: float = 1,
  max_bins: int = 10_000,
) -> float:
  """ECE-sweep of Roelofs et al. 2020 (algorithm 1), with equal-mass bins.

  The number of bins is increased by one while the accuracies of the bins
  increase with their confidence, `acc_1 <= acc_2 <= ...`. With the last number
  before the first decrease, the error is

    (sum_k n_k / n |acc_k - conf_k|^norm)^(1 / norm).

  The order of examples with equal confidence is undefined; the reference leaves
  it to the sort. Here each of them has the mean correctness of its tie group,
  as if averaged over their orders, so the result does not depend on the order
  of the rows.

  Args:
    confidence: probability of the predicted class, `[examples]`; NaN is
      ignored.
    correct: correctness, bool `[examples]`.
    norm: 1 for the mean absolute gap, 2 for the root mean square.
    max_bins: largest number of bins while accuracies still increase. If every
      correct example is more confident than every wrong one, they always
      increase, and the number of bins is that of the examples.

  Returns:
    The error, in [0, 1]; NaN without examples.
  """
  confidence = np.asarray(confidence, np.float64)
  usable = ~np.isnan(confidence)
  confidence = confidence[usable]
  if not len(confidence):
    return float('nan')
  order = np.argsort(confidence, kind='stable')
  confidence = confidence[order]
  right = _mean_of_ties(confidence, np.asarray(correct)[usable][order])
  bins = _sweep(right, max_bins)
  edges = _edges(len(right), bins)
  sizes = np.diff(edges)
  gaps = np.abs(_sums(right, edges) - _sums(confidence, edges)) / sizes
  return float(np.average(gaps**norm, weights=sizes) ** (1 / norm))


def _mean_of_ties(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
  """Replaces each example's correctness by the mean of its tie group."""
  starts = np.flatnonzero(np.r_[True, np.diff(confidence) > 0])
  sizes = np.diff(np.r_[starts, len(confidence)])
  means = np.add.reduceat(correct.astype(np.float64), starts) / sizes
  return np.repeat(means, sizes)


def _sweep(right: np.ndarray, max_bins: int) -> int:
  """Largest number of bins before the first decrease of an accuracy."""
  if (np.diff(right) >= 0).all():
    return len(right)
  cumulative = np.r_[0.0, np.cumsum(right)]
  bins = 1
  while bins < min(len(right), max_bins):
    edges = _edges(len(right), bins + 1)
    accuracies = np.diff(cumulative[edges]) / np.diff(edges)
    if (np.diff(accuracies) < -_SLACK).any():
      break
    bins += 1
  return bins


def _edges(total: int, bins: int) -> np.ndarray:
  """Returns the edges of bins of nearly equal size, `[bins + 1]`.

  Example `i` in sorted order is in bin `floor(i * bins / total)`.
  """
  return -(-np.arange(bins + 1) * total // bins)


def _sums(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
  return np.add.reduceat(values, edges[:-1])
