"""Tests of overlap.figures.fig01."""

import numpy as np
import pytest

from overlap.catalog.paper import published
from overlap.figures import fig01


def test_rows(tables, synthetic):
  drawn = fig01.rows(tables)
  models = drawn[drawn['kind'] == 'model']
  assert list(models['model']) == list(synthetic.MODELS)[1:]
  values = synthetic.margins()
  for row in models.to_dict('records'):
    differ = (values['base'] > 0) != (values[row['model']] > 0)
    assert row['error_inconsistency'] == pytest.approx(differ.mean())
    assert row['lower'] < row['error_inconsistency'] < row['upper']


def test_means(tables):
  drawn = fig01.rows(tables)
  means = drawn[drawn['kind'] == 'category mean']
  ours = means[means['source'] == 'this study'].set_index('category')
  table = tables['categories'].set_index('category')
  assert list(ours.index) == list(table.index)
  np.testing.assert_array_equal(
    ours['error_inconsistency'], table['error_inconsistency']
  )
  paper = means[means['source'] != 'this study'].set_index('category')
  for category, value in published.ERROR_INCONSISTENCY.items():
    mean = paper.loc[category, 'error_inconsistency']
    assert mean == pytest.approx(value, abs=5e-5)


def test_only_categories_of_the_study(synthetic):
  tables = synthetic.study({'base': 'BASE', 'a': 'ARCH', 'b': 'ARCH'})
  assert set(fig01.rows(tables)['category']) == {'ARCH'}


def test_means_stand_beside_the_points(tables):
  drawn = fig01.rows(tables)
  models = drawn[drawn['kind'] == 'model']
  assert models['offset'].abs().max() < drawn['offset'].max()
  paper = drawn[drawn['source'] != 'this study']
  assert paper['offset'].max() < models['offset'].min()
