"""Intervals of a pair's measurements, at a cost that ignores the examples.

Resampling examples with replacement changes only how many fall in each cell
of the pair's joint table. These counts are multinomial, so they are drawn as
such: the same distribution, whether there are a thousand examples or a
million.
"""

import hashlib
from typing import NamedTuple

import numpy as np

from overlap.analyses import errors

STATISTICS = ('error_inconsistency', 'kappa', 'gain', 'conversion_rate')


class Table(NamedTuple):
  """A pair's joint table: counts by which model is right.

  Attributes:
    total: both, only 1, only 2, neither: int `[4]`.
    right: how many of each the ensemble gets right, int `[4]`, or None.
  """

  total: np.ndarray
  right: np.ndarray | None


def measurements(
  total: np.ndarray, right: np.ndarray | None
) -> dict[str, np.ndarray]:
  """The `STATISTICS` of joint tables.

  Args:
    total: `[..., 4]`, as in `Table`.
    right: `[..., 4]`, or None: then gain and conversion rate are NaN.

  Returns:
    Each of `STATISTICS` as float64 `[...]`; NaN where it is not defined:
    kappa where both models are all right or all wrong, the conversion rate
    where they are never inconsistent, everything without examples.
  """
  counts = errors.PairCounts(*np.moveaxis(np.asarray(total), -1, 0))
  result = {
    'error_inconsistency': errors.error_inconsistency(counts),
    'kappa': errors.kappa(counts),
  }
  if right is None:
    nothing = np.full(counts.total.shape, np.nan)
    return result | {'gain': nothing, 'conversion_rate': nothing}
  right = np.asarray(right)
  mean = sum(errors.accuracies(counts)) / 2
  inconsistent = counts.only_1 + counts.only_2
  return result | {
    'gain': errors.fraction(right.sum(axis=-1), counts.total) - mean,
    'conversion_rate': errors.fraction(
      right[..., 1] + right[..., 2], inconsistent
    ),
  }


def resample(
  table: Table, *, resamples: int, name_1: str, name_2: str, seed: int
) -> Table:
  """Draws joint tables of as many examples, with replacement.

  The generator is keyed by the seed and the two names in alphabetical order,
  and so are the cells: a pair's draws depend neither on the other models nor
  on which model comes first.

  Args:
    table: the pair's.
    resamples: how many to draw.
    name_1: the first model's name.
    name_2: the second model's.
    seed: of the draws.

  Returns:
    `Table` of `[resamples, 4]` arrays. The totals are the same whether or not
    the table has `right`.
  """
  order = [0, 2, 1, 3] if name_1 > name_2 else [0, 1, 2, 3]
  total = np.asarray(table.total)[order]
  generator = np.random.default_rng(_key(seed, *sorted((name_1, name_2))))
  draws = generator.multinomial(
    total.sum(), _shares(total, total.sum()), size=resamples
  )
  right = None
  if table.right is not None:
    shares = _shares(np.asarray(table.right)[order], total)
    right = generator.binomial(draws, shares)[:, order]
  return Table(draws[:, order], right)


def intervals(
  table: Table,
  *,
  name_1: str,
  name_2: str,
  resamples: int = 1000,
  seed: int = 0,
  confidence: float = 0.95,
) -> dict[str, tuple[float, float]]:
  """Percentile intervals of a pair's `STATISTICS`.

  Draws for which a statistic is not defined (see `measurements`) are left out
  of its percentiles. Where the pair's own is not, no draw's is, and the bounds
  are NaN.

  Args:
    table: the pair's joint table.
    name_1: the first model's name.
    name_2: the second model's.
    resamples: how many tables to draw; without any, all bounds are NaN.
    seed: of the draws.
    confidence: the interval's level.

  Returns:
    Lower and upper bound of each of `STATISTICS`.
  """
  drawn = resample(
    table, resamples=resamples, name_1=name_1, name_2=name_2, seed=seed
  )
  return {
    name: _percentiles(values, confidence)
    for name, values in measurements(*drawn).items()
  }


def _percentiles(values: np.ndarray, confidence: float) -> tuple[float, float]:
  values = values[np.isfinite(values)]
  if not len(values):
    return float('nan'), float('nan')
  tail = (1 - confidence) / 2
  lower, upper = np.quantile(values, [tail, 1 - tail])
  return float(lower), float(upper)


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
  """`part / whole`; what is left of an empty whole is of no account: 0."""
  return part / np.maximum(whole, 1)


def _key(seed: int, name_1: str, name_2: str) -> list[int]:
  text = f'{len(name_1)}:{name_1}{name_2}'.encode()
  digest = hashlib.sha256(text).digest()
  return [seed, *np.frombuffer(digest[:16], '<u4').tolist()]
