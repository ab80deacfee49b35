"""Selection of dimensions of two joined representations (Sec. 4.6)."""

import hashlib
from collections.abc import Iterable

import numpy as np

from overlap.core import lookup

RANKINGS = {
  'correlation': 'ascending mean absolute correlation with all others',
  'variance': 'descending variance, before dimensions are standardised',
  'cholesky': 'pivoted Cholesky: the most residual variance first',
  'random': 'a random order, the control',
}
# Residual variance below this fraction of the largest is rounding.
_RESIDUE = 1e-10


def generator(*words: int | str) -> np.random.Generator:
  """Returns a random generator seeded by words and numbers."""
  text = '\n'.join(map(str, words)).encode()
  digest = hashlib.sha256(text).digest()
  return np.random.default_rng(np.frombuffer(digest, '<u4').tolist())


def share(
  width_1: int, width_2: int, percent: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
  """Draws dimensions of two models at inversely proportional rates.

  The draw has `percent` % of the first model's dimensions and `100 - percent` %
  of the second's, in total at most the first model's width (Sec. 4.6).

  Args:
    width_1: number of dimensions of the first model.
    width_2: number of dimensions of the second model.
    percent: percentage of the first model's dimensions, within [0, 100].
    random: generator of the draws, which are without replacement.

  Returns:
    Ascending int indices for the first and for the second model.
  """
  count_1 = round(width_1 * percent / 100)
  count_2 = min(round(width_2 * (100 - percent) / 100), width_1 - count_1)
  one = random.permutation(width_1)[:count_1]
  two = random.permutation(width_2)[:count_2]
  return np.sort(one), np.sort(two)


def covariance(blocks: Iterable[np.ndarray], width: int) -> np.ndarray:
  """Mean product of centred dimensions, float64 `[width, width]`.

  Args:
    blocks: consecutive blocks of centred rows, float32 `[some, width]`.
    width: number of dimensions.
  """
  total, count = np.zeros((width, width)), 0
  for block in blocks:
    total += block.T @ block
    count += len(block)
  return total / max(count, 1)


def order(
  ranking: str,
  matrix: np.ndarray,
  variances: np.ndarray,
  random: np.random.Generator,
) -> np.ndarray:
  """Returns all dimensions, ordered by their priority to be kept.

  Args:
    ranking: a key of `RANKINGS`.
    matrix: covariance of the normalised dimensions, `[width, width]`.
    variances: variances of the dimensions before standardisation, `[width]`.
    random: generator for the ranking 'random'.

  Returns:
    Indices, int `[width]`. Constant dimensions come last; ties are in ascending
    order.

  Raises:
    UsageError: the ranking is unknown.
  """
  lookup.check_choice('ranking of dimensions', ranking, RANKINGS)
  if ranking == 'random':
    return random.permutation(len(matrix))
  if ranking == 'cholesky':
    return pivots(matrix)
  constant = ~(matrix.diagonal() > 0)
  if ranking == 'variance':
    keys = -variances
  else:
    keys = mean_correlation(matrix)
  return np.argsort(np.where(constant, np.inf, keys), kind='stable')


def mean_correlation(matrix: np.ndarray) -> np.ndarray:
  """Mean absolute correlation of each dimension with all others.

  Args:
    matrix: covariance, `[width, width]`.

  Returns:
    Means, float64 `[width]`, over the dimensions that vary; NaN for a constant
    dimension, 0 if no other dimension varies.
  """
  spread = np.sqrt(matrix.diagonal())
  varies = spread > 0
  scale = np.where(varies, spread, np.inf)
  correlation = np.abs(matrix / scale[:, np.newaxis] / scale)
  others = max(int(varies.sum()) - 1, 1)
  mean = (correlation.sum(axis=1) - correlation.diagonal()) / others
  return np.where(varies, mean, np.nan)


def pivots(matrix: np.ndarray) -> np.ndarray:
  """Returns the pivot order of the pivoted Cholesky decomposition.

  Each pivot has the largest residual variance given the previous pivots; ties
  go to the first dimension. Dimensions without residual variance come last, in
  ascending order.

  Args:
    matrix: covariance, `[width, width]`.

  Returns:
    Indices, int `[width]`.
  """
  width = len(matrix)
  residual = matrix.diagonal().copy()
  floor = _RESIDUE * max(residual.max(initial=0), 0)
  factor = np.zeros((width, width))
  chosen: list[int] = []
  for step in range(width):
    left = np.where(np.isin(np.arange(width), chosen), -np.inf, residual)
    pivot = int(left.argmax())
    if not left[pivot] > floor:
      break
    column = matrix[:, pivot] - factor[:, :step] @ factor[pivot, :step]
    factor[:, step] = column / np.sqrt(left[pivot])
    residual = residual - factor[:, step] ** 2
    chosen.append(pivot)
  rest = np.setdiff1d(np.arange(width), chosen)
  return np.r_[np.array(chosen, np.int64), rest]
