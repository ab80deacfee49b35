"""Intervals of pairs' measurements, at a cost that ignores the examples.

Resampling examples with replacement changes only how many fall in each cell
of a pair's joint table. These counts are multinomial, so they are drawn as
such: the same distribution, whether there are a thousand examples or a
million.

Where few examples are inconsistent, plain resampling makes too little of what
chance could have done: the error inconsistency of two models that never differ
would be exactly 0, and where two in 200 examples are inconsistent, 95 %
intervals hold the gain in two cases of three. So half an example is added to
each of the two inconsistent cells, half of it right, before as many examples
as there are are drawn. In simulations (tests/analyses/test_coverage.py) 95 %
intervals then cover in 93 to 97 % of cases; with fewer than ten inconsistent
examples in 88 % at least (the gain of pairs whose ensemble may also convert or
lose others), mostly in more than 95 %. Where hundreds are inconsistent, half
an example is of no account.

Each pair has draws of its own, which is right for its own intervals. Where
one number is made of several pairs over the same examples, they must share
their resamples: see `shared`.
"""

import concurrent.futures
import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap import progress
from overlap.analyses import draws, errors

STATISTICS = ('error_inconsistency', 'kappa', 'gain', 'conversion_rate')
# Those that a pair without an ensemble does not have.
OF_ENSEMBLE = ('gain', 'conversion_rate')
# Examples added to each cell of inconsistent ones.
SMOOTHING = 0.5
# Draws of one cell that a worker holds at a time.
_HELD = 2**16


class Table(NamedTuple):
  """Joint tables of pairs: counts by which model is right.

  Attributes:
    total: both, only 1, only 2, neither: int `[..., 4]`.
    right: how many of each the ensemble gets right, int `[..., 4]`, or None.
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
  table: Table,
  *,
  resamples: int,
  names: Sequence[tuple[str, str]],
  seed: int,
  smoothing: float = SMOOTHING,
) -> Table:
  """Draws joint tables of as many examples, with replacement.

  Each pair's generator is keyed by the seed and the two names in alphabetical
  order, and so are the cells: a pair's draws depend neither on the other
  models, nor on which model comes first, nor on `right` for the totals.

  Args:
    table: of the pairs, `[pairs, 4]`.
    resamples: how many to draw.
    names: the two models' names, for each pair.
    seed: of the draws.
    smoothing: examples added to each cell of inconsistent ones, half of them
      right, before drawing; 0 is plain resampling.

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

  Draws for which a statistic is not defined (see `measurements`) are left out
  of its percentiles. Where the pair's own is not, the bounds are NaN.

  Args:
    table: of the pairs, `[pairs, 4]`.
    names: the two models' names, for each pair.
    resamples: how many tables to draw of each; without any, all bounds are
      NaN.
    seed: of the draws.
    confidence: the interval's level.

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
  # Every pair's draws are its own: how many threads there are is of no account.
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for _ in progress.track(
      pool.map(fill, blocks), total=len(blocks), what='bootstrap', unit='block'
    ):
      pass
  return found


def percentiles(values: np.ndarray, confidence: float) -> np.ndarray:
  """What the middle part of the finite values lies between.

  Args:
    values: `[..., draws]`.
    confidence: how large a part.

  Returns:
    float64 `[2, ...]`, interpolated linearly; NaN without finite values.
  """
  # What is not finite is NaN, and NaN comes last.
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


# Cells in the order of two names, and in the reverse.
_CELLS = ((0, 1, 2, 3), (0, 2, 1, 3))


def _key(seed: int, name_1: str, name_2: str) -> np.ndarray:
  """What a pair's draws depend on, as 256 bits."""
  text = f'{seed}:{len(name_1)}:{name_1}{name_2}'.encode()
  return np.frombuffer(hashlib.sha256(text).digest(), '<u8')
