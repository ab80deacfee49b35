"""The bootstrap over models against loops that repeat what is drawn."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from overlap.analyses import clusters

RNG = np.random.default_rng(0)


def all_pairs(models):
  return np.array([(i, j) for i in range(models) for j in range(i)])


def naive(statistic, members, resamples, seed):
  """Draws models, then repeats each pair as often as its models come."""
  units = np.unique(members)
  generator = np.random.default_rng(seed)
  found = []
  for counts in generator.multinomial(
    len(units), np.full(len(units), 1 / len(units)), size=resamples
  ):
    often = dict(zip(units.tolist(), counts.tolist()))
    rows = [
      row
      for row, pair in enumerate(members.tolist())
      for _ in range(int(np.prod([often[m] for m in pair])))
    ]
    value = statistic(np.array(rows, int))
    if np.isfinite(value):
      found.append(value)
  return np.quantile(found, [0.05, 0.95])


@pytest.mark.parametrize('members', [np.arange(9)[:, None], all_pairs(7)])
def test_statistics_equal_loops(members, monkeypatch):
  monkeypatch.setattr(clusters, '_HELD', 5 * len(members))
  x, y = RNG.normal(size=(2, len(members)))
  y = 0.3 + x + 0.5 * y
  kwargs = dict(resamples=60, seed=4, confidence=0.9)

  def mean(rows):
    return x[rows].mean() if len(rows) else np.nan

  def line(rows):
    if len(np.unique(x[rows])) < 2:
      return None
    return scipy_stats.linregress(x[rows], y[rows])

  def slope(rows):
    found = line(rows)
    return found.slope if found else np.nan

  def pearson(rows):
    found = line(rows)
    return found.rvalue if found else np.nan

  whole = np.arange(len(members))
  for statistic, got in (
    (mean, clusters.mean(x, members, **kwargs)),
    (slope, clusters.slope(x, y, members, **kwargs)),
    (pearson, clusters.pearson(x, y, members, **kwargs)),
  ):
    assert got[0] == pytest.approx(statistic(whole))
    expected = naive(statistic, members, 60, 4)
    np.testing.assert_allclose(got[1:], expected, rtol=1e-9)
    assert got[1] < got[0] < got[2]


def test_what_has_no_interval():
  nothing = np.zeros((0, 1), int)
  assert np.isnan(clusters.mean([], nothing)).all()
  assert np.isnan(clusters.pearson([], [], nothing)).all()
  one = np.array([[3]])
  for found in (
    clusters.mean([0.5], one),
    clusters.mean([0.5, 0.6], np.array([[1], [2]]), resamples=0),
  ):
    assert np.isfinite(found[0])
    assert np.isnan(found[1:]).all()
  # A side that is constant, whose mean is none of its values.
  flat = clusters.slope([0.1, 0.1, 0.1], [1, 2, 3], np.arange(3)[:, None])
  assert np.isnan(flat).all()


def test_missing_values_are_left_out():
  members = np.arange(5)[:, None]
  values = np.array([1.0, np.nan, 2.0, 4.0, np.nan])
  known = [0, 2, 3]
  assert clusters.mean(values, members) == clusters.mean(
    values[known], members[known]
  )


def test_equal_values_have_a_point_as_interval():
  found = clusters.mean([0.1] * 6, np.arange(6)[:, None])
  np.testing.assert_allclose(found, 0.1, rtol=1e-12)


@pytest.mark.parametrize('kind', clusters.INTERVALS)
def test_either_kind_covers_a_slope(kind):
  rng = np.random.default_rng(0)
  functions = clusters.summaries(kind, resamples=300, seed=0)
  hits = []
  for _ in range(300):
    x = rng.normal(size=40)
    y = 2 * x + rng.normal(size=40)
    _, lower, upper = functions.slope(
      x, y, np.arange(40)[:, None], confidence=0.95
    )
    hits.append(lower <= 2 <= upper)
  # The percentiles of 40 models are a little narrow.
  assert 0.9 <= np.mean(hits) <= 0.985


def test_both_kinds_agree_with_many_models():
  members = all_pairs(40)
  effects = RNG.normal(size=40)
  values = effects[members].sum(axis=1) + RNG.normal(size=len(members))
  found = [
    clusters.summaries(kind, resamples=2000, seed=0).mean(
      values, members, confidence=0.95
    )
    for kind in clusters.INTERVALS
  ]
  widths = [upper - lower for _, lower, upper in found]
  assert widths[1] == pytest.approx(widths[0], rel=0.15)
