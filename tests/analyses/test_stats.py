"""Intervals, tests and correlations against scipy and by simulation."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from overlap.analyses import stats
from overlap.catalog import categories


@pytest.mark.parametrize('confidence', [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize('total', [1, 2, 17, 5000])
def test_wilson_equals_scipys(total, confidence):
  successes = np.unique(np.linspace(0, total, 6).astype(int))
  lower, upper = stats.wilson(successes, total, confidence=confidence)
  for k, low, high in zip(successes, lower, upper):
    expected = scipy_stats.binomtest(int(k), total).proportion_ci(
      confidence, method='wilson'
    )
    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)
  assert lower[0] == 0
  assert upper[-1] == 1


def test_wilson_without_trials_is_nan():
  lower, upper = stats.wilson(np.array([0, 3]), np.array([0, 10]))
  assert np.isnan([lower[0], upper[0]]).all()
  assert np.isfinite([lower[1], upper[1]]).all()


def test_mcnemar_equals_scipys_exact_test():
  cells = [(0, 0), (0, 1), (1, 1), (0, 6), (3, 9), (40, 21), (500, 500)]
  one, two = np.array(cells).T
  got = stats.mcnemar(one, two)
  for p, (a, b) in zip(got, cells):
    expected = scipy_stats.binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
    assert p == pytest.approx(expected, rel=1e-9)


def naive_holm(p_values):
  """Step down: reject in order while p_(i) (m - i) stays below the level."""
  m = len(p_values)
  order = sorted(range(m), key=lambda i: p_values[i])
  adjusted, so_far = [0.0] * m, 0.0
  for i, index in enumerate(order):
    so_far = max(so_far, min(1.0, (m - i) * p_values[index]))
    adjusted[index] = so_far
  return adjusted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_equals_the_step_down_procedure(p_values):
  got = stats.holm(np.array(p_values))
  np.testing.assert_allclose(got, naive_holm(p_values), atol=1e-15)
  assert (got >= np.array(p_values)).all()


def test_holm_by_hand():
  # 3 x .01, 2 x .02, then .03 is raised to what came before.
  got = stats.holm(np.array([0.03, 0.01, 0.02]))
  np.testing.assert_allclose(got, [0.04, 0.03, 0.04])


def test_holm_does_not_count_missing_tests():
  got = stats.holm(np.array([0.02, np.nan, 0.01]))
  np.testing.assert_allclose(got, [0.02, np.nan, 0.02])


@pytest.mark.parametrize('size', [3, 10, 200])
def test_correlation_and_slope_equal_scipys(size):
  rng = np.random.default_rng(size)
  x = rng.normal(size=size) * 1e-3 + 5
  y = 7 * x + rng.normal(size=size) * 1e-2
  expected = scipy_stats.linregress(x, y)
  assert stats.pearson(x, y) == pytest.approx(expected.rvalue, abs=1e-9)
  assert stats.slope(x, y) == pytest.approx(expected.slope, rel=1e-9)


@pytest.mark.parametrize(
  ('x', 'y'),
  [([], []), ([1.0], [2.0]), ([0.1] * 3, [1.0, 2.0, 3.0])],
)
def test_correlations_of_nothing_are_nan(x, y):
  assert np.isnan(stats.pearson(x, y))
  assert np.isnan(stats.slope(x, y))


def test_a_constant_has_no_correlation_but_slope_zero():
  x, y = [1.0, 2.0, 3.0], [0.1, 0.1, 0.1]
  assert np.isnan(stats.pearson(x, y))
  assert stats.slope(x, y) == 0


@pytest.mark.parametrize('size', [2, 5, 40])
def test_jackknifed_mean_is_students_interval(size):
  values = np.random.default_rng(size).normal(size=size)
  got = stats.jackknife_mean(values, np.arange(size)[:, None], confidence=0.9)
  expected = scipy_stats.t.interval(
    0.9, size - 1, values.mean(), scipy_stats.sem(values)
  )
  np.testing.assert_allclose(got, [values.mean(), *expected])


def test_jackknifed_mean_leaves_nan_out():
  values = np.array([1.0, np.nan, 2.0, 4.0])
  members = np.arange(4)[:, None]
  got = stats.jackknife_mean(values, members)
  expected = stats.jackknife_mean(values[[0, 2, 3]], members[[0, 2, 3]])
  assert got == expected
  assert np.isnan(stats.jackknife_mean(values[1:2], members[1:2])).all()


def test_one_model_has_no_interval():
  estimate, lower, upper = stats.jackknife_mean(
    np.array([0.5]), np.array([[3]])
  )
  assert estimate == 0.5
  assert np.isnan([lower, upper]).all()


def naive_jackknife(statistic, pairs, confidence):
  """Leaves out each model with all of its pairs, by loops over lists."""
  models = sorted({m for pair in pairs for m in pair})
  values = [
    statistic([i for i, pair in enumerate(pairs) if model not in pair])
    for model in models
  ]
  n = len(models)
  mean = sum(values) / n
  error = ((n - 1) / n * sum((v - mean) ** 2 for v in values)) ** 0.5
  reach = scipy_stats.t.ppf((1 + confidence) / 2, n - 1) * error
  return reach


@pytest.mark.parametrize('confidence', [0.8, 0.95])
def test_jackknife_leaves_out_models_not_pairs(confidence):
  rng = np.random.default_rng(0)
  pairs = [(i, j) for i in range(6) for j in range(i)]
  x, y = rng.normal(size=(2, len(pairs)))
  y = y + x
  got = stats.jackknife_slope(x, y, np.array(pairs), confidence=confidence)
  reach = naive_jackknife(
    lambda keep: scipy_stats.linregress(x[keep], y[keep]).slope,
    pairs,
    confidence,
  )
  slope = scipy_stats.linregress(x, y).slope
  np.testing.assert_allclose(got, [slope, slope - reach, slope + reach])
  got = stats.jackknife_pearson(x, y, np.array(pairs), confidence=confidence)
  reach = naive_jackknife(
    lambda keep: np.arctanh(np.corrcoef(x[keep], y[keep])[0, 1]),
    pairs,
    confidence,
  )
  r = np.corrcoef(x, y)[0, 1]
  bounds = np.tanh([np.arctanh(r) - reach, np.arctanh(r) + reach])
  np.testing.assert_allclose(got, [r, *bounds])


def test_correlations_of_two_points_have_no_interval():
  r, lower, upper = stats.jackknife_pearson(
    np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([[1], [2]])
  )
  assert r == 1
  assert np.isnan([lower, upper]).all()


def test_the_jackknife_covers():
  rng = np.random.default_rng(0)
  hits = []
  for _ in range(400):
    x = rng.normal(size=30)
    y = 2 * x + rng.normal(size=30)
    _, lower, upper = stats.jackknife_slope(x, y, np.arange(30)[:, None])
    hits.append(lower <= 2 <= upper)
  # 95 % is meant; 400 draws leave it within three standard errors.
  assert 0.91 <= np.mean(hits) <= 0.985


def test_wilson_covers():
  rng = np.random.default_rng(1)
  successes = rng.binomial(80, 0.9, size=2000)
  lower, upper = stats.wilson(successes, 80)
  assert 0.93 <= ((lower <= 0.9) & (upper >= 0.9)).mean() <= 0.98


@pytest.mark.parametrize('total', [0, 1, 10, 5000])
@pytest.mark.parametrize('confidence', [0.5, 0.95])
def test_exact_intervals_equal_scipys(total, confidence):
  successes = np.unique(np.linspace(0, total, 11).astype(int))
  lower, upper = stats.clopper_pearson(successes, total, confidence=confidence)
  for i, count in enumerate(successes):
    if not total:
      assert np.isnan([lower[i], upper[i]]).all()
      continue
    expected = scipy_stats.binomtest(int(count), total).proportion_ci(
      confidence, method='exact'
    )
    np.testing.assert_allclose([lower[i], upper[i]], expected, rtol=1e-7)


def test_exact_intervals_of_missing_counts_are_missing():
  bounds = stats.clopper_pearson(np.array([np.nan, 3.0]), np.array([9, 9]))
  assert np.isnan(bounds).any(axis=0).tolist() == [True, False]


needs_paper = pytest.mark.skipif(
  importlib.util.find_spec('overlap.catalog.paper') is None,
  reason="the paper's tables are not in the package",
)


@needs_paper
def test_the_papers_correlation_and_means():
  """Table 1 has what the paper says of it: r = 0.988 over its 50 rows."""
  from overlap.catalog import paper

  table = paper.table(1)
  x = table['error_inconsistency'].to_numpy()
  # Gain over the mean of the pair's accuracies; the base has 76.5 %.
  gain = table['ensemble_accuracy'] - (table['accuracy'] + 76.5) / 2
  gain = gain.to_numpy()
  members = np.arange(len(table))[:, None]
  r, lower, upper = stats.jackknife_pearson(x, gain, members)
  assert r == pytest.approx(0.988, abs=5e-4)
  assert lower < r < upper
  means = {
    'REINIT': (0.0850, 0.96),
    'HPARAM': (0.0947, 1.17),
    'ARCH': (0.1174, 2.08),
    'FRAMEWORK': (0.1262, 2.37),
    'DATASET': (0.1843, 5.25),
  }
  assert tuple(means) == categories.CATEGORIES
  for category, (inconsistency, points) in means.items():
    chosen = (table['category'] == category).to_numpy()
    got, *_ = stats.jackknife_mean(x[chosen], members[chosen])
    assert got == pytest.approx(inconsistency, abs=5.1e-5)
    got, *_ = stats.jackknife_mean(gain[chosen], members[chosen])
    assert got == pytest.approx(points, abs=5.1e-3)
