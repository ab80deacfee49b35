"""Tests of overlap.figures.table1."""

import numpy as np
import pytest

from overlap.figures import table1


def test_one_row_a_model_in_order(tables, synthetic):
  drawn = table1.rows(tables)
  assert list(drawn['model']) == list(synthetic.MODELS)
  assert list(drawn['row']) == list(range(len(synthetic.MODELS)))
  for name in ('temperature', 'accuracy', 'error_inconsistency'):
    np.testing.assert_array_equal(drawn[name], tables['models'][name])


def test_papers_values_stand_beside(tables):
  drawn = table1.rows(tables).set_index('model')
  # Table 1 of the paper: CLIP-S 75.67, .1687, 80.42.
  row = drawn.loc['CLIP-S']
  assert row['paper_accuracy'] == pytest.approx(0.7567)
  assert row['paper_error_inconsistency'] == pytest.approx(0.1687)
  assert row['paper_ensemble_accuracy'] == pytest.approx(0.8042)
  assert np.isnan(drawn.loc['base', 'paper_accuracy'])


def test_no_column_of_the_paper_without_its_models(synthetic):
  tables = synthetic.study({'base': 'BASE', 'a': 'ARCH'})
  drawn = table1.rows(tables)
  assert not [name for name in drawn if name.startswith('paper_')]
