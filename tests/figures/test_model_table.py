"""Tests of the four tables of models."""

import itertools

import numpy as np
import pytest

from overlap import figures
from overlap.catalog import paper
from overlap.figures import model_table, table1, table2, table3, table4

TABLES = (table1, table2, table3, table4)


def test_every_model_is_in_one_table(tables, synthetic):
  names = [list(module.rows(tables)['model']) for module in TABLES]
  inside, above, below, swept = names
  assert above == ['features/imagenet']
  assert below == ['MobileNet-V2']
  assert swept == ['lr/0.5']
  assert sorted(itertools.chain(*names)) == sorted(synthetic.MODELS)
  assert inside == [m for m in synthetic.MODELS if m in inside]


@pytest.mark.parametrize('module', TABLES)
def test_values_are_those_of_the_models(tables, module):
  drawn = module.rows(tables)
  assert list(drawn['row']) == list(range(len(drawn)))
  models = tables['models'].set_index('model').loc[drawn['model']]
  for name in ('temperature', 'accuracy', 'error_inconsistency'):
    np.testing.assert_array_equal(drawn[name], models[name])


def test_without_a_window_table_1_has_all(synthetic):
  tables = synthetic.study(window=False)
  assert list(table1.rows(tables)['model']) == list(synthetic.MODELS)
  for module, said in (
    (table2, 'above the accuracy window to draw table 2'),
    (table3, 'below the accuracy window to draw table 3'),
    (table4, 'seeds or settings outside the accuracy window to draw table 4'),
  ):
    with pytest.raises(figures.NotDrawableError, match=said):
      module.plot(tables)


def test_the_base_is_inside_wherever_the_window_is(tables):
  models = tables['models'].assign(in_window=False)
  found = model_table.sorted_out(models).set_index('model')
  assert found.loc['base', 'place'] == 'inside'
  above = models.set_index('model')['accuracy'] > found.loc['base', 'accuracy']
  others = found.index != 'base'
  assert (found['place'] == 'above')[others].equals(above[others])


def test_papers_values_stand_beside(tables):
  drawn = table1.rows(tables).set_index('model')
  # Table 1 of the paper: CLIP-S 75.67, .1687, 80.42.
  row = drawn.loc['CLIP-S']
  assert row['paper_accuracy'] == pytest.approx(0.7567)
  assert row['paper_error_inconsistency'] == pytest.approx(0.1687)
  assert row['paper_ensemble_accuracy'] == pytest.approx(0.8042)
  assert np.isnan(drawn.loc['base', 'paper_accuracy'])


@pytest.mark.parametrize('number', paper.TABLES)
def test_a_name_may_be_in_any_of_the_papers_tables(synthetic, number):
  published = paper.table(number).iloc[0]
  tables = synthetic.study({'base': 'BASE', published['model']: 'HPARAM'})
  row = table1.rows(tables).set_index('model').loc[published['model']]
  assert row['paper_accuracy'] == published['accuracy'] / 100
  inconsistency = published.get('error_inconsistency', np.nan)
  np.testing.assert_equal(row['paper_error_inconsistency'], inconsistency)


def test_a_name_as_a_config_has_it_is_the_papers(tables):
  key = 'resnet_50_dropout_0_1'
  tables['models']['model'] = tables['models']['model'].replace('wide', key)
  # On other data it is another model.
  drawn = table1.rows(tables).set_index('model')
  assert np.isnan(drawn.loc[key, 'paper_accuracy'])
  tables['models']['method'] = 'Sup. / IN'
  chart, drawn = table1.plot(tables)
  row = drawn.set_index('model').loc[key]
  assert row['paper_model'] == 'ResNet-50 (Dropout 0.1)'
  assert row['paper_accuracy'] == pytest.approx(0.769)
  shown = chart.to_dict()['transform'][0]
  assert shown['calculate'] == 'datum.paper_model||datum.model'


def headings(chart):
  return [
    layer['encoding']['text']['value']
    for layer in chart.to_dict()['layer']
    if 'value' in layer['encoding'].get('text', {})
  ]


def test_columns(tables):
  chart, _ = table1.plot(tables)
  assert headings(chart) == [
    'Model', 'Method', 'Head', 'Category', 'Temperature', 'Accuracy', 'paper',
    'Error inconsistency', 'paper', 'Ensemble accuracy', 'paper',
  ]  # fmt: skip
  chart, _ = table4.plot(tables)
  assert headings(chart) == [
    'Model', 'Method', 'Head', 'Category', 'Accuracy', 'Error inconsistency',
    'Ensemble accuracy',
  ]  # fmt: skip
  # Of a model of its table 4 the paper has the accuracy alone.
  tables['models']['model'] = tables['models']['model'].replace(
    'lr/0.5', 'ResNet-101'
  )
  chart, drawn = table4.plot(tables)
  assert headings(chart)[4:] == [
    'Accuracy', 'paper', 'Error inconsistency', 'Ensemble accuracy',
  ]  # fmt: skip
  assert drawn['paper_accuracy'].tolist() == [0.7842]


def test_no_column_of_the_paper_without_its_models(synthetic):
  tables = synthetic.study({'base': 'BASE', 'a': 'ARCH'})
  drawn = table1.rows(tables)
  assert not [name for name in drawn if name.startswith('paper_')]
