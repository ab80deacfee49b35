"""Curves and optima against loops over examples."""

import numpy as np
import pytest

from overlap.analyses.interpolation import curves

POINTS = 11


def make(examples, seed=0):
  rng = np.random.default_rng(seed)
  ends = rng.uniform(-0.3, 1.3, (2, examples))
  return ends[0], ends[1]


def wins_of(examples, seed=0):
  return curves.on_grid(*make(examples, seed), curves.grid(POINTS))


@pytest.mark.parametrize('examples', [0, 1, 2, 300])
def test_counts(examples):
  lower, upper = make(examples)
  weights = curves.grid(POINTS)
  expected = [((lower <= t) & (t <= upper)).sum() for t in weights]
  wins = wins_of(examples)
  np.testing.assert_array_equal(curves.correct(wins, POINTS), expected)
  for place in range(POINTS):
    assert wins.at(place).sum() == expected[place]


def test_ends_are_included_and_the_middle_is_a_half():
  assert curves.grid(101)[[0, 50, 100]].tolist() == [0, 0.5, 1]
  wins = curves.on_grid(
    np.array([0.5, np.nextafter(0.5, 1), np.inf]),
    np.array([0.5, 1.0, 1.0]),
    curves.grid(3),
  )
  np.testing.assert_array_equal(curves.correct(wins, 3), [0, 1, 1])


@pytest.mark.parametrize(
  ('counts', 'place'),
  [
    ([1, 1, 1, 1, 1], 2),
    ([2, 1, 1, 1, 2], 0),
    ([1, 2, 1, 1, 2], 1),
    ([0, 0, 0, 3, 0], 3),
  ],
)
def test_the_best_is_nearest_the_middle(counts, place):
  assert curves.best(np.array(counts)) == place
  np.testing.assert_array_equal(
    curves.best(np.array([counts, counts[::-1]]))[0], place
  )


def test_the_interval_is_that_of_resampled_examples():
  wins = wins_of(150, seed=2)
  settings = {'key': 'a', 'confidence': 0.9, 'seed': 0}
  found = curves.best_interval(wins, POINTS, resamples=4000, **settings)
  rng = np.random.default_rng(7)
  drawn = rng.integers(0, 150, (4000, 150))
  best = [
    curves.best(curves.correct(wins.take(rows), POINTS)) for rows in drawn
  ]
  expected = np.quantile(np.array(best) / (POINTS - 1), [0.05, 0.95])
  np.testing.assert_allclose(found, expected, atol=0.1001)
  again = curves.best_interval(wins, POINTS, resamples=4000, **settings)
  assert again == found


def test_an_interval_needs_resamples_and_examples():
  settings = {'key': 'a', 'confidence': 0.9, 'seed': 0}
  for wins, resamples in ((wins_of(5), 0), (wins_of(0), 10)):
    found = curves.best_interval(wins, POINTS, resamples=resamples, **settings)
    assert np.isnan(found).all()


@pytest.mark.parametrize('examples', [1, 2, 90])
def test_cross_fitting(examples):
  wins = wins_of(examples, seed=3)
  halves = np.arange(examples) % 2
  found = curves.cross_fit(wins, POINTS, halves)
  for half in (0, 1):
    mine = halves == half
    counts = [wins.take(~mine).at(p).sum() for p in range(POINTS)]
    highest = [p for p in range(POINTS) if counts[p] == max(counts)]
    chosen = min(highest, key=lambda p: (abs(p - POINTS // 2), p))
    assert found.places[half] == chosen
    np.testing.assert_array_equal(found.right[mine], wins.at(chosen)[mine])


def test_choosing_on_the_same_examples_is_optimistic():
  """Where no weight is better, the best on the same examples seems so."""
  apparent, honest = [], []
  for seed in range(200):
    rng = np.random.default_rng(seed)
    # Only one of the two is right: either equally often, at any weight.
    point, side = rng.random(200), rng.random(200) < 0.5
    lower, upper = np.where(side, 0, point), np.where(side, point, 1)
    # So the curve is 1/2 everywhere; mirrored, so that it has no slope.
    flip = rng.random(200) < 0.5
    lower, upper = (
      np.where(flip, 1 - upper, lower), np.where(flip, 1 - lower, upper),
    )  # fmt: skip
    row = curves.optimum(
      curves.on_grid(lower, upper, curves.grid(POINTS)),
      curves.grid(POINTS),
      rng.integers(0, 2, 200),
      resamples=0,
      seed=0,
      key='',
      confidence=0.95,
    )
    apparent.append(row['gain_best'])
    honest.append(row['gain_cross_fitted'])
  assert np.mean(apparent) > 0.02
  assert abs(np.mean(honest)) < 3 * np.std(honest) / np.sqrt(200)


def test_the_optimums_numbers_fit():
  wins = wins_of(400, seed=5)
  weights = curves.grid(POINTS)
  row = curves.optimum(
    wins, weights, np.arange(400) % 2,
    resamples=200, seed=0, key='x', confidence=0.95,
  )  # fmt: skip
  counts = curves.correct(wins, POINTS)
  assert row['correct_best'] == counts.max()
  assert row['correct_half'] == counts[POINTS // 2]
  assert row['best_t_lower'] <= row['best_t'] <= row['best_t_upper']
  for name in ('best', 'cross_fitted'):
    gain = row[f'accuracy_{name}'] - row['accuracy_half']
    assert row[f'gain_{name}'] == pytest.approx(gain)
    assert row[f'gain_{name}_lower'] <= gain <= row[f'gain_{name}_upper']
