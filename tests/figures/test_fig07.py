"""Tests of overlap.figures.fig07."""

import numpy as np
import pytest

from overlap import figures
from overlap.figures import fig07


def test_rows_are_the_tables(tables):
  drawn = fig07.rows(tables)
  table = tables['transfer']
  assert len(drawn) == len(table) == 10
  assert drawn['score'].is_monotonic_decreasing
  assert list(drawn['row']) == list(range(10))
  assert list(drawn['best']) == ['yes'] + 9 * ['no']
  keys = ['model_1', 'model_2']
  both = drawn.merge(table, on=keys, suffixes=('', '_of_table'))
  np.testing.assert_array_equal(both['score'], both['score_of_table'])
  alone = drawn[drawn['kind'] == 'model']
  assert set(alone['label']) == set(table['model_1'])
  assert alone['pair_row'].isna().all()
  assert alone['gain'].isna().all()


def test_pairs_by_inconsistency_with_its_intervals(tables):
  drawn = fig07.rows(tables)
  mine = drawn[drawn['kind'] == 'pair'].sort_values('pair_row')
  assert mine['error_inconsistency'].is_monotonic_decreasing
  assert list(mine['pair_row']) == list(range(6))
  assert mine['source_accuracy'].isna().all()
  pairs = tables['pairs'].set_index(['model_1', 'model_2'])
  for row in mine.to_dict('records'):
    own = pairs.loc[(row['model_1'], row['model_2'])]
    for end in ('', '_lower', '_upper'):
      name = f'error_inconsistency{end}'
      assert row[name] == own[name]


def test_accuracies_have_the_models_intervals(tables):
  drawn = fig07.rows(tables)
  models = tables['models'].set_index('model')
  for row in drawn[drawn['kind'] == 'model'].to_dict('records'):
    for end in ('', '_lower', '_upper'):
      expected = models.loc[row['model_1'], f'accuracy{end}']
      assert row[f'source_accuracy{end}'] == pytest.approx(expected)


def test_what_it_says(tables):
  spec = figures.plot('fig07', tables)[0].to_dict()
  notes = ' '.join(spec['title']['subtitle'])
  assert '300 test examples (5 labels, several an image)' in notes
  assert 'ViT-G/14 + CLIP-S best, with 91.36 %' in notes
  assert len(spec['hconcat']) == 3
  assert '11-point mAP (%)' in str(spec)


def test_one_label_an_image(tables):
  tables['transfer']['metric'] = 'accuracy'
  spec = figures.plot('fig07', tables)[0].to_dict()
  assert '5 classes' in ' '.join(spec['title']['subtitle'])
  assert 'mAP' not in str(spec['hconcat'])


def test_one_model_has_no_pairs(tables):
  table = tables['transfer']
  tables['transfer'] = table[:1].assign(score_lower=np.nan, score_upper=np.nan)
  spec = figures.plot('fig07', tables)[0].to_dict()
  assert len(spec['hconcat']) == 2
  assert 'Filled' not in ' '.join(spec['title']['subtitle'])


def test_without_transfer(tables):
  tables['transfer'] = tables['transfer'][:0]
  with pytest.raises(figures.NotDrawableError, match='another data set'):
    figures.plot('fig07', tables)


def test_whole_intervals_are_on_the_axes(tables):
  drawn = fig07.rows(tables)
  spec = figures.plot('fig07', tables)[0].to_dict()
  right = spec['hconcat'][2]['layer'][0]['encoding']['x']['scale']['domain']
  assert right[0] < drawn['score_lower'].min()
  assert right[1] > drawn['score_upper'].max()
