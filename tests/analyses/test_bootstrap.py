"""The multinomial bootstrap against resampling the examples themselves."""

import time

import numpy as np
import pytest

from overlap.analyses import bootstrap

NAMES = {'name_1': 'base', 'name_2': 'other'}


def table(total, right=None):
  return bootstrap.Table(
    np.array(total), None if right is None else np.array(right)
  )


TABLE = table([700, 120, 80, 100], [690, 80, 50, 5])


def naive(total, right):
  """The statistics of one table, as SPEC writes them."""
  both, only_1, only_2, neither = total
  n = sum(total)
  a_1, a_2 = (both + only_1) / n, (both + only_2) / n
  expected = a_1 * a_2 + (1 - a_1) * (1 - a_2)
  return {
    'error_inconsistency': (only_1 + only_2) / n,
    'kappa': ((both + neither) / n - expected) / (1 - expected),
    'gain': sum(right) / n - (a_1 + a_2) / 2,
    'conversion_rate': (right[1] + right[2]) / (only_1 + only_2),
  }


def test_measurements_equal_their_definitions():
  tables = np.random.default_rng(0).integers(1, 90, (20, 4))
  rights = np.random.default_rng(1).integers(0, tables + 1)
  got = bootstrap.measurements(tables, rights)
  assert tuple(got) == bootstrap.STATISTICS
  for i in range(20):
    expected = naive(tables[i], rights[i])
    for name, values in got.items():
      assert values[i] == pytest.approx(expected[name], abs=1e-12)


def test_standard_errors_are_those_of_resampling_examples():
  rng = np.random.default_rng(0)
  total, right = TABLE
  # One row an example: its cell, and whether the ensemble is right.
  cells = np.repeat(np.arange(4), total)
  wins = np.concatenate([np.arange(n) < k for n, k in zip(total, right)])
  draws = 3000
  direct = {name: [] for name in bootstrap.STATISTICS}
  for _ in range(draws):
    rows = rng.integers(0, len(cells), len(cells))
    counted = np.bincount(cells[rows], minlength=4)
    won = np.bincount(cells[rows], weights=wins[rows], minlength=4)
    for name, value in naive(counted, won).items():
      direct[name].append(value)
  drawn = bootstrap.resample(TABLE, resamples=draws, seed=0, **NAMES)
  assert (drawn.total.sum(axis=1) == 1000).all()
  assert (drawn.right <= drawn.total).all()
  for name, values in bootstrap.measurements(*drawn).items():
    expected = np.array(direct[name])
    # The standard error of a standard error over 3,000 draws is 1.3 %.
    assert values.std() == pytest.approx(expected.std(), rel=0.06)
    assert abs(values.mean() - expected.mean()) < 0.1 * expected.std()
  intervals = bootstrap.intervals(TABLE, resamples=draws, **NAMES)
  for name, bounds in intervals.items():
    expected = np.quantile(direct[name], [0.025, 0.975])
    np.testing.assert_allclose(
      bounds, expected, atol=0.25 * np.std(direct[name])
    )


def test_the_cost_does_not_depend_on_the_examples():
  def seconds(counts):
    start = time.perf_counter()
    bootstrap.intervals(counts, **NAMES)
    return time.perf_counter() - start

  huge = table(TABLE.total * 10**6, TABLE.right * 10**6)
  small = min(seconds(TABLE) for _ in range(5))
  assert min(seconds(huge) for _ in range(5)) < 20 * small


def test_draws_depend_on_names_and_seed_alone():
  kwargs = dict(resamples=200)
  first = bootstrap.intervals(TABLE, **kwargs, **NAMES)
  assert bootstrap.intervals(TABLE, **kwargs, **NAMES) == first
  other = bootstrap.intervals(TABLE, name_1='base', name_2='x', **kwargs)
  assert other != first
  assert bootstrap.intervals(TABLE, seed=1, **kwargs, **NAMES) != first
  # Names run together are other names.
  one = bootstrap.intervals(TABLE, name_1='ab', name_2='c', **kwargs)
  two = bootstrap.intervals(TABLE, name_1='a', name_2='bc', **kwargs)
  assert one != two


def test_which_model_comes_first_is_of_no_account():
  swap = [0, 2, 1, 3]
  swapped = table(TABLE.total[swap], TABLE.right[swap])
  one = bootstrap.resample(TABLE, resamples=50, seed=3, **NAMES)
  two = bootstrap.resample(
    swapped, resamples=50, seed=3, name_1='other', name_2='base'
  )
  np.testing.assert_array_equal(one.total, two.total[:, swap])
  np.testing.assert_array_equal(one.right, two.right[:, swap])


def test_without_an_ensemble_the_other_intervals_are_the_same():
  hard = bootstrap.intervals(table(TABLE.total), resamples=300, **NAMES)
  soft = bootstrap.intervals(TABLE, resamples=300, **NAMES)
  for name in ('error_inconsistency', 'kappa'):
    assert hard[name] == soft[name]
  for name in ('gain', 'conversion_rate'):
    assert np.isnan(hard[name]).all()


@pytest.mark.parametrize(
  ('total', 'right', 'undefined'),
  [
    ([10, 0, 0, 0], [10, 0, 0, 0], {'kappa', 'conversion_rate'}),
    ([0, 0, 0, 10], [0, 0, 0, 1], {'kappa', 'conversion_rate'}),
    ([0, 1, 0, 0], [0, 1, 0, 0], set()),
    ([5, 1, 0, 5], [5, 1, 0, 0], set()),
    ([0, 0, 0, 0], [0, 0, 0, 0], set(bootstrap.STATISTICS)),
  ],
)
def test_awkward_tables(total, right, undefined):
  found = bootstrap.intervals(table(total, right), resamples=200, **NAMES)
  nan = {name for name, bounds in found.items() if np.isnan(bounds).any()}
  assert nan == undefined
  for lower, upper in (found[name] for name in found if name not in nan):
    assert lower <= upper


def test_no_resamples_no_intervals():
  found = bootstrap.intervals(TABLE, resamples=0, **NAMES)
  assert all(np.isnan(bounds).all() for bounds in found.values())


def test_intervals_cover():
  """Of tables drawn from known shares, 95 % of the intervals hold the truth."""
  rng = np.random.default_rng(0)
  shares = np.array([0.7, 0.1, 0.08, 0.12])
  wins = np.array([0.98, 0.6, 0.55, 0.05])
  truth = bootstrap.measurements(shares, shares * wins)
  hits = dict.fromkeys(bootstrap.STATISTICS, 0)
  for trial in range(300):
    total = rng.multinomial(2000, shares)
    drawn = bootstrap.Table(total, rng.binomial(total, wins))
    found = bootstrap.intervals(
      drawn, resamples=400, name_1='a', name_2=str(trial)
    )
    for name, (lower, upper) in found.items():
      hits[name] += lower <= truth[name] <= upper
  for count in hits.values():
    assert 0.905 <= count / 300 <= 0.985


def test_wider_levels_give_wider_intervals():
  narrow = bootstrap.intervals(TABLE, confidence=0.5, **NAMES)
  wide = bootstrap.intervals(TABLE, confidence=0.99, **NAMES)
  for name in bootstrap.STATISTICS:
    assert wide[name][0] < narrow[name][0] < narrow[name][1] < wide[name][1]
