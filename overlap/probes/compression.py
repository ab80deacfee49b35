"""Dimensions ranked by how much each adds (Sec. 4.6, Fig. 6 right).

Both representations stand beside each other, normalised. One covariance matrix
of all their dimensions, taken once on the training split, gives every ranking,
of which the top k are kept for every k.
"""

from collections.abc import Sequence

import numpy as np

from overlap import errors, lookup

RANKINGS = {
  'correlation': 'ascending mean absolute correlation with all others',
  'variance': 'descending variance of the normalised dimension',
  'cholesky': 'descending variance that is left once those before are known',
  'random': 'the control',
}


def covariance(features: np.ndarray) -> np.ndarray:
  """Of the columns of `[n, d]`: float64 `[d, d]`.

  Raises:
    DataError: features are not `[n, d]`, or none, or not finite.
  """
  features = np.asarray(features, np.float64)
  if features.ndim != 2 or 0 in features.shape:
    raise errors.DataError(
      f'Features must be [n, d], neither 0, got {list(features.shape)}.'
    )
  if not np.isfinite(features).all():
    raise errors.DataError('Features must be finite, got NaN or infinity.')
  centred = features - features.mean(axis=0)
  # Exactly 0 where nothing varies, whatever the mean was rounded to.
  centred[:, np.ptp(features, axis=0) == 0] = 0
  return centred.T @ centred / len(features)


def rank(matrix: np.ndarray, ranking: str, seed: int = 0) -> np.ndarray:
  """All dimensions, those to keep first; of equal ones the lower index.

  A dimension that does not vary comes last in every ranking but the random.

  Args:
    matrix: `[d, d]`, their covariance.
    ranking: a key of `RANKINGS`.
    seed: of 'random'.

  Raises:
    DataError: the matrix is not square or not finite.
    UsageError: there is no such ranking.
  """
  lookup.check('ranking', ranking, RANKINGS)
  matrix = np.asarray(matrix, np.float64)
  if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
    raise errors.DataError(
      f'A covariance must be [d, d], got {list(matrix.shape)}.'
    )
  if not np.isfinite(matrix).all():
    raise errors.DataError('A covariance must be finite, got NaN or infinity.')
  if ranking == 'random':
    return np.random.default_rng(seed).permutation(len(matrix))
  if ranking == 'cholesky':
    return _cholesky(matrix)
  variances = np.diag(matrix)
  if ranking == 'variance':
    return np.argsort(-variances, kind='stable')
  return np.argsort(mean_correlations(matrix), kind='stable')


def mean_correlations(matrix: np.ndarray) -> np.ndarray:
  """Mean absolute correlation of each with all others that vary: `[d]`.

  0 for the only one that varies, infinite for one that does not.
  """
  variances = np.diag(matrix)
  varies = variances > 0
  scale = np.where(varies, 1 / np.sqrt(np.where(varies, variances, 1)), 0)
  correlations = np.abs(matrix * scale[:, None] * scale[None])
  others = max(int(varies.sum()) - 1, 1)
  means = (correlations.sum(axis=0) - np.diag(correlations)) / others
  return np.where(varies, means, np.inf)


def _cholesky(matrix: np.ndarray) -> np.ndarray:
  """Pivots of the covariance's Cholesky factor, then what nothing is left of.

  Column by column, with the residual variances alone: d^2 k for k pivots.
  """
  size = len(matrix)
  left = np.diag(matrix).copy()
  # Below this, what is left is rounding.
  least = size * np.finfo(np.float64).eps * max(float(left.max()), 0.0)
  factor = np.zeros((size, size))
  order: list[int] = []
  free = np.ones(size, bool)
  for step in range(size):
    pivot = int(np.argmax(np.where(free, left, -np.inf)))
    if left[pivot] <= least:
      break
    column = matrix[:, pivot] - factor[:, :step] @ factor[pivot, :step]
    factor[:, step] = column / np.sqrt(left[pivot])
    left = left - np.square(factor[:, step])
    order.append(pivot)
    free[pivot] = False
  rest = np.flatnonzero(free)
  variances = np.diag(matrix)[rest]
  return np.array([*order, *rest[np.argsort(-variances, kind='stable')]], int)


def smallest(
  sizes: Sequence[int], accuracies: Sequence[float], target: float
) -> int | None:
  """The smallest k that reaches a target accuracy; None where none does.

  Args:
    sizes: the k that were tried, in any order.
    accuracies: of each.
    target: a fraction.

  Raises:
    DataError: not one accuracy for each size.
  """
  if len(sizes) != len(accuracies):
    raise errors.DataError(
      f'Each of {len(sizes)} sizes must have one accuracy, got '
      f'{len(accuracies)}.'
    )
  reached = [k for k, a in zip(sizes, accuracies) if a >= target]
  return min(reached, default=None)
