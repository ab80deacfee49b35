"""Tests of overlap.report.heat: what the heat map is drawn from."""

import itertools
import json

import numpy as np
import pytest

from overlap.report import heat, rows


@pytest.fixture
def made(tables):
  return heat.heat(tables, rows.pairs_in_order(tables))


def test_pairs_are_those_of_the_table(made, tables):
  table = rows.pairs_table(tables)
  names = [
    [made['models'][i] for i in (one, two)]
    for one, two in zip(made['first'], made['second'])
  ]
  assert names == [row[:2] for row in table.rows]
  headings = [column.heading for column in table.columns]
  for measure in made['measures']:
    place = headings.index(measure['heading'])
    texts = [row[place] for row in table.rows]
    assert len(measure['values']) == len(texts)
    for value, text in zip(measure['values'], texts):
      assert (value is None) == (text == '–')
    known = [v for v in measure['values'] if v is not None]
    low = texts[measure['values'].index(min(known))]
    assert low.startswith(measure['low'].split()[0])
  assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_orders(made, tables):
  categories = tables['models']['category'].tolist()
  met = [categories[i] for i in made['orders']['category']]
  assert met == [
    'BASE', 'REINIT', 'REINIT', *4 * ['HPARAM'], *3 * ['ARCH'],
    *2 * ['FRAMEWORK'], *3 * ['DATASET'],
  ]  # fmt: skip
  order = made['orders']['clustering']
  assert sorted(order) == list(range(15))
  # Those next to one another err more alike than others do.
  apart = np.zeros((15, 15))
  values = made['measures'][0]['values']
  apart[made['first'], made['second']] = values
  apart += apart.T
  beside = [
    np.mean([apart[a, b] for a, b in itertools.pairwise(places)])
    for places in (order, made['orders']['category'], range(15))
  ]
  assert beside[0] < min(beside[1:])


def test_without_all_pairs_there_is_no_clustering(tables):
  pairs = rows.pairs_in_order(tables)
  made = heat.heat(tables, pairs[pairs['model_1'] == 'base'])
  assert list(made['orders']) == ['category']
  pairs.loc[3, 'error_inconsistency'] = np.nan
  assert list(heat.heat(tables, pairs)['orders']) == ['category']


def test_what_no_pair_has_cannot_be_shown(synthetic):
  models = {'base': 'BASE', synthetic.HARD_LABEL: 'DATASET'}
  study = synthetic.study(models)
  made = heat.heat(study, rows.pairs_in_order(study))
  assert [m['heading'] for m in made['measures']] == [
    'Error inconsistency', 'Kappa',
  ]  # fmt: skip


def test_the_pair_shown_first_errs_most_differently(tables):
  pairs = rows.pairs_in_order(tables)
  most = pairs['error_inconsistency'].max()
  first = heat.most_apart(pairs)
  assert pairs.loc[first, 'error_inconsistency'] == most
  assert heat.most_apart(pairs.assign(error_inconsistency=np.nan)) == 0
