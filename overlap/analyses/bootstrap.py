"""Bootstrap intervals of pairs, at a cost independent of the sample size.

Resampling examples with replacement changes only the counts in the cells of a
pair's joint table. These counts are multinomial, so they are drawn directly:
the distribution is the same, for a thousand examples or a million.

With few inconsistent examples, plain resampling underestimates the variation:
the error inconsistency of two models that never differ would be exactly 0, and
with two inconsistent examples in 200, the coverage of 95 % intervals of the
gain is two thirds. So half an example is added to each of the two inconsistent
cells, half of it right, before drawing the original number of examples. In
simulations (tests/analyses/test_coverage.py) the coverage of 95 % intervals is
then 93 to 97 %; with fewer than ten inconsistent examples it is at least 88 %
(for the gain of pairs whose ensemble may also convert or lose others), and
mostly above 95 %. With hundreds of inconsistent examples, the effect of half an
example is negligible.

Each pair has its own draws, which is right for its own intervals. A number
computed from several pairs over the same examples needs shared resamples: see
`shared`.
"""

import concurrent.futures
import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses import correctness, draws
from overlap.core import progress

STATISTICS = ('error_inconsistency', 'kappa', 'gain', 'conversion_rate')
# Statistics that are undefined for a pair without an ensemble.
OF_ENSEMBLE = ('gain', 'conversion_rate')
# Examples added to each inconsistent cell.
SMOOTHING = 0.5
# Draws of one cell that a worker holds in memory at a time.
_HELD = 2**16


class Table(NamedTuple):
  """Joint tables of pairs: counts by the correctness of the two models.

  Attributes:
    total: counts of both, only 1, only 2, neither, int `[..., 4]`.
    right: counts of each that the ensemble gets right, int `[..., 4]`, or None.
  """

  total: np.ndarray
  right: np.ndarray | None


def measurements(
  total: np.ndarray, right: np.ndarray | None
) -> dict[str, np.ndarray]:
  """Computes the `STATISTICS` of joint tables.

  Args:
    total: counts `[..., 4]`, as in `Table`.
    right: counts `[..., 4]`, or None, for which gain and conversion rate are
      NaN.

  Returns:
    Each of `STATISTICS` as float64 `[...]`; NaN where undefined: kappa if both
    models are all right or all wrong, the conversion rate if they are never
    inconsistent, everything without examples.
  """
  counts = correctness.PairCounts(*np.moveaxis(np.asarray(total), -1, 0))
  result = {
    'error_inconsistency': correctness.error_inconsistency(counts),
    'kappa': correctness.kappa(counts),
  }
  if right is None:
    nothing = np.full(counts.total.shape, np.nan)
    return result | {'gain': nothing, 'conversion_rate': nothing}
  right = np.asarray(right)
  mean = sum(correctness.accuracies(counts)) / 2
  inconsistent = counts.only_1 + counts.only_2
  return result | {
    'gain': correctness.fraction(right.sum(axis=-1), counts.total) - mean,
    'conversion_rate': correctness.fraction(
      right[..., 1] + right[..., 2], inconsistent
    ),
  }


def resample(
  table: Table,
  *,
  resamples: int,
  names: Sequence[tuple[str, str]],
  seed: int,
  smoothing: float = SMOOTHING,
) -> Table:
  """Draws joint tables of the same number of examples, with replacement.

  Each pair's generator is keyed by the seed and the two names in alphabetical
  order, and the cells are in that order. A pair's draws therefore depend
  neither on other models nor on the order of the two, and totals do not depend
  on `right`.

  Args:
    table: tables of the pairs, `[pairs, 4]`.
    resamples: number of draws.
    names: names of the two models of each pair.
    seed: seed of the draws.
    smoothing: examples added to each inconsistent cell, half of them right,
      before drawing; 0 is plain resampling.

  Returns:
    `Table` of int64 `[pairs, resamples, 4]`.
  """
  order = np.array([_CELLS[one > two] for one, two in names]).reshape(-1, 4)
  total = np.take_along_axis(np.asarray(table.total, np.float64), order, 1)
  examples = total.sum(axis=1).astype(np.int64)
  right = np.zeros_like(total)
  if table.right is not None:
    right = np.take_along_axis(np.asarray(table.right, np.float64), order, 1)
  total[:, 1:3] += smoothing
  right[:, 1:3] += smoothing / 2
  keys = np.array([_key(seed, *sorted(pair)) for pair in names], np.uint64)
  drawn = np.empty((8, len(total), resamples), np.int64)
  draws.tables(keys.reshape(-1, 4), examples, total, right, drawn)
  swapped = order[:, 1] == 2
  for cell in (1, 5):
    drawn[cell : cell + 2, swapped] = drawn[cell : cell + 2, swapped][::-1]
  cells = np.moveaxis(drawn, 0, -1)
  return Table(cells[..., :4], None if table.right is None else cells[..., 4:])


def intervals(
  table: Table,
  *,
  names: Sequence[tuple[str, str]],
  resamples: int = 1000,
  seed: int = 0,
  confidence: float = 0.95,
) -> dict[str, np.ndarray]:
  """Percentile intervals of the `STATISTICS` of pairs.

  Draws for which a statistic is undefined (see `measurements`) are left out of
  its percentiles. If the pair's own statistic is undefined, the bounds are NaN.

  Args:
    table: tables of the pairs, `[pairs, 4]`.
    names: names of the two models of each pair.
    resamples: number of draws per pair; 0 for NaN bounds.
    seed: seed of the draws.
    confidence: level of the interval.

  Returns:
    Lower and upper bounds of each of `STATISTICS`, float64 `[2, pairs]`.
  """
  found = {name: np.full((2, len(names)), np.nan) for name in STATISTICS}
  if not resamples:
    return found
  step = max(1, _HELD // resamples)
  blocks = [
    slice(start, min(start + step, len(names)))
    for start in range(0, len(names), step)
  ]

  def fill(rows: slice) -> None:
    right = None if table.right is None else table.right[rows]
    some = Table(table.total[rows], right)
    drawn = resample(some, resamples=resamples, names=names[rows], seed=seed)
    for name, values in measurements(*drawn).items():
      bounds = percentiles(values, confidence)
      found[name][:, rows] = np.where(known[name][rows], bounds, np.nan)

  known = {
    name: np.isfinite(values) for name, values in measurements(*table).items()
  }
  # Each pair has its own draws, so the number of threads has no effect.
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for _ in progress.track(
      pool.map(fill, blocks), total=len(blocks), what='bootstrap', unit='block'
    ):
      pass
  return found


def percentiles(values: np.ndarray, confidence: float) -> np.ndarray:
  """Percentile bounds of the middle part of the finite values.

  Args:
    values: values `[..., draws]`.
    confidence: fraction of the values between the bounds.

  Returns:
    Bounds, float64 `[2, ...]`, interpolated linearly; NaN without finite
    values.
  """
  # Values that are not finite become NaN, which is sorted last.
  ranked = np.sort(np.where(np.isfinite(values), values, np.nan), axis=-1)
  last = np.isfinite(ranked).sum(axis=-1) - 1
  tail = (1 - confidence) / 2
  result = np.full((2, *last.shape), np.nan)
  if not values.shape[-1]:
    return result
  for end, level in enumerate((tail, 1 - tail)):
    place = np.maximum(last, 0) * level
    below = np.floor(place).astype(np.int64)
    ends = [
      np.take_along_axis(ranked, at[..., np.newaxis], -1)[..., 0]
      for at in (below, np.minimum(below + 1, np.maximum(last, 0)))
    ]
    result[end] = ends[0] + (ends[1] - ends[0]) * (place - below)
  return result


# Cells in the order of the two names, and in reverse order.
_CELLS = ((0, 1, 2, 3), (0, 2, 1, 3))


def _key(seed: int, name_1: str, name_2: str) -> np.ndarray:
  """Returns the 256-bit key of a pair's generator."""
  text = f'{seed}:{len(name_1)}:{name_1}{name_2}'.encode()
  return np.frombuffer(hashlib.sha256(text).digest(), '<u8')
