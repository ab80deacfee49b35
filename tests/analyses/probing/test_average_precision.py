"""11-point average precision against a direct reading of VOC's rule."""

import fractions

import numpy as np
import pytest
from sklearn import metrics

from overlap.analyses.probing import average_precision as lib


def by_the_rule(scores, targets):
  """Rank by rank, in exact fractions."""
  ranking = [
    (-score, place, target)
    for place, (score, target) in enumerate(zip(scores, targets))
    if target >= 0
  ]
  ranking.sort()
  positives = sum(target for _, _, target in ranking)
  if not positives:
    return None
  points, found = [], 0
  for rank, (_, _, target) in enumerate(ranking, 1):
    found += int(target)
    points.append(
      (fractions.Fraction(found, int(positives)),
       fractions.Fraction(found, rank))
    )  # fmt: skip
  levels = [fractions.Fraction(i, 10) for i in range(11)]
  best = [
    max((p for recall, p in points if recall >= level), default=0)
    for level in levels
  ]
  return float(sum(best) / 11)


@pytest.mark.parametrize('count', [1, 2, 3, 10, 57])
@pytest.mark.parametrize('seed', range(6))
def test_random_rankings(count, seed):
  rng = np.random.default_rng(seed)
  scores = rng.integers(0, 4, count) / 3  # Full of ties.
  targets = rng.integers(-1, 2, count)
  expected = by_the_rule(scores, targets)
  got = lib.average_precision(scores, targets)
  if expected is None:
    assert np.isnan(got)
  else:
    assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
  ('scores', 'targets', 'expected'),
  [
    ([3, 2, 1], [1, 0, 0], 1.0),
    ([3, 2, 1], [0, 0, 1], 1 / 3),
    # Recall 1/2 at precision 1, recall 1 at 2/3: six levels and five.
    ([3, 2, 1], [1, 0, 1], (6 * 1 + 5 * 2 / 3) / 11),
    # The difficult one between them is as if it were not there.
    ([3, 2, 1], [1, -1, 1], 1.0),
    # Equal scores: the earlier example first.
    ([1, 1], [0, 1], 0.5),
    ([1, 1], [1, 0], 1.0),
    ([np.nan, 0], [1, 0], 0.5),
  ],
)
def test_by_hand(scores, targets, expected):
  got = lib.average_precision(np.array(scores), np.array(targets))
  assert got == pytest.approx(expected)


@pytest.mark.parametrize('targets', [[], [0, 0], [-1, -1]])
def test_without_positives(targets):
  assert np.isnan(lib.average_precision(np.zeros(len(targets)), targets))


def test_float_levels_can_disagree():
  """`linspace`'s 0.3, 0.6 and 0.7 are above or below what recall is."""
  rng = np.random.default_rng(0)
  apart = 0
  for positives in (10, 20, 30, 70, 375):
    targets = np.r_[np.ones(positives), np.zeros(positives)].astype(int)
    scores = rng.normal(size=2 * positives) + targets
    exact = lib.average_precision(scores, targets)
    loose = lib.average_precision(scores, targets, exact=False)
    assert exact == pytest.approx(by_the_rule(scores, targets), abs=1e-12)
    assert abs(exact - loose) < 0.02
    apart += exact != loose
  assert apart


def test_weights_are_repetitions():
  rng = np.random.default_rng(1)
  scores, targets = rng.normal(size=40), rng.integers(-1, 2, 40)
  weights = rng.integers(0, 3, (20, 40))
  got = lib.resampled(scores, targets, weights)
  for row, value in zip(weights, got):
    repeated = lib.average_precision(
      np.repeat(scores, row), np.repeat(targets, row)
    )
    assert value == pytest.approx(repeated, abs=1e-12, nan_ok=True)


def test_near_the_area_under_the_curve():
  """scikit-learn's is another average of the same curve."""
  rng = np.random.default_rng(2)
  targets = rng.integers(0, 2, 2000)
  scores = targets + rng.normal(size=2000)
  ours = lib.average_precision(scores, targets)
  theirs = metrics.average_precision_score(targets, scores)
  assert ours == pytest.approx(theirs, abs=0.03)
