"""Intervals, tests and correlations; see `bootstrap` for pairs of models."""

from collections.abc import Callable

import numpy as np
from scipy import special
from scipy import stats as scipy_stats


def wilson(
  successes: np.ndarray, total: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
  """Wilson score interval of a proportion (Wilson 1927).

  Args:
    successes: counts of any shape.
    total: number of trials, of the same shape or one number.
    confidence: level of the interval, e.g. 0.95.

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
  # Exact 0 and 1 in spite of rounding.
  return (
    np.where(share == 0, 0.0, np.maximum(lower, 0.0)),
    np.where(share == 1, 1.0, np.minimum(upper, 1.0)),
  )


def clopper_pearson(
  successes: np.ndarray, total: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
  """Exact interval of a proportion (Clopper and Pearson 1934).

  Its coverage is at least the level for every proportion and number of trials,
  and mostly above it; the coverage of Wilson's interval equals the level on
  average.

  Args:
    successes: counts of any shape.
    total: number of trials, of the same shape or one number.
    confidence: level of the interval.

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
  """Exact McNemar test of equal accuracies of two models.

  Args:
    only_1: number of examples that only model 1 gets right, of any shape.
    only_2: number of examples that only model 2 gets right.

  Returns:
    Two-sided binomial p-values, `min(1, 2 P(X <= min(only_1, only_2)))` with
    X ~ Binomial(only_1 + only_2, 1/2); 1 if both counts are 0.
  """
  fewer = np.minimum(only_1, only_2)
  return np.minimum(
    1.0, 2 * scipy_stats.binom.cdf(fewer, np.add(only_1, only_2), 0.5)
  )


def holm(p_values: np.ndarray) -> np.ndarray:
  """Adjusts p-values for multiple tests (Holm 1979).

  Args:
    p_values: p-values `[tests]`; NaN is excluded from the tests and stays NaN.

  Returns:
    Adjusted p-values `[tests]`: the i-th smallest of m p-values times
    `m - i + 1`, at least the adjusted smaller ones, at most 1.
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
    x: values `[points]`.
    y: values `[points]`.
  """
  x, y = _centred(x), _centred(y)
  scale = np.sqrt((x @ x) * (y @ y))
  return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else float('nan')


def spearman(x: np.ndarray, y: np.ndarray) -> float:
  """Spearman's rank correlation with mean ranks for ties; NaN as `pearson`.

  Args:
    x: values `[points]`.
    y: values `[points]`.
  """
  return pearson(scipy_stats.rankdata(x), scipy_stats.rankdata(y))


def slope(x: np.ndarray, y: np.ndarray) -> float:
  """Slope of the least-squares line of `y` on `x`; NaN if x is constant.

  Args:
    x: values `[points]`.
    y: values `[points]`.
  """
  x, y = _centred(x), _centred(y)
  scale = x @ x
  return float(x @ y / scale) if scale > 0 else float('nan')


def _centred(values: np.ndarray) -> np.ndarray:
  values = np.asarray(values, np.float64)
  # The mean of equal numbers may differ from them by rounding.
  if not len(values) or np.ptp(values) == 0:
    return np.zeros(len(values))
  return values - values.mean()


def jackknife(
  statistic: Callable[[np.ndarray], float],
  members: np.ndarray,
  *,
  confidence: float = 0.95,
) -> tuple[float, float, float]:
  """Statistic over pairs, with a jackknife interval over models.

  Pairs that share a model are not independent, so models are left out one at a
  time, each with all of its pairs (Efron 1982). The interval is Student's, with
  one degree of freedom less than the number of models.

  Args:
    statistic: function of a mask bool `[pairs]` of the pairs to keep, returning
      a number.
    members: indices of the models that vary, int `[pairs, models of a pair]`;
      `[pairs, 1]` for pairs with the base, which is in all of them.
    confidence: level of the interval.

  Returns:
    The statistic over all pairs, and the bounds. The bounds are NaN if the
    statistic is not finite over all pairs or without one of the models, and for
    fewer than two models.
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
  """Mean over pairs with its bounds; see `jackknife`.

  Args:
    values: values `[pairs]`; pairs with NaN are left out.
    members: models that vary, `[pairs, models of a pair]`.
    confidence: level of the interval.
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
  """Pearson's correlation over pairs with its bounds; see `jackknife`.

  The jackknife is applied to Fisher's `atanh(r)`, so that the bounds stay
  within [-1, 1]; they are NaN if a correlation is -1 or 1.

  Args:
    x: values without NaN, `[pairs]`.
    y: values without NaN, `[pairs]`.
    members: models that vary, `[pairs, models of a pair]`.
    confidence: level of the interval.
  """
  return _jackknife_fisher(pearson, x, y, members, confidence)


def jackknife_spearman(
  x: np.ndarray, y: np.ndarray, members: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
  """Spearman's correlation over pairs with its bounds: `jackknife_pearson`.

  Args:
    x: values without NaN, `[pairs]`.
    y: values without NaN, `[pairs]`.
    members: models that vary, `[pairs, models of a pair]`.
    confidence: level of the interval.
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
  """Slope of `y` on `x` over pairs with its bounds; see `jackknife`.

  Args:
    x: values without NaN, `[pairs]`.
    y: values without NaN, `[pairs]`.
    members: models that vary, `[pairs, models of a pair]`.
    confidence: level of the interval.
  """
  x, y = np.asarray(x), np.asarray(y)
  return jackknife(
    lambda keep: slope(x[keep], y[keep]), members, confidence=confidence
  )
