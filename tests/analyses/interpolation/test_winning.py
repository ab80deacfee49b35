"""Winning weights against trying them, ties and all."""

from fractions import Fraction

import numpy as np
import pytest

from overlap.analyses.interpolation import curves, winning

WEIGHTS = [Fraction(k, 20) for k in range(21)]


def weighed(weight, score):
  """A score's part of a sum: of weight 0 it has none, minus infinity too."""
  if not weight or score == -np.inf:
    return -np.inf if weight else 0
  return weight * Fraction(float(score))


def naive(start, end, label, t):
  """Whether the label wins at t, in exact arithmetic."""
  scores = [weighed(1 - t, a) + weighed(t, b) for a, b in zip(start, end)]
  best = max(scores)
  return best > -np.inf and scores.index(best) == label


def check(start, end, labels):
  lower, upper = winning.intervals(start, end, labels)
  for i, label in enumerate(labels):
    for t in WEIGHTS:
      expected = naive(start[i], end[i], label, t)
      assert (lower[i] <= float(t) <= upper[i]) == expected, (i, t)


@pytest.mark.parametrize('classes', [1, 2, 3, 10])
@pytest.mark.parametrize('levels', [2, 4, 1000])
def test_against_every_weight(classes, levels):
  rng = np.random.default_rng(classes * levels)
  # Few levels, powers of two apart: ties everywhere, at t = 1/4 and 1/2 too.
  shape = (60, classes)
  start = rng.integers(0, levels, shape).astype(np.float32)
  end = rng.integers(0, levels, shape).astype(np.float32)
  check(start, end, rng.integers(0, classes, 60))


@pytest.mark.parametrize('classes', [1, 2, 5, 9])
def test_classes_that_minus_infinity_rules_out(classes):
  rng = np.random.default_rng(classes)
  shape = (200, classes)
  start = rng.integers(0, 4, shape).astype(np.float32)
  end = rng.integers(0, 4, shape).astype(np.float32)
  start[rng.random(shape) < 0.5] = -np.inf
  end[rng.random(shape) < 0.5] = -np.inf
  check(start, end, rng.integers(0, classes, 200))


def test_blocks_do_not_matter(monkeypatch):
  rng = np.random.default_rng(3)
  start, end = rng.normal(size=(2, 23, 5)).astype(np.float32)
  labels = rng.integers(0, 5, 23)
  whole = winning.intervals(start, end, labels)
  for block in (1, 10, 35):
    monkeypatch.setattr(winning, '_BLOCK', block)
    np.testing.assert_array_equal(winning.intervals(start, end, labels), whole)


def test_the_same_scores_tie_everywhere():
  scores = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 0]], np.float32)
  lower, upper = winning.intervals(scores, scores, np.array([0, 1, 1]))
  assert (lower[[0, 2]] == 0).all()
  assert (upper[[0, 2]] == 1).all()
  assert lower[1] > upper[1]


def test_scores_that_are_no_numbers():
  nan, inf = np.nan, np.inf
  start = np.array([[3, nan], [3, inf], [3, -inf], [3, 0], [-inf, 0]])
  end = np.array([[3, 0], [3, 0], [3, 4], [nan, 0], [3, 0]])
  lower, upper = winning.intervals(
    start.astype(np.float32), end.astype(np.float32), np.zeros(5, int)
  )
  # NaN and +inf win nowhere.
  np.testing.assert_array_equal(lower > upper, [1, 1, 0, 1, 0])
  # A class ruled out by one model is so until the other alone counts.
  assert lower[2] == 0
  assert upper[2] == pytest.approx(1)
  assert lower[4] == pytest.approx(1)


def test_no_examples():
  none = np.zeros((0, 3), np.float32)
  lower, upper = winning.intervals(none, none, np.zeros(0, int))
  assert len(lower) == len(upper) == 0


def test_class_aware_weights():
  rng = np.random.default_rng(0)
  first, second = rng.normal(size=(2, 4, 6)).astype(np.float32)
  group_a, group_b = np.array([0, 1, 5]), np.array([2, 5])
  start, end = winning.class_aware(first, second, group_a, group_b)
  for t in (0.0, 0.3, 0.5, 1.0):
    # Class 5 is in both groups, 3 and 4 are in none.
    weights = np.array([1 - t, 1 - t, t, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(
      (1 - t) * start + t * end,
      weights * first + (1 - weights) * second,
      rtol=1e-5,
      atol=1e-6,
    )


def test_equal_weights_are_the_ensemble_of_the_mean():
  rng = np.random.default_rng(1)
  first, second = 3 * rng.normal(size=(2, 400, 7)).astype(np.float32)
  labels = rng.integers(0, 7, 400)
  expected = (first + second).argmax(axis=1) == labels
  groups = np.array([0, 1]), np.array([2, 3])
  for ends in (
    (first, second), winning.class_aware(first, second, *groups),
  ):  # fmt: skip
    wins = curves.on_grid(*winning.intervals(*ends, labels), curves.grid(3))
    np.testing.assert_array_equal(wins.at(1), expected)
