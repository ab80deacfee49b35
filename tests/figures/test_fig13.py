"""Tests of overlap.figures.fig13."""

import numpy as np
import pytest

from overlap import figures
from overlap.figures import fig13


def subtitles(tables):
  spec = figures.plot('fig13', tables)[0].to_dict()
  return spec['title']['subtitle'], [
    panel['title'].get('subtitle') for panel in spec['concat']
  ]


def test_a_point_a_pair(tables, synthetic):
  drawn = fig13.rows(tables)
  models = len(synthetic.MODELS) - 1  # One has hard labels alone.
  assert len(drawn) == models * (models - 1) // 2
  table = tables['similarity'].set_index(['model_1', 'model_2'])
  for row in drawn.itertuples():
    same = table.loc[row.model_1, row.model_2]
    for name in ('cka', 'cka_debiased', 'cca', 'mutual_knn', 'category'):
      assert getattr(row, name) == same[name]
    outside = {row.model_1, row.model_2} & set(synthetic.OUTSIDE)
    assert row.in_window == ('no' if outside else 'yes')


def test_correlations_are_over_all_pairs_within_the_window(tables):
  notes, panels = subtitles(tables)
  correlations = tables['similarity_correlations']
  row = correlations[correlations['scope'] == 'all'].iloc[0]
  assert f'over {row["n"]} pairs within the accuracy window' in notes[1]
  r = f'{row["pearson"]:.2f}'.replace('-', '−')
  assert panels[0][0].startswith(f'r = {r} (')
  assert len(panels) == 4
  assert 'by chance 2.5 % in common' in notes[2]


def test_or_over_those_with_the_base(tables):
  correlations = tables['similarity_correlations']
  tables['similarity_correlations'] = correlations[
    correlations['scope'] == 'base'
  ]
  notes, _ = subtitles(tables)
  assert 'pairs with the base, within the accuracy window' in notes[1]


def test_two_pairs_have_no_correlation(tables):
  tables['similarity_correlations']['n'] = 2
  notes, panels = subtitles(tables)
  assert panels == [[]] * 4
  assert notes.count('r: too few pairs (2) for a correlation.') == 1


def test_without_correlations(tables):
  del tables['similarity_correlations']
  notes, panels = subtitles(tables)
  assert not any('r:' in note for note in notes)
  assert panels == [[]] * 4


def test_a_similarity_that_no_pair_has_is_left_out(tables):
  tables['similarity'][['cca', 'mutual_knn']] = np.nan
  notes, panels = subtitles(tables)
  assert len(panels) == 2
  assert not any('Neighbours' in note for note in notes)


def test_without_features(tables):
  tables['similarity'] = tables['similarity'].iloc[:0]
  with pytest.raises(figures.NotDrawableError, match='both have features'):
    figures.plot('fig13', tables)
  del tables['similarity']
  with pytest.raises(figures.NotDrawableError, match='both have features'):
    figures.plot('fig13', tables)
