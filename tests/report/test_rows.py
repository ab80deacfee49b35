"""Tests of overlap.report.rows."""

import pandas as pd
import pytest

from overlap.report import rows


def cells(table, row):
  return dict(
    zip([column.heading for column in table.columns], table.rows[row])
  )


def test_models(tables, synthetic):
  table = rows.models_table(tables)
  assert [row[0].removesuffix(' †') for row in table.rows] == list(
    synthetic.MODELS
  )
  base = cells(table, 0)
  assert base['Error inconsistency'] == '–'
  accuracy = (synthetic.margins()['base'] > 0).mean()
  assert base['Accuracy'].startswith(f'{100 * accuracy:.1f} % (')
  hard = cells(table, list(synthetic.MODELS).index(synthetic.HARD_LABEL))
  assert hard['Temperature'] == hard['NLL'] == hard['Ensemble accuracy'] == '–'
  assert [row[0] for row in table.rows if '†' in row[0]] == [
    'lr/0.5 †', 'MobileNet-V2 †', 'features/imagenet †',
  ]  # fmt: skip


def test_pairs(tables, synthetic):
  table = rows.pairs_table(tables)
  assert len(table.rows) == table.total == 105
  first = cells(table, 0)
  assert (first['Model 1'], first['Model 2']) == ('base', 'seed 1')
  values = synthetic.margins()
  right = (values['base'] > 0) & (values['seed 1'] > 0)
  assert first['Both'] == f'{right.sum():,}'


@pytest.mark.parametrize('limit', [1, 14, 20])
def test_pairs_with_the_base_come_first(tables, limit):
  pairs = tables['pairs'].iloc[::-1]
  table = rows.pairs_table(tables | {'pairs': pairs}, limit=limit)
  assert len(table.rows) == limit
  assert all(row[0] == 'base' for row in table.rows[:14])
  assert f'The first {limit} of 105' in table.caption


def test_categories(tables):
  table = rows.categories_table(tables)
  assert [row[0] for row in table.rows] == [
    'REINIT', 'HPARAM', 'ARCH', 'FRAMEWORK', 'DATASET',
  ]  # fmt: skip
  # Table 1 of the paper: 18.43 % and 5.25 points.
  last = cells(table, 4)
  assert last['Paper: inconsistency'] == '18.4 %'
  assert last['Paper: gain'] == '+5.25'
  assert rows.categories_table({'categories': pd.DataFrame()}) is None
  assert rows.categories_table({}) is None


def test_headings_are_unique(tables):
  for make in (rows.models_table, rows.pairs_table, rows.categories_table):
    headings = [column.heading for column in make(tables).columns]
    assert len(set(headings)) == len(headings)


def uncategorised(tables):
  for name in ('models', 'pairs'):
    table = tables[name]
    tables[name] = table.assign(
      category=table['category'].where(table['category'] == 'BASE', '')
    )
  return tables


def test_a_column_of_unknown_categories_takes_no_room(tables):
  made = rows.pairs_table(uncategorised(tables))
  headings = [column.heading for column in made.columns]
  assert headings[:3] == ['Model 1', 'Model 2', 'Error inconsistency']
  assert {len(row) for row in made.rows} == {len(headings)}


@pytest.mark.parametrize(
  'make', [rows.models_table, rows.pairs_table, rows.categories_table]
)
@pytest.mark.parametrize('known', [True, False])
def test_all_from_the_first_number_on_are_numbers(tables, make, known):
  made = make(tables if known else uncategorised(tables))
  numeric = [column.numeric for column in made.columns]
  assert numeric == [
    place >= made.first_number for place in range(1, len(numeric) + 1)
  ]
