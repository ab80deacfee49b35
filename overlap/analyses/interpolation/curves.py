"""Accuracy by weight, its optimum, and confidence intervals."""

import hashlib
from typing import NamedTuple

import numpy as np

from overlap.analyses.specialisation import paired


class Wins(NamedTuple):
  """The weights of a grid at which each example is right.

  Attributes:
    first: position of the first such weight, int `[examples]`.
    stop: position after the last such weight, int `[examples]`; not above
      `first` if there is none.
  """

  first: np.ndarray
  stop: np.ndarray

  def at(self, place: int | np.ndarray) -> np.ndarray:
    """Correctness at a position, bool `[examples]`."""
    return (self.first <= place) & (place < self.stop)

  def take(self, chosen: np.ndarray) -> 'Wins':
    """Returns the positions of some examples."""
    return Wins(self.first[chosen], self.stop[chosen])


def grid(points: int) -> np.ndarray:
  """Weights from 0 to 1, float64 `[points]`."""
  return np.arange(points) / (points - 1)


def on_grid(lower: np.ndarray, upper: np.ndarray, weights: np.ndarray) -> Wins:
  """Returns the positions of a grid within closed intervals."""
  return Wins(
    np.searchsorted(weights, lower, side='left').astype(np.int16),
    np.searchsorted(weights, upper, side='right').astype(np.int16),
  )


def correct(wins: Wins, points: int) -> np.ndarray:
  """Number of correct examples at each position, int64 `[points]`."""
  kept = wins.first < wins.stop
  starts = np.bincount(wins.first[kept], minlength=points + 1)
  stops = np.bincount(wins.stop[kept], minlength=points + 1)
  return np.cumsum(starts - stops)[:points]


def best(counts: np.ndarray) -> np.ndarray:
  """Returns the position of the highest count.

  Args:
    counts: counts `[..., points]`, with an odd number of points.

  Returns:
    Positions, int64 `[...]`; ties go to the position nearest the middle, then
    to the lower one.
  """
  points = counts.shape[-1]
  middle = (points - 1) // 2
  order = np.argsort(np.abs(np.arange(points) - middle), kind='stable')
  return order[np.argmax(np.asarray(counts)[..., order], axis=-1)]


def best_interval(
  wins: Wins,
  points: int,
  *,
  resamples: int,
  seed: int,
  key: str,
  confidence: float,
) -> tuple[float, float]:
  """Bootstrap percentile interval of the best weight.

  Each example has one of a few patterns (first and stop), so resampling
  examples means drawing multinomial counts of patterns, at a cost independent
  of the number of examples.

  Args:
    wins: positions of the examples.
    points: number of weights of the grid.
    resamples: number of resamples; 0 for NaN bounds.
    seed: seed of the resamples.
    key: additional key of the generator, for independent draws per pair.
    confidence: level of the interval.

  Returns:
    Lower and upper bound, weights of the grid.
  """
  total = len(wins.first)
  if not resamples or not total:
    return float('nan'), float('nan')
  kept = wins.first < wins.stop
  code = np.where(
    kept, wins.first.astype(np.int64) * (points + 1) + wins.stop, -1
  )
  patterns, counts = np.unique(code, return_counts=True)
  first, stop = np.divmod(patterns, points + 1)
  place = np.arange(points)
  right = (first[:, np.newaxis] <= place) & (place < stop[:, np.newaxis])
  right[patterns < 0] = False
  digest = hashlib.sha256(f'interpolation:{key}'.encode()).digest()
  words = np.frombuffer(digest[:16], '<u4').tolist()
  generator = np.random.default_rng([seed, *words])
  draws = generator.multinomial(total, counts / total, size=resamples)
  found = best(draws.astype(np.float64) @ right.astype(np.float64))
  tail = (1 - confidence) / 2
  lower, upper = np.quantile(
    found / (points - 1), [tail, 1 - tail], method='closest_observation'
  )
  return float(lower), float(upper)


class CrossFitted(NamedTuple):
  """Each half of the examples at the best weight of the other half.

  Attributes:
    right: correctness, bool `[examples]`.
    places: positions used for half 0 and half 1.
  """

  right: np.ndarray
  places: tuple[int, int]


def cross_fit(wins: Wins, points: int, halves: np.ndarray) -> CrossFitted:
  """Selects the weight on one half and counts on the other, both ways.

  Args:
    wins: positions of the examples.
    points: number of weights of the grid.
    halves: half of each example, int `[examples]`, 0 or 1.
  """
  places = [
    int(best(correct(wins.take(halves != half), points))) for half in (0, 1)
  ]
  right = wins.at(np.array(places)[halves])
  return CrossFitted(right, (places[0], places[1]))


def optimum(
  wins: Wins,
  weights: np.ndarray,
  halves: np.ndarray,
  *,
  resamples: int,
  seed: int,
  key: str,
  confidence: float,
) -> dict[str, float | int]:
  """Returns the columns of 'interpolation_optima' except names."""
  points, total = len(weights), len(wins.first)
  counts = correct(wins, points)
  place, half = int(best(counts)), wins.at((points - 1) // 2)
  bounds = best_interval(
    wins, points,
    resamples=resamples, seed=seed, key=key, confidence=confidence,
  )  # fmt: skip
  crossed = cross_fit(wins, points, halves)
  row: dict[str, float | int] = {
    'n': total,
    'best_t': float(weights[place]),
    'best_t_lower': bounds[0],
    'best_t_upper': bounds[1],
    't_fold_0': float(weights[crossed.places[0]]),
    't_fold_1': float(weights[crossed.places[1]]),
  }
  rights = {
    'best': wins.at(place), 'half': half, 'cross_fitted': crossed.right,
  }  # fmt: skip
  for name, right in rights.items():
    row[f'correct_{name}'] = int(right.sum())
    row[f'accuracy_{name}'] = float(right.mean()) if total else float('nan')
    if name != 'half':
      found = paired.difference(
        np.array((right & ~half).sum()), np.array((half & ~right).sum()),
        np.array(total), confidence=confidence,
      )  # fmt: skip
      for end, value in zip(('', '_lower', '_upper'), found):
        row[f'gain_{name}{end}'] = float(value)
  return row
