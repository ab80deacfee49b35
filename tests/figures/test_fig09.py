"""Tests of overlap.figures.fig09."""

import numpy as np

from overlap.figures import fig09


def test_cells_fill_the_plane(tables):
  cells = fig09.rows(tables)
  cells = cells[cells['kind'] == 'cell']
  for _, mine in cells.groupby('measure'):
    area = (mine['x2'] - mine['x']) * (mine['y2'] - mine['y'])
    np.testing.assert_allclose(area.sum(), 1, atol=1e-3)
  theta = cells[cells['measure'] == 'theta']
  one, two = theta[['x', 'x2']].mean(axis=1), theta[['y', 'y2']].mean(axis=1)
  expected = np.arctan2(1 - two, 1 - one) - np.pi / 4
  np.testing.assert_allclose(theta['value'], expected, atol=1e-4)


def test_bins_are_of_the_furthest_pair(tables):
  drawn = fig09.rows(tables)
  bins = drawn[drawn['kind'] == 'bin']
  assert set(bins['panel']) == {3}
  row = (
    tables['pairs'].set_index(['model_1', 'model_2']).loc[('base', 'CLIP-S')]
  )
  counts = bins.groupby(['measure', 'outcome'])['count'].sum()
  for measure in ('theta', 'confidence_difference'):
    for side in ('only_1', 'only_2'):
      assert counts[measure, side] == row[side]


def test_only_theta_has_thresholds(tables):
  chart, _ = fig09.plot(tables)
  panels = chart.to_dict()['concat']
  assert ['threshold' in str(panel) for panel in panels] == [
    False, False, True, False,
  ]  # fmt: skip
