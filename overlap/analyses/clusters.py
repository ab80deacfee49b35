"""Bootstrap over models of statistics of pairs.

Pairs that share a model are not independent, so models are drawn with
replacement, each with all of its pairs. A pair's weight in a draw is the
product of the counts of its models (Snijders and Borgatti 1999; pairs of a
model with itself, which would have no error inconsistency, are left out). A
base that is in all pairs is not drawn. All draws of a statistic are one matrix
product.

Percentile intervals over few models are narrow: over k models, an interval of a
mean is shorter than the normal one by a factor of sqrt((k - 1) / k), and that
one is shorter than Student's. With fewer than about ten models, the jackknife
of `stats` is better.
"""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from overlap.analyses import bootstrap, stats

# Weights in memory at a time: 128 MB.
_HELD = 2**24
# Fraction of the variance that rounding leaves of constant values.
_ROUNDING = 1e-12

Found = tuple[float, float, float]


def mean(
  values: np.ndarray,
  members: np.ndarray,
  *,
  confidence: float = 0.95,
  resamples: int = 1000,
  seed: int = 0,
) -> Found:
  """Mean over pairs with its bounds.

  Args:
    values: values `[pairs]`; pairs with NaN are left out.
    members: models that vary, int `[pairs, models of a pair]`.
    confidence: level of the interval.
    resamples: number of draws of the models.
    seed: seed of the draws.

  Returns:
    The mean, NaN without pairs, and percentile bounds over the draws with a
    pair; the bounds are NaN for fewer than two models and without resamples.
  """
  values = np.asarray(values, np.float64)
  known = ~np.isnan(values)
  values, members = values[known], np.asarray(members)[known]
  if not len(values):
    return (float('nan'),) * 3
  draws = [
    _ratio(weights @ values, weights.sum(axis=1))
    for weights in _weights(members, resamples, seed)
  ]
  return float(values.mean()), *_bounds(draws, confidence)


def pearson(
  x: np.ndarray,
  y: np.ndarray,
  members: np.ndarray,
  *,
  confidence: float = 0.95,
  resamples: int = 1000,
  seed: int = 0,
) -> Found:
  """Pearson's correlation over pairs with its bounds.

  Args:
    x: values without NaN, `[pairs]`.
    y: values without NaN, `[pairs]`.
    members: models that vary, int `[pairs, models of a pair]`.
    confidence: level of the interval.
    resamples: number of draws of the models.
    seed: seed of the draws.

  Returns:
    The correlation and percentile bounds over the draws in which neither side
    is constant.
  """
  draws = [
    np.clip(_ratio(s_xy, np.sqrt(s_xx * s_yy)), -1, 1)
    for s_xx, s_xy, s_yy in _moments(x, y, members, resamples, seed)
  ]
  return stats.pearson(x, y), *_bounds(draws, confidence)


def slope(
  x: np.ndarray,
  y: np.ndarray,
  members: np.ndarray,
  *,
  confidence: float = 0.95,
  resamples: int = 1000,
  seed: int = 0,
) -> Found:
  """Least-squares slope of `y` on `x` with its bounds; see `pearson`."""
  draws = [
    _ratio(s_xy, s_xx)
    for s_xx, s_xy, _ in _moments(x, y, members, resamples, seed)
  ]
  return stats.slope(x, y), *_bounds(draws, confidence)


class Summaries(NamedTuple):
  """Interval methods for statistics over pairs.

  Each is a function of values (or two arrays of them) and members, with the
  keyword `confidence`, that returns the statistic and its bounds.
  """

  mean: Callable[..., Found]
  pearson: Callable[..., Found]
  slope: Callable[..., Found]


INTERVALS = {
  'jackknife': 'models are left out one by one; Student',
  'bootstrap': 'models are drawn with replacement; percentiles',
}


def summaries(kind: str, *, resamples: int, seed: int) -> Summaries:
  """Returns the interval methods of one of `INTERVALS`.

  Args:
    kind: a key of `INTERVALS`.
    resamples: number of draws of the bootstrap.
    seed: seed of the bootstrap.
  """
  if kind == 'jackknife':
    return Summaries(
      stats.jackknife_mean, stats.jackknife_pearson, stats.jackknife_slope
    )
  return Summaries(
    *(
      functools.partial(function, resamples=resamples, seed=seed)
      for function in (mean, pearson, slope)
    )
  )


def _weights(
  members: np.ndarray, resamples: int, seed: int
) -> Iterator[np.ndarray]:
  """Yields the weights of pairs in draws, float64 `[draws, pairs]`."""
  units, places = np.unique(members, return_inverse=True)
  places = places.reshape(np.shape(members))
  if len(units) < 2:
    return
  generator = np.random.default_rng(seed)
  drawn = generator.multinomial(
    len(units), np.full(len(units), 1 / len(units)), size=resamples
  ).astype(np.float64)
  step = max(1, _HELD // len(places))
  for start in range(0, resamples, step):
    yield np.prod(
      [drawn[start : start + step, column] for column in places.T], axis=0
    )


def _moments(
  x: np.ndarray, y: np.ndarray, members: np.ndarray, resamples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  """Yields variances of x, covariances, and variances of y, each `[draws]`.

  Variances are 0 if all drawn values are the same.
  """
  x, y = (np.asarray(side, np.float64) for side in (x, y))
  x, y = (side - side.mean() if len(side) else side for side in (x, y))
  columns = np.stack([x, y, x * x, x * y, y * y], axis=1)
  for weights in _weights(members, resamples, seed):
    total = weights.sum(axis=1)
    m_x, m_y, m_xx, m_xy, m_yy = _ratio(
      (weights @ columns).T, total[np.newaxis]
    )
    s_xx, s_yy = m_xx - m_x**2, m_yy - m_y**2
    s_xx[s_xx <= _ROUNDING * (x @ x) / len(x)] = 0
    s_yy[s_yy <= _ROUNDING * (y @ y) / len(y)] = 0
    yield s_xx, m_xy - m_x * m_y, s_yy


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
  return part / np.where(whole > 0, whole, np.nan)


def _bounds(draws: list[np.ndarray], confidence: float) -> tuple[float, float]:
  if not draws:
    return float('nan'), float('nan')
  lower, upper = bootstrap.percentiles(np.concatenate(draws), confidence)
  return float(lower), float(upper)
