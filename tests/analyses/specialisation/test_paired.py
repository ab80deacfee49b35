"""Paired intervals by simulation and against scipy."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from overlap.analyses.specialisation import paired


@pytest.mark.parametrize(
  ('shares', 'total'),
  [
    ((0.7, 0.05, 0.05, 0.2), 50),
    ((0.7, 0.12, 0.03, 0.15), 300),
    ((0.9, 0.01, 0.03, 0.06), 1000),
  ],
)
def test_intervals_of_differences_cover(shares, total):
  rng = np.random.default_rng(0)
  draws = rng.multinomial(total, shares, size=4000)
  _, lower, upper = paired.difference(draws[:, 1], draws[:, 2], total)
  truth = shares[1] - shares[2]
  assert 0.935 <= np.mean((lower <= truth) & (truth <= upper)) <= 0.985


def test_differences_at_the_ends():
  found = paired.difference(
    np.array([0, 5, 0, 0]), np.array([0, 0, 5, 0]), np.array([5, 5, 5, 0])
  )
  value, lower, upper = found
  np.testing.assert_array_equal(value[:3], [0, 1, -1])
  assert lower[0] == -upper[0]
  assert lower[0] < 0
  assert upper[1] == 1
  assert lower[1] > 0
  assert all(np.isnan(end[3]) for end in found)


@pytest.mark.parametrize('size', [1, 2, 37, 200])
def test_q_values_are_scipys(size):
  p_values = np.random.default_rng(size).random(size) ** 2
  p_values[size // 2 :] = p_values[0]  # Ties.
  expected = scipy_stats.false_discovery_control(p_values)
  np.testing.assert_allclose(paired.benjamini_hochberg(p_values), expected)
  with_nan = np.r_[np.nan, p_values, np.nan]
  found = paired.benjamini_hochberg(with_nan)
  np.testing.assert_allclose(found[1:-1], expected)
  assert np.isnan(found[[0, -1]]).all()


def test_without_tests_there_is_nothing():
  assert len(paired.benjamini_hochberg(np.zeros(0))) == 0


def test_means_and_separations_are_scipys():
  rng = np.random.default_rng(1)
  one, two = rng.normal(0.2, 1, 40), rng.normal(0, 3, 11)
  expected = scipy_stats.ttest_1samp(one, 0).confidence_interval(0.9)
  found = paired.mean(np.r_[one, np.nan], confidence=0.9)
  np.testing.assert_allclose(found, [one.mean(), *expected])
  expected = scipy_stats.ttest_ind(one, two, equal_var=False)
  bounds = expected.confidence_interval(0.95)
  found = paired.separation(one, np.r_[two, np.nan])
  np.testing.assert_allclose(found, [one.mean() - two.mean(), *bounds])


def test_too_few_have_no_bounds():
  assert np.isnan(paired.mean(np.zeros(0))).all()
  assert paired.mean(np.array([2.0]))[0] == 2
  assert np.isnan(paired.mean(np.array([2.0]))[1:]).all()
  centre, *bounds = paired.separation(np.array([2.0]), np.array([0.5, 1.0]))
  assert centre == 1.25
  assert np.isnan(bounds).all()
  assert np.isnan(paired.separation(np.zeros(0), np.ones(3))).all()
  # Without any spread the bounds are the difference itself.
  assert paired.separation(np.ones(3), np.zeros(3)) == (1, 1, 1)
