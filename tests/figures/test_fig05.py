"""Tests of overlap.figures.fig05."""

import numpy as np
import pytest

from overlap import figures
from overlap.figures import fig05


def test_paths(tables, synthetic):
  drawn = fig05.rows(tables)
  paths = drawn[drawn['panel'] == 'path']
  values = synthetic.margins()
  ranked = sorted(
    (m for m in synthetic.MODELS if m != synthetic.HARD_LABEL),
    key=lambda m: -np.mean(values[m] > 0),
  )
  assert list(dict.fromkeys(paths['start'])) == ranked[:3]
  for start, path in paths.groupby('start'):
    assert list(path['members']) == [1, 2, 3, 4]
    first = path.iloc[0]
    assert first['accuracy'] == np.mean(values[start] > 0)
    assert first['category'] == synthetic.MODELS[start]
    assert (path['best_prefix'] == 'yes').sum() == 1
  assert set(paths['protocol']) == {'cross_fitted'}


def test_what_the_halves_add(tables):
  steps = tables['greedy']
  extra = steps[(steps['step'] == 1) & (steps['half'] == 'both')].iloc[[0]]
  start = extra['start'].iloc[0]
  both = steps['start'].eq(start) & steps['half'].eq('both')
  steps.loc[both & (steps['step'] == 1), ['added', 'added_category']] = '', ''
  for half, name in (('1', 'SimCLR'), ('2', 'wide')):
    steps.loc[len(steps)] = extra.iloc[0]
    steps.loc[len(steps) - 1, ['half', 'added']] = half, name
  drawn = fig05.rows(tables)
  row = drawn[(drawn['start'] == start) & (drawn['panel'] == 'path')].iloc[1]
  assert row['added'] == 'SimCLR / wide'
  assert row['shape'] == 'differs between the halves'
  figures.plot('fig05', tables)


def test_first_additions(tables):
  drawn = fig05.rows(tables)
  best = drawn[drawn['panel'] == 'first addition']
  for _, additions in best.groupby('start'):
    assert list(additions['rank']) == [1, 2, 3, 4]
    assert additions['accuracy'].is_monotonic_decreasing
  table = tables['first_additions']
  table = table[table['rank'] <= 4]
  np.testing.assert_array_equal(best['accuracy'], table['accuracy'])
  headings = drawn[drawn['panel'] == 'start']
  rows = np.sort(np.r_[best['row'], headings['row']].astype(int))
  np.testing.assert_array_equal(rows, np.arange(len(rows)))


def test_the_papers_way_is_said_to_be_optimistic(tables):
  notes = figures.plot('fig05', tables)[0].to_dict()['title']['subtitle']
  assert 'scored on the other' in notes[0]
  assert 'BiT-1k from 82.85 % to 86.66 %' in notes[1]
  steps = tables['greedy']
  tables['greedy'] = steps[steps['protocol'] == 'optimistic']
  notes = figures.plot('fig05', tables)[0].to_dict()['title']['subtitle']
  assert 'Optimistic' in notes[0]


def test_without_first_additions(tables):
  del tables['first_additions']
  chart, _ = figures.plot('fig05', tables)
  assert len(chart.to_dict()['hconcat']) == 1


def test_without_larger_ensembles(tables):
  tables['greedy'] = tables['greedy'].query('step == 0')
  with pytest.raises(figures.NotDrawableError, match='at least two models'):
    figures.plot('fig05', tables)
  del tables['greedy']
  with pytest.raises(figures.NotDrawableError, match='at least two models'):
    figures.plot('fig05', tables)
