"""Tests of overlap.figures.fig03."""

import numpy as np
import pytest

from overlap.analyses.specialisation import angle
from overlap.figures import fig03, frames, plane, style


def winners(one, two, rng, draws=400):
  """Which classes win under the mean of probabilities, by trying.

  Class 0 is model 1's top with confidence `one`, class 1 is model 2's; what
  is left goes to one other class each, at random, no class above the top.
  """
  won = set()
  for _ in range(draws):
    p, q = np.zeros(12), np.zeros(12)
    p[0], q[1] = one, two
    for scores, top, left in ((p, one, 1 - one), (q, two, 1 - two)):
      for place in rng.permutation(12):
        if scores[place] == 0:
          # All that fits now and then: the extremes decide.
          part = min(left, top) * (1 if rng.random() < 0.7 else rng.random())
          scores[place] = part
          left -= part
    won.add(int((p + q).argmax()))
  return won


def region_of(one, two):
  for name, corners in plane.REGIONS.items():
    x, lower, upper = np.array(corners, float).T
    if x[0] <= one <= x[-1]:
      low, high = np.interp(one, x, lower), np.interp(one, x, upper)
      if low < two < high:
        return name
  return ''


def test_the_regions_are_who_can_win():
  rng = np.random.default_rng(0)
  grid = (np.arange(10) + 0.37) / 10
  expected = {
    'model 1': {0}, 'model 2': {1}, 'one of the two': {0, 1},
    'any class': {0, 1, 2},
  }  # fmt: skip
  seen = set()
  for one in grid:
    for two in grid:
      if min(one, two) < 0.15:  # Of twelve classes none can be so low.
        continue
      won = {min(c, 2) for c in winners(one, two, rng)}
      name = region_of(one, two)
      seen.add(name)
      # What never wins is never seen to; what can win mostly is.
      assert won <= expected[name], (one, two)
      if name in ('model 1', 'model 2'):
        assert won == expected[name]
  assert seen == set(expected)


def test_regions_fill_the_plane_once():
  points = np.random.default_rng(1).random((500, 2))
  for one, two in points:
    inside = 0
    for corners in plane.REGIONS.values():
      x, lower, upper = np.array(corners, float).T
      if x[0] <= one <= x[-1]:
        low, high = np.interp(one, x, lower), np.interp(one, x, upper)
        inside += low < two < high
    assert inside == 1


def test_counts_are_those_of_the_pairs(tables):
  drawn = fig03.rows(tables)
  bins = drawn[drawn['kind'] == 'bin']
  n = int(bins['n'].iloc[0])
  assert set(bins.groupby('panel')['count'].sum()) == {n}
  pairs = tables['pairs'].set_index(['model_1', 'model_2'])
  for side in ('only_1', 'only_2'):
    mine = bins[bins['outcome'] == side].groupby('pair')['count'].sum()
    for pair, count in mine.items():
      # Every example that only one gets right is inconsistent, so in there.
      assert count == pairs.loc[tuple(pair.split(' – ')), side]


def test_means_and_thresholds(tables):
  drawn = fig03.rows(tables)
  means = drawn[drawn['kind'] == 'mean']
  assert len(means) == 6
  table = tables['specialisation'].set_index(['model_1', 'model_2'])
  for _, row in means.iterrows():
    expected = table.loc[tuple(row['pair'].split(' – '))]
    assert row['x'] == expected[f'theta_{row["outcome"]}']
    assert row['lower'] <= row['x'] <= row['upper']
  rules = drawn[drawn['kind'] == 'threshold']['x']
  np.testing.assert_allclose(sorted(rules), [-0.32175, 0.32175], atol=1e-5)
  assert rules.max() == angle.THRESHOLD


def test_panels_stand_as_in_the_paper(tables):
  chart, _ = fig03.plot(tables)
  titles = [panel['title']['text'] for panel in chart.to_dict()['concat']]
  assert [t.split()[0] for t in titles] == [
    'Confidences', 'Both', 'Neither', 'Mean', 'Only', 'Only',
  ]  # fmt: skip
  assert titles[-2:] == ['Only model 2 correct', 'Only model 1 correct']


def test_pairs_of_one_category_have_colours_of_their_own(tables):
  tables['theta'] = tables['theta'].assign(category='ARCH')
  drawn = fig03.rows(tables)
  bins = drawn[drawn['kind'] == 'bin']
  assert bins.groupby('panel')['category'].first().tolist() == list(
    style.ORDER[:3]
  )
  spec = fig03.plot(tables)[0].to_dict()
  assert "'values': ['REINIT" not in str(spec)


@pytest.mark.parametrize('missing', [True, False])
def test_without_pairs(tables, missing):
  if missing:
    del tables['theta']
  else:
    tables['theta'] = tables['theta'].iloc[:0]
  with pytest.raises(frames.NotDrawableError, match='confidences'):
    fig03.plot(tables)
