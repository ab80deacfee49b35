"""Tests of overlap.figures.fig06."""

import numpy as np
import pytest

from overlap import figures
from overlap.figures import fig06


def test_means_by_category(tables):
  drawn = fig06.rows(tables)
  shares = drawn[drawn['kind'] == 'joined']
  table = tables['joined']
  for row in shares.itertuples():
    own = table[
      (table['category'] == row.category) & (table['percent'] == row.percent)
    ]
    pairs = own.groupby('model_2')['accuracy'].mean()
    assert row.accuracy == pytest.approx(pairs.mean())
    assert row.pairs == len(pairs)
  assert set(shares['percent']) == {0, 25, 50, 75, 100}


def test_gains_are_those_of_the_table(tables):
  drawn = fig06.rows(tables)
  gains = drawn[drawn['kind'] == 'gain'].set_index('model')
  table = tables['joined_pairs'].set_index('model_2')
  assert set(gains.index) == set(table.index)
  for name in ('half_gain', 'half_gain_lower', 'error_inconsistency'):
    np.testing.assert_array_equal(gains[name], table[name][gains.index])


def test_one_ranking_and_the_control(tables):
  drawn = fig06.rows(tables)
  kept = drawn[drawn['kind'] == 'compressed']
  assert set(kept['ranking']) == {'correlation', 'random'}
  tables['compression'] = tables['compression'].query('ranking != "random"')
  kept = fig06.rows(tables).query('kind == "compressed"')
  assert set(kept['ranking']) == {'correlation'}
  figures.plot('fig06', tables)


def test_a_size_that_few_pairs_have_is_no_mean(tables):
  table = tables['compression']
  few = table['model_2'] == table['model_2'].iloc[0]
  tables['compression'] = table[few | (table['kept'] < 128)]
  drawn = fig06.rows(tables).query('kind == "compressed"')
  category = table['category'].iloc[0]
  own = drawn[drawn['category'] == category]
  assert set(own['kept']) == {16, 32, 64}


def test_all_of_a_wider_model_is_left_out(tables):
  table = tables['joined']
  wide = table.index[table['percent'] == 0][0]
  before = fig06.rows(tables)
  tables['joined'].loc[wide, 'dims_2'] = 512
  drawn = fig06.rows(tables)
  assert len(drawn) <= len(before)
  assert not drawn.equals(before)


def test_without_compression(tables):
  del tables['compression']
  spec = figures.plot('fig06', tables)[0].to_dict()
  assert len(spec['concat']) == 2
  spec = figures.plot('fig06', tables | {
    'joined_correlations': tables['joined_correlations'].iloc[:0],
  })[0].to_dict()  # fmt: skip
  assert spec['concat'][1]['title']['subtitle'] == ['A point a pair']


@pytest.mark.parametrize(('pairs', 'shown'), [(4, False), (5, True)])
def test_a_correlation_needs_five_pairs(tables, pairs, shown):
  tables['joined_correlations']['n'] = pairs
  spec = figures.plot('fig06', tables)[0].to_dict()
  (said,) = spec['concat'][1]['title']['subtitle']
  assert ('r = 0.97' in said) == shown
  assert ('too few pairs (4) for a correlation' in said) != shown


def test_without_joined_features(tables):
  tables['joined_pairs'] = tables['joined_pairs'].iloc[:0]
  with pytest.raises(figures.NotDrawableError, match='probe_train'):
    figures.plot('fig06', tables)
