"""Tests of Fig. 4 and Fig. 12, and of what they share."""

import numpy as np
import pandas as pd
import pytest

from overlap.figures import fig04, fig12, frames, scatter, views

FIGURES = {'panel': fig04, 'contrast': fig12}


@pytest.mark.parametrize('view', FIGURES)
def test_points_are_the_examples(tables, view):
  drawn = FIGURES[view].rows(tables)
  points = drawn[drawn['kind'] == 'point']
  examples = tables['theta_examples']
  examples = examples[examples['view'] == view]
  np.testing.assert_array_equal(points['id'], examples['id'])
  np.testing.assert_allclose(points['x'], examples['theta'], atol=1e-4)
  assert (points.groupby('id')['y'].nunique() == 1).all()


def test_few_classes_stand_by_their_groups(tables):
  drawn = fig04.rows(tables)
  names = drawn[drawn['kind'] == 'class'].sort_values('y')
  assert names['label'].tolist() == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
  points = drawn[drawn['kind'] == 'point']
  place = dict(zip(names['label'], names['y']))
  away = points['y'] - points['label'].map(place)
  assert away.abs().max() < 0.42
  bands = drawn[drawn['kind'] == 'band'].set_index('group')
  assert bands.loc['even', ['y', 'y2']].tolist() == [-0.46, 4.46]
  assert bands.loc['odd <b>', ['y', 'y2']].tolist() == [4.54, 9.46]


def many(tables):
  """The same study with a class index in the hundreds."""
  for name in ('theta_examples', 'classes'):
    tables[name] = tables[name].assign(label=tables[name]['label'] * 100)
  tables['classes'] = pd.concat(
    [tables['classes'].assign(label=tables['classes']['label'] + i)
     for i in range(5)]
  )  # fmt: skip
  texts = {'even': '0-300', 'odd <b>': '500-900'}
  groups = tables['class_groups']
  tables['class_groups'] = groups.assign(classes=groups['group'].map(texts))
  return tables


def test_many_classes_stand_at_their_index(tables):
  drawn = fig04.rows(many(tables))
  assert 'class' not in set(drawn['kind'])
  bands = drawn[drawn['kind'] == 'band']
  assert bands['group'].unique().tolist() == ['even', 'odd <b>']
  points = drawn[drawn['kind'] == 'point']
  assert (points['y'] - points['label'].astype(float)).abs().max() < 0.42
  panel = fig04.plot(tables)[0].to_dict()['concat'][0]
  titles = [layer['encoding']['y'].get('title') for layer in panel['layer']
            if 'y' in layer['encoding']]  # fmt: skip
  assert 'Class index' in titles


def test_colours_are_those_of_who_is_right(tables):
  drawn = fig12.rows(tables)
  points = drawn[drawn['kind'] == 'point']
  assert set(points.loc[points['outcome'] == 'only_1', 'category']) == {
    'FRAMEWORK'
  }
  assert set(points.loc[points['outcome'] == 'only_2', 'category']) == {
    'DATASET'
  }
  assert views.alone_legend(tables, views.pairs(tables, 'contrast')) == [
    'FRAMEWORK', 'DATASET',
  ]  # fmt: skip


def test_two_models_of_one_category_are_told_apart(tables):
  tables['models'] = tables['models'].assign(category='ARCH')
  drawn = fig12.rows(tables)
  points = drawn[drawn['kind'] == 'point']
  assert points.groupby('outcome')['category'].first().nunique() == 2
  assert views.alone_legend(tables, views.pairs(tables, 'contrast')) == []


@pytest.mark.parametrize('view', FIGURES)
def test_details_are_of_the_groups(tables, view):
  drawn = FIGURES[view].rows(tables)
  bins = drawn[drawn['kind'] == 'bin']
  groups = {'even', 'odd <b>'} | ({''} if view == 'contrast' else set())
  assert set(bins['group']) == groups
  assert set(bins['outcome']) == {'only_1', 'only_2'}
  table = tables['class_groups'].set_index(['model_1', 'model_2', 'group'])
  summed = (
    bins[bins['group'] != '']
    .groupby(['model_1', 'model_2', 'group', 'outcome'])['count']
    .sum()
  )
  for (*key, outcome), count in summed.items():
    assert count == table.loc[tuple(key), outcome]


def test_two_groups_at_most():
  bins = pd.DataFrame({'group': ['', 'a', 'b', 'c', 'd'], 'n': [9, 1, 4, 2, 4]})
  assert scatter.group_names(bins) == ['b', 'd']
  assert scatter.group_names(bins.iloc[:1]) == []


def test_without_groups_there_are_no_details(tables):
  tables['class_groups'] = tables['class_groups'].iloc[:0]
  tables['theta'] = tables['theta'][tables['theta']['group'] == '']
  chart, drawn = fig04.plot(tables)
  assert len(chart.to_dict()['concat']) == 3
  assert 'band' not in set(drawn['kind'])
  assert len(fig12.plot(tables)[0].to_dict()['concat']) == 3


def test_without_points(tables):
  tables['theta_examples'] = tables['theta_examples'].iloc[:0]
  with pytest.raises(frames.NotDrawableError, match='theta_examples'):
    fig04.plot(tables)
  seen = tables['theta']
  tables['theta'] = seen[seen['view'] == 'panel']
  with pytest.raises(frames.NotDrawableError, match='DATASET'):
    fig12.plot(tables)
