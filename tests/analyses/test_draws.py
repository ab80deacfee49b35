"""Drawn counts against the distributions that SciPy has."""

import numpy as np
import pytest
from scipy import stats

from overlap.analyses import draws

STATE = np.array([3, 5, 7, 11], np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def many(trials, share, number=20_000):
  state = STATE.copy()
  return np.array([draws.binomial(state, trials, share) for _ in range(number)])


@pytest.mark.parametrize(
  ('trials', 'share'),
  [
    (1, 0.3), (5, 0.5), (30, 0.2), (20, 0.5), (21, 0.5), (99, 0.1),
    (101, 0.1), (300, 0.97), (5000, 0.8), (50_000, 1e-5), (10**6, 0.25),
  ],
)  # fmt: skip
def test_binomials_have_their_distribution(trials, share):
  drawn, law = many(trials, share), stats.binom(trials, share)
  assert drawn.min() >= 0
  assert drawn.max() <= trials
  # About twenty bins of equal weight.
  edges = np.unique(law.ppf(np.linspace(0, 1, 21)[1:-1]))
  expected = len(drawn) * np.diff(np.r_[0, law.cdf(edges), 1])
  counted = np.bincount(np.searchsorted(edges, drawn), minlength=len(expected))
  usual = expected > 5
  test = stats.chisquare(
    np.r_[counted[usual], counted[~usual].sum()],
    np.r_[expected[usual], expected[~usual].sum() + 1e-9],
    sum_check=False,
  )
  assert test.pvalue > 1e-3


def test_huge_counts():
  drawn = many(10**12, 0.3)
  error = np.sqrt(10**12 * 0.3 * 0.7)
  assert abs(drawn.mean() - 3e11) < 4 * error / np.sqrt(len(drawn))
  assert drawn.std() == pytest.approx(error, rel=0.02)


@pytest.mark.parametrize(
  ('trials', 'share', 'only'),
  [(0, 0.5, 0), (9, 0.0, 0), (9, 1.0, 9), (10**6, 0.0, 0), (10**6, 1.0, 10**6)],
)
def test_certain_counts(trials, share, only):
  assert set(many(trials, share, 50)) == {only}


def test_uniform_numbers_are_uniform_and_in_no_cycle():
  state = STATE.copy()
  numbers = np.array([draws._uniform(state) for _ in range(20_000)])
  assert stats.kstest(numbers, 'uniform').pvalue > 1e-3
  assert len(np.unique(numbers)) == len(numbers)
  assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.03


def test_the_generator_is_xoshiro256_plus_plus():
  """The first numbers from state (1, 2, 3, 4), as its authors publish them."""
  state = np.array([1, 2, 3, 4], np.uint64)
  expected = [41943041, 58720359, 3588806011781223, 3591011842654386]
  for word in expected:
    assert draws._uniform(state) == ((word >> 11) + 0.5) * 2.0**-53


def test_tables_have_the_covariance_of_a_multinomial():
  total, right = np.array([[700, 120, 80, 100]]), np.array([[690, 80, 50, 5]])
  result = np.empty((8, 1, 20_000), np.int64)
  draws.tables(STATE[None].copy(), total.sum(1), total / 1, right / 1, result)
  cells, rights = result[:4, 0], result[4:, 0]
  assert (cells.sum(axis=0) == 1000).all()
  assert ((rights >= 0) & (rights <= cells)).all()
  p = total[0] / 1000
  expected = 1000 * (np.diag(p) - np.outer(p, p))
  np.testing.assert_allclose(np.cov(cells), expected, atol=4)
  np.testing.assert_allclose(cells.mean(axis=1), total[0], atol=0.5)
  np.testing.assert_allclose(rights.mean(axis=1), right[0], atol=0.5)


def test_empty_cells_stay_empty():
  total = np.array([[0, 7, 0, 3], [0, 0, 0, 0]])
  result = np.empty((8, 2, 40), np.int64)
  draws.tables(
    np.tile(STATE, (2, 1)), total.sum(1), total / 1, np.zeros((2, 4)), result
  )
  assert (result[[0, 2], 0] == 0).all()
  assert (result[1, 0] + result[3, 0] == 10).all()
  assert (result[:, 1] == 0).all()
