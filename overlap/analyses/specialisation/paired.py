"""Intervals and corrections for two models on the same examples."""

import numpy as np
from scipy import special


def difference(
  only_1: np.ndarray,
  only_2: np.ndarray,
  total: np.ndarray,
  *,
  confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Accuracy of model 1 minus that of model 2, with a paired interval.

  The interval is Wald's after adding one example to each of `only_1` and
  `only_2` (Bonett and Price 2012); its coverage is good for few examples and if
  both counts are 0.

  Args:
    only_1: number of examples that only model 1 gets right, of any shape.
    only_2: number of examples that only model 2 gets right.
    total: number of examples.
    confidence: level of the interval.

  Returns:
    The difference, and its bounds within [-1, 1]; NaN without examples.
  """
  first, second = np.asarray(only_1, float), np.asarray(only_2, float)
  total = np.where(np.equal(total, 0), np.nan, np.asarray(total, np.float64))
  share_1, share_2 = (first + 1) / (total + 2), (second + 1) / (total + 2)
  centre = share_1 - share_2
  variance = (share_1 + share_2 - centre**2) / (total + 2)
  reach = special.ndtri((1 + confidence) / 2) * np.sqrt(variance)
  return (
    (first - second) / total,
    np.maximum(centre - reach, -1.0),
    np.minimum(centre + reach, 1.0),
  )


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
  """Returns q-values: p-values adjusted for the false discovery rate.

  Args:
    p_values: p-values `[tests]`; NaN is excluded from the tests and stays NaN.

  Returns:
    q-values `[tests]`: the i-th smallest of m p-values times `m / i`, at most
    the q-values of larger ones (Benjamini and Hochberg 1995).
  """
  p_values = np.asarray(p_values, np.float64)
  order = np.argsort(p_values, kind='stable')
  order = order[~np.isnan(p_values[order])]
  number = len(order)
  scaled = p_values[order] * number / np.arange(1, number + 1)
  adjusted = np.full(len(p_values), np.nan)
  adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
  return np.minimum(adjusted, 1.0)


def mean(
  values: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
  """Mean over examples with Student's t interval.

  Args:
    values: values `[examples]`; NaN is ignored.
    confidence: level of the interval.

  Returns:
    The mean, NaN without values, and its bounds, NaN for fewer than two.
  """
  centre, error, degrees = _mean_and_error(values)
  reach = float(special.stdtrit(degrees, (1 + confidence) / 2) * error)
  return centre, centre - reach, centre + reach


def separation(
  first: np.ndarray, second: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
  """Difference of the means of two groups with Welch's t interval.

  Args:
    first: values `[examples]`; NaN is ignored.
    second: values `[other examples]`; NaN is ignored.
    confidence: level of the interval.

  Returns:
    The mean of the first minus that of the second, and its bounds. NaN if a
    group has no values; the bounds are NaN if one has fewer than two.
  """
  mean_1, error_1, degrees_1 = _mean_and_error(first)
  mean_2, error_2, degrees_2 = _mean_and_error(second)
  centre, squares = mean_1 - mean_2, error_1**2 + error_2**2
  if not squares > 0:  # No variance, or too few values for one.
    return centre, centre + 0 * squares, centre + 0 * squares
  degrees = squares**2 / (error_1**4 / degrees_1 + error_2**4 / degrees_2)
  tail = special.stdtrit(degrees, (1 + confidence) / 2)
  reach = float(tail * np.sqrt(squares))
  return centre, centre - reach, centre + reach


def _mean_and_error(values: np.ndarray) -> tuple[float, float, int]:
  """Returns the mean, its standard error, and its degrees of freedom."""
  values = np.asarray(values, np.float64)
  values = values[~np.isnan(values)]
  centre = float(values.mean()) if len(values) else float('nan')
  if len(values) < 2:
    return centre, float('nan'), 1
  error = float(values.std(ddof=1) / np.sqrt(len(values)))
  return centre, error, len(values) - 1
