"""The multinomial bootstrap against resampling the examples themselves."""

import time

import numpy as np
import pytest

from overlap.analyses import bootstrap

ONE, TWO = ('base', 'other'), ('other', 'base')


def table(total, right=None):
  return bootstrap.Table(
    np.array(total), None if right is None else np.array(right)
  )


def of_one(drawn):
  """`[1, ...]` arrays of a table without the first axis."""
  return bootstrap.Table(*(None if t is None else t[0] for t in drawn))


def resample(counts, names=ONE, **kwargs):
  """Of one pair."""
  several = bootstrap.Table(*(None if t is None else t[None] for t in counts))
  return of_one(bootstrap.resample(several, names=[names], **kwargs))


def intervals(counts, names=ONE, **kwargs):
  """Of one pair."""
  several = bootstrap.Table(*(None if t is None else t[None] for t in counts))
  found = bootstrap.intervals(several, names=[names], **kwargs)
  return {name: tuple(bounds[:, 0].tolist()) for name, bounds in found.items()}


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
  drawn = resample(TABLE, resamples=draws, seed=0)
  assert (drawn.total.sum(axis=1) == 1000).all()
  assert (drawn.right <= drawn.total).all()
  for name, values in bootstrap.measurements(*drawn).items():
    expected = np.array(direct[name])
    # The standard error of a standard error over 3,000 draws is 1.3 %.
    assert values.std() == pytest.approx(expected.std(), rel=0.06)
    assert abs(values.mean() - expected.mean()) < 0.1 * expected.std()
  for name, bounds in intervals(TABLE, resamples=draws).items():
    expected = np.quantile(direct[name], [0.025, 0.975])
    np.testing.assert_allclose(
      bounds, expected, atol=0.25 * np.std(direct[name])
    )


def test_the_cost_does_not_depend_on_the_examples():
  def seconds(counts):
    start = time.perf_counter()
    intervals(counts)
    return time.perf_counter() - start

  huge = table(TABLE.total * 10**6, TABLE.right * 10**6)
  small = min(seconds(TABLE) for _ in range(5))
  assert min(seconds(huge) for _ in range(5)) < 20 * small


def test_draws_depend_on_names_and_seed_alone():
  kwargs = dict(resamples=200)
  first = intervals(TABLE, **kwargs)
  assert intervals(TABLE, **kwargs) == first
  assert intervals(TABLE, ('base', 'x'), **kwargs) != first
  assert intervals(TABLE, seed=1, **kwargs) != first
  # Names run together are other names.
  one = intervals(TABLE, ('ab', 'c'), **kwargs)
  assert intervals(TABLE, ('a', 'bc'), **kwargs) != one


def test_a_pair_among_many_is_drawn_as_it_is_alone(monkeypatch):
  rng = np.random.default_rng(4)
  totals = rng.integers(0, 90, (70, 4))
  rights = rng.integers(0, totals + 1)
  names = [(f'm{i % 9}', f'm{i}') for i in range(70)]
  kwargs = dict(resamples=30, seed=5)
  many = bootstrap.Table(totals, rights)
  drawn = bootstrap.resample(many, names=names, **kwargs)
  found = bootstrap.intervals(many, names=names, **kwargs)
  for i in (0, 1, 33, 69):
    alone = resample(table(totals[i], rights[i]), names[i], **kwargs)
    np.testing.assert_array_equal(drawn.total[i], alone.total)
    np.testing.assert_array_equal(drawn.right[i], alone.right)
    bounds = intervals(table(totals[i], rights[i]), names[i], **kwargs)
    for name in bootstrap.STATISTICS:
      np.testing.assert_array_equal(found[name][:, i], bounds[name])
  # Whatever the blocks and the order.
  monkeypatch.setattr(bootstrap, '_HELD', 60)
  backwards = bootstrap.intervals(
    bootstrap.Table(totals[::-1], rights[::-1]), names=names[::-1], **kwargs
  )
  for name in bootstrap.STATISTICS:
    np.testing.assert_array_equal(backwards[name][:, ::-1], found[name])


def test_without_smoothing_empty_cells_stay_empty():
  counts = table([90, 0, 3, 7], [90, 0, 2, 0])
  plain = resample(counts, resamples=500, seed=0, smoothing=0.0)
  assert (plain.total[:, 1] == 0).all()
  assert (plain.right <= plain.total).all()
  drawn = resample(counts, resamples=500, seed=0)
  # Half an example of 101.
  assert drawn.total[:, 1].mean() == pytest.approx(50 / 101, abs=0.15)
  assert (drawn.total.sum(axis=1) == 100).all()
  assert intervals(table([93, 0, 0, 7]))['error_inconsistency'][1] > 0


def test_which_model_comes_first_is_of_no_account():
  swap = [0, 2, 1, 3]
  swapped = table(TABLE.total[swap], TABLE.right[swap])
  one = resample(TABLE, resamples=50, seed=3)
  two = resample(swapped, TWO, resamples=50, seed=3)
  np.testing.assert_array_equal(one.total, two.total[:, swap])
  np.testing.assert_array_equal(one.right, two.right[:, swap])
  assert intervals(TABLE) == intervals(swapped, TWO)


def test_percentiles_are_those_of_the_finite_values():
  rng = np.random.default_rng(0)
  values = rng.normal(size=(6, 41))
  values[1, ::2] = np.nan
  values[2] = np.nan
  values[3, 1:] = np.nan
  values[4, 5] = np.inf
  got = bootstrap.percentiles(values, 0.9)
  for row, bounds in zip(values, got.T):
    finite = row[np.isfinite(row)]
    if len(finite):
      np.testing.assert_allclose(bounds, np.quantile(finite, [0.05, 0.95]))
    else:
      assert np.isnan(bounds).all()
  assert np.isnan(bootstrap.percentiles(np.zeros((3, 0)), 0.9)).all()


def test_without_an_ensemble_the_other_intervals_are_the_same():
  hard = intervals(table(TABLE.total), resamples=300)
  soft = intervals(TABLE, resamples=300)
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
  found = intervals(table(total, right), resamples=200)
  nan = {name for name, bounds in found.items() if np.isnan(bounds).any()}
  assert nan == undefined
  for lower, upper in (found[name] for name in found if name not in nan):
    assert lower <= upper


def test_no_resamples_no_intervals():
  found = intervals(TABLE, resamples=0)
  assert all(np.isnan(bounds).all() for bounds in found.values())


def test_wider_levels_give_wider_intervals():
  narrow = intervals(TABLE, confidence=0.5)
  wide = intervals(TABLE, confidence=0.99)
  for name in bootstrap.STATISTICS:
    assert wide[name][0] < narrow[name][0] < narrow[name][1] < wide[name][1]
