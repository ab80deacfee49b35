"""Intervals, tests and correlations; see `bootstrap` for pairs of models."""

from collections.abc import Callable

import numpy as np
from scipy import special
from scipy import stats as scipy_stats


def wilson(
  successes: np.ndarray, total: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
  """The score interval of a proportion (Wilson 1927).

  Args:
    successes: counts, of any shape.
    total: the number of trials, of the same shape or one number.
    confidence: the interval's level, e.g. 0.95.

  Returns:
    Lower and upper bounds, float64 in [0, 1]; NaN without trials.
  """
  successes = np.asarray(successes, np.float64)
  total = np.where(np.equal(total, 0), np.nan, np.asarray(total, np.float64))
  z = special.ndtri((1 + confidence) / 2)
  share = successes / total
  centre = share + z**2 / (2 * total)
  spread = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
  scale = 1 + z**2 / total
  lower, upper = (centre - spread) / scale, (centre + spread) / scale
  # At the ends the bounds are 0 and 1, up to rounding.
  return (
    np.where(share == 0, 0.0, np.maximum(lower, 0.0)),
    np.where(share == 1, 1.0, np.minimum(upper, 1.0)),
  )


def clopper_pearson(
  successes: np.ndarray, total: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
  """The exact interval of a proportion (Clopper and Pearson 1934).

  It covers at least as often as it says for every share and every number of
  trials, and mostly more often; Wilson's covers as often as it says on average.

  Args:
    successes: counts, of any shape.
    total: the number of trials, of the same shape or one number.
    confidence: the interval's level.

  Returns:
    Lower and upper bounds, float64 in [0, 1]; NaN without trials.
  """
  successes = np.asarray(successes, np.float64)
  total = np.where(np.equal(total, 0), np.nan, np.asarray(total, np.float64))
  failures, tail = total - successes, (1 - confidence) / 2
  lower = special.betaincinv(np.maximum(successes, 1), failures + 1, tail)
  upper = special.betaincinv(successes + 1, np.maximum(failures, 1), 1 - tail)
  return (
    np.where(successes == 0, 0 * total, lower),
    np.where(failures == 0, 1 + 0 * total, upper),
  )


PROPORTION_INTERVALS = {'wilson': wilson, 'exact': clopper_pearson}


def mcnemar(only_1: np.ndarray, only_2: np.ndarray) -> np.ndarray:
  """The exact paired test that two models are equally accurate.

  Args:
    only_1: counts of examples that only model 1 gets right, of any shape.
    only_2: of those that only model 2 gets right.

  Returns:
    The two-sided binomial p-value, `min(1, 2 P(X <= min(only_1, only_2)))`
    with X ~ Binomial(only_1 + only_2, 1/2); 1 where both counts are 0.
  """
  fewer = np.minimum(only_1, only_2)
  return np.minimum(
    1.0, 2 * scipy_stats.binom.cdf(fewer, np.add(only_1, only_2), 0.5)
  )


def holm(p_values: np.ndarray) -> np.ndarray:
  """p-values adjusted for their number (Holm 1979).

  Args:
    p_values: `[tests]`; those with NaN are no tests and stay NaN.

  Returns:
    `[tests]`: the i-th smallest of m times `m - i + 1`, at least that of the
    smaller ones, at most 1.
  """
  p_values = np.asarray(p_values, np.float64)
  order = np.argsort(p_values, kind='stable')
  order = order[~np.isnan(p_values[order])]
  scaled = p_values[order] * np.arange(len(order), 0, -1)
  adjusted = np.full(len(p_values), np.nan)
  adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
  return adjusted


def pearson(x: np.ndarray, y: np.ndarray) -> float:
  """Pearson's correlation; NaN for fewer than two points or constant ones.

  Args:
    x: `[points]`.
    y: `[points]`.
  """
  x, y = _centred(x), _centred(y)
  scale = np.sqrt((x @ x) * (y @ y))
  return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else float('nan')


def spearman(x: np.ndarray, y: np.ndarray) -> float:
  """Spearman's rank correlation, of equal ones the mean rank; as `pearson`.

  Args:
    x: `[points]`.
    y: `[points]`.
  """
  return pearson(scipy_stats.rankdata(x), scipy_stats.rankdata(y))


def slope(x: np.ndarray, y: np.ndarray) -> float:
  """The slope of the least-squares line of `y` on `x`; NaN if x is constant.

  Args:
    x: `[points]`.
    y: `[points]`.
  """
  x, y = _centred(x), _centred(y)
  scale = x @ x
  return float(x @ y / scale) if scale > 0 else float('nan')


def _centred(values: np.ndarray) -> np.ndarray:
  values = np.asarray(values, np.float64)
  # The mean of equal numbers need not be that number.
  if not len(values) or np.ptp(values) == 0:
    return np.zeros(len(values))
  return values - values.mean()


def jackknife(
  statistic: Callable[[np.ndarray], float],
  members: np.ndarray,
  *,
  confidence: float = 0.95,
) -> tuple[float, float, float]:
  """A statistic over pairs, with an interval that leaves out models.

  Pairs that share a model are not independent, so models are left out one by
  one, each with all of its pairs (Efron 1982); the interval is Student's, with
  one degree of freedom less than there are models.

  Args:
    statistic: from a mask bool `[pairs]` of the pairs to keep, to a number.
    members: int `[pairs, models of a pair]`, the models that vary, by index;
      `[pairs, 1]` for pairs with the base, which is in all of them.
    confidence: the interval's level.

  Returns:
    The statistic over all pairs, and the bounds. These are NaN where the
    statistic is not finite over all pairs or without one of the models, and
    for fewer than two models.
  """
  members = np.asarray(members)
  estimate = float(statistic(np.ones(len(members), bool)))
  units = np.unique(members)
  if len(units) < 2 or not np.isfinite(estimate):
    return estimate, float('nan'), float('nan')
  left = np.array(
    [statistic((members != unit).all(axis=1)) for unit in units], np.float64
  )
  if not np.isfinite(left).all():
    return estimate, float('nan'), float('nan')
  degrees = len(units) - 1
  error = np.sqrt(degrees / len(units) * ((left - left.mean()) ** 2).sum())
  reach = float(special.stdtrit(degrees, (1 + confidence) / 2) * error)
  return estimate, estimate - reach, estimate + reach


def jackknife_mean(
  values: np.ndarray, members: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
  """The mean over pairs and its bounds; see `jackknife`.

  Args:
    values: `[pairs]`; those with NaN are left out, models and all.
    members: `[pairs, models of a pair]`.
    confidence: the interval's level.
  """
  values = np.asarray(values, np.float64)
  known = ~np.isnan(values)
  values, members = values[known], np.asarray(members)[known]

  def mean(keep: np.ndarray) -> float:
    return float(values[keep].mean()) if keep.any() else float('nan')

  return jackknife(mean, members, confidence=confidence)


def jackknife_pearson(
  x: np.ndarray, y: np.ndarray, members: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
  """Pearson's correlation over pairs and its bounds; see `jackknife`.

  The jackknife is of Fisher's `atanh(r)`, so that the bounds stay within
  [-1, 1]; they are NaN where a correlation is -1 or 1.

  Args:
    x: `[pairs]`, without NaN, as `y`.
    y: `[pairs]`.
    members: `[pairs, models of a pair]`.
    confidence: the interval's level.
  """
  return _jackknife_fisher(pearson, x, y, members, confidence)


def jackknife_spearman(
  x: np.ndarray, y: np.ndarray, members: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
  """Spearman's correlation over pairs and its bounds: `jackknife_pearson`.

  Args:
    x: `[pairs]`, without NaN, as `y`.
    y: `[pairs]`.
    members: `[pairs, models of a pair]`.
    confidence: the interval's level.
  """
  return _jackknife_fisher(spearman, x, y, members, confidence)


def _jackknife_fisher(
  correlation: Callable[[np.ndarray, np.ndarray], float],
  x: np.ndarray,
  y: np.ndarray,
  members: np.ndarray,
  confidence: float,
) -> tuple[float, float, float]:
  x, y = np.asarray(x), np.asarray(y)

  def fisher(keep: np.ndarray) -> float:
    with np.errstate(divide='ignore'):
      return float(np.arctanh(correlation(x[keep], y[keep])))

  _, lower, upper = jackknife(fisher, members, confidence=confidence)
  return correlation(x, y), float(np.tanh(lower)), float(np.tanh(upper))


def jackknife_slope(
  x: np.ndarray, y: np.ndarray, members: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
  """The slope of `y` on `x` over pairs and its bounds; see `jackknife`.

  Args:
    x: `[pairs]`, without NaN, as `y`.
    y: `[pairs]`.
    members: `[pairs, models of a pair]`.
    confidence: the interval's level.
  """
  x, y = np.asarray(x), np.asarray(y)
  return jackknife(
    lambda keep: slope(x[keep], y[keep]), members, confidence=confidence
  )
