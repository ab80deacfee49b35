"""Which dimensions of two joined representations are kept (Sec. 4.6)."""

import hashlib
from collections.abc import Iterable

import numpy as np

from overlap import lookup

RANKINGS = {
  'correlation': 'ascending mean absolute correlation with all others',
  'variance': 'descending variance, before dimensions are standardised',
  'cholesky': 'pivoted Cholesky: the most residual variance first',
  'random': 'a random order, the control',
}
# Residual variance below this part of the largest is rounding.
_RESIDUE = 1e-10


def generator(*words: int | str) -> np.random.Generator:
  """Random numbers that depend on words and numbers alone."""
  text = '\n'.join(map(str, words)).encode()
  digest = hashlib.sha256(text).digest()
  return np.random.default_rng(np.frombuffer(digest, '<u4').tolist())


def share(
  width_1: int, width_2: int, percent: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
  """Random dimensions of two models at inversely proportional rates.

  `percent` of the first model's and `100 - percent` of the second's, of which
  no more than fit: together at most the first model's width (Sec. 4.6).

  Args:
    width_1: dimensions of the first model.
    width_2: of the second.
    percent: within [0, 100].
    random: draws them, without replacement.

  Returns:
    Ascending int indices of the first model's and of the second's.
  """
  count_1 = round(width_1 * percent / 100)
  count_2 = min(round(width_2 * (100 - percent) / 100), width_1 - count_1)
  one = random.permutation(width_1)[:count_1]
  two = random.permutation(width_2)[:count_2]
  return np.sort(one), np.sort(two)


def covariance(blocks: Iterable[np.ndarray], width: int) -> np.ndarray:
  """The mean product of centred dimensions, float64 `[width, width]`.

  Args:
    blocks: float32 `[some, width]`, centred, one after the other.
    width: dimensions.
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
  """All dimensions, those to keep first in front.

  Args:
    ranking: a key of `RANKINGS`.
    matrix: covariance of the normalised dimensions, `[width, width]`.
    variances: of the dimensions before they were standardised, `[width]`.
    random: of the ranking 'random'.

  Returns:
    int `[width]`. Constant dimensions come last, equal ones by their place.

  Raises:
    UsageError: no such ranking.
  """
  lookup.check('ranking of dimensions', ranking, RANKINGS)
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
    float64 `[width]`, NaN for a constant dimension; the others do not count
    those. 0 where there is no other.
  """
  spread = np.sqrt(matrix.diagonal())
  varies = spread > 0
  scale = np.where(varies, spread, np.inf)
  correlation = np.abs(matrix / scale[:, np.newaxis] / scale)
  others = max(int(varies.sum()) - 1, 1)
  mean = (correlation.sum(axis=1) - correlation.diagonal()) / others
  return np.where(varies, mean, np.nan)


def pivots(matrix: np.ndarray) -> np.ndarray:
  """The order in which pivoted Cholesky takes dimensions.

  Each time the one with the most variance that those before it leave
  unexplained; the first of equal ones. Those that are wholly explained come
  last, by their place.

  Args:
    matrix: covariance, `[width, width]`.

  Returns:
    int `[width]`.
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
