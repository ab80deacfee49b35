"""Tests of overlap.report.closeups: what is shown of one pair."""

import json

import numpy as np
import pytest

from overlap.report import closeups, rows

PNG = 'data:image/png;base64,iVBORw0KGgo='


@pytest.fixture
def pairs(tables):
  return rows.pairs_in_order(tables)


@pytest.fixture
def made(tables, pairs):
  return closeups.closeups(tables, pairs)


def test_counts_and_what_the_ensemble_gets_right(made, pairs):
  for counts, right, row in zip(
    made['counts'], made['right'], pairs.to_dict('records')
  ):
    assert sum(counts) == row['n']
    if np.isnan(row['ensemble_accuracy']):
      assert right is None
    else:
      assert sum(right) == row['ensemble_correct']
      assert all(a <= b for a, b in zip(right, counts))


def test_theta_and_classes_are_of_the_same_pair(made, pairs):
  for counts, theta, classes in zip(
    made['counts'], made['theta'], made['classes']
  ):
    if theta is not None:
      assert [sum(side) for side in theta] == counts[1:3]
    for side in classes:
      assert len(side) <= 5
      assert all(len(row) == 5 for row in side)
  assert sum(theta is None for theta in made['theta']) == 14  # Hard labels.
  assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_facts_are_of_the_same_pair(made, tables, pairs):
  headings = made['facts']['headings']
  place = headings.index('Linear CKA')
  similar = tables['similarity'].set_index(['model_1', 'model_2'])['cka']
  for row, texts in zip(pairs.to_dict('records'), made['facts']['rows']):
    key = (row['model_1'], row['model_2'])
    wanted = f'{similar[key]:.3f}' if key in similar else '–'
    assert texts[place].replace('−', '-') == wanted
    assert texts[headings.index('Accuracy of model 1')] == (
      f'{100 * row["accuracy_1"]:.1f} %'
    )


def test_pairs_without_a_row_have_nothing(tables, pairs):
  without = {k: v for k, v in tables.items() if k != 'pair_closeups'}
  for given in (without, tables | {'pair_closeups': _base_rows(tables)}):
    made = closeups.closeups(given, pairs)
    known = [theta is not None for theta in made['theta']]
    wanted = 13 if 'pair_closeups' in given else 0
    assert sum(known) == sum(known[:14]) == wanted
    assert made['classes'][-1] is None


def _base_rows(tables):
  table = tables['pair_closeups']
  return table[table['model_1'] == 'base']


def test_pictures_are_taken_for_the_same_data_alone(tables):
  ids = tables['contested']['id'].tolist()
  given = {
    'dataset': 'fashion_mnist', 'split': 'test', 'size': 8,
    'images': {
      ids[0]: PNG, ids[1]: 'https://example.org/a.png',
      ids[2]: 'data:text/html;base64,PGI+', ids[3]: f'{PNG}" onload="x',
    },
  }  # fmt: skip
  found = closeups.contested(tables, given)
  assert [row.get('image') for row in found[:5]] == [PNG, *4 * [None]]
  assert [row['id'] for row in found] == ids
  for changed in ({'dataset': 'other'}, {'split': 'train'}):
    found = closeups.contested(tables, given | changed)
    assert not any('image' in row for row in found)
  assert not any('image' in row for row in closeups.contested(tables, {}))
  del tables['contested']
  assert closeups.contested(tables, given) == []
