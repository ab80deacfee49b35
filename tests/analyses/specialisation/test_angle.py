"""Theta against its geometry, histograms against numpy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlap.analyses.specialisation import angle

UNIT = st.floats(0, 1)


@given(UNIT, UNIT)
def test_theta_is_antisymmetric_and_bounded(one, two):
  found = float(angle.theta(one, two))
  assert abs(found) <= np.pi / 4 + 1e-15
  assert found == pytest.approx(-float(angle.theta(two, one)), abs=1e-15)
  if 1 - one < 1 - two:
    assert found > 0


@given(UNIT, UNIT)
def test_the_threshold_is_where_one_top_class_wins_for_certain(one, two):
  # Model 1's class has at least conf_1 + 0; any other of model 2 has at most
  # conf_2 + (1 - conf_1).
  margin = one - (two + 1 - one)
  if abs(margin) > 1e-9:
    assert (angle.theta(one, two) > angle.THRESHOLD) == (margin > 0)


def test_known_angles():
  np.testing.assert_allclose(angle.THRESHOLD, 0.32175, atol=1e-5)
  one = np.array([1.0, 0.5, 1.0, 0.5, np.nan, 1 + 1e-16, 0.2])
  two = np.array([1.0, 1.0, 0.5, 0.5, 0.5, 1.0, np.nan])
  np.testing.assert_allclose(
    angle.theta(one, two),
    [0, -np.pi / 4, np.pi / 4, 0, np.nan, 0, np.nan],
  )


def test_outcomes():
  right_1, right_2 = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
  found = angle.outcome(right_1 > 0, right_2 > 0)
  assert [angle.OUTCOMES[i] for i in found] == [
    'both', 'only_1', 'only_2', 'neither',
  ]  # fmt: skip


@pytest.mark.parametrize('bins', [2, 7, 30])
@pytest.mark.parametrize('measure', angle.MEASURES)
def test_histograms_are_numpys(measure, bins):
  rng = np.random.default_rng(0)
  ends = angle.edges(measure, bins)
  values = np.r_[rng.uniform(ends[0], ends[-1], 500), ends, np.nan]
  outcomes = rng.integers(0, 4, len(values))
  found = angle.histogram(values, outcomes, ends)
  for place in range(4):
    mine = values[(outcomes == place) & ~np.isnan(values)]
    np.testing.assert_array_equal(found[place], np.histogram(mine, ends)[0])
  assert found.sum() == len(values) - 1


def test_histograms_of_nothing_are_empty():
  found = angle.histogram(
    np.zeros(0), np.zeros(0, np.int64), angle.edges('theta', 3)
  )
  np.testing.assert_array_equal(found, np.zeros((4, 3)))
