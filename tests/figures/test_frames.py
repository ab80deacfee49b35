"""Tests of overlap.figures.frames."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from overlap.catalog.paper import published
from overlap.figures import frames


def test_base_name(tables):
  assert frames.base_name(tables['models']) == 'base'
  with pytest.raises(frames.NotDrawableError, match='got 0'):
    frames.base_name(tables['models'].iloc[1:])


def test_base_pairs(tables, synthetic):
  pairs = frames.base_pairs(tables)
  assert list(pairs['model']) == list(synthetic.MODELS)[1:]
  assert list(pairs['category']) == list(synthetic.MODELS.values())[1:]
  models = tables['models'].set_index('model')
  np.testing.assert_array_equal(
    pairs['accuracy'], models.loc[pairs['model'], 'accuracy']
  )
  assert set(pairs['base_accuracy']) == {models.loc['base', 'accuracy']}
  outside = pairs.loc[pairs['in_window'] == 'no', 'model']
  assert list(outside) == ['lr/0.5', 'MobileNet-V2', 'features/imagenet']


def test_base_pairs_where_the_base_is_second(tables):
  swapped = dict(tables)
  names = {'model_1': 'model_2', 'model_2': 'model_1'}
  names |= {'accuracy_1': 'accuracy_2', 'accuracy_2': 'accuracy_1'}
  swapped['pairs'] = tables['pairs'].rename(columns=names)
  columns = ['model', 'category', 'accuracy', 'base_accuracy', 'gain']
  pd.testing.assert_frame_equal(
    frames.base_pairs(swapped)[columns], frames.base_pairs(tables)[columns]
  )


def test_base_pairs_without_any(tables):
  pairs = tables['pairs']
  none = pairs[pairs['model_1'] != 'base']
  with pytest.raises(frames.NotDrawableError, match='got none'):
    frames.base_pairs(tables | {'pairs': none})


def test_unknown_category_is_drawn_last(tables):
  pairs = tables['pairs'].copy()
  pairs.loc[0, 'category'] = ''
  drawn = frames.base_pairs(tables | {'pairs': pairs})
  assert drawn['category'].iloc[-1] == 'unknown'
  assert drawn['model'].iloc[-1] == 'seed 1'


@pytest.mark.parametrize('default', [True, False])
def test_flag(default):
  values = [True, False, np.True_, 'False', 1.0, 0, None, np.nan, pd.NA, '']
  frame = pd.DataFrame({'a': pd.Series(values, dtype=object)})
  expected = [True, False, True, False, True, False] + [default] * 4
  assert list(frames.flag(frame, 'a', default=default)) == expected
  assert list(frames.flag(frame, 'b', default=default)) == [default] * 10


@pytest.mark.parametrize('size', [0, 1, 2, 7])
def test_offsets_keep_points_apart(size):
  values = np.random.default_rng(size).normal(size=size)
  places = frames.offsets(values, height=0.5)
  assert places.shape == (size,)
  assert (np.abs(places) <= 1).all()
  for i in range(size):
    for j in range(i):
      same = places[i] == places[j]
      assert not same or abs(values[i] - values[j]) >= 0.5


def test_offsets_are_deterministic_and_bounded():
  values = np.zeros(30)
  first = frames.offsets(values, height=1.0)
  np.testing.assert_array_equal(first, frames.offsets(values, height=1.0))
  assert len(set(first)) == 7
  assert frames.offsets([0.3], height=1.0) == [0]


def test_domain():
  values = pd.Series([0.1, 0.2])
  none = pd.Series([np.nan, np.nan])
  # The margin is a twentieth of 0.1.
  assert frames.domain(values, none, none) == pytest.approx([0.095, 0.205])
  inside = frames.domain(values, pd.Series([0.09]), pd.Series([0.21]))
  assert inside == pytest.approx([0.09 - 0.006, 0.21 + 0.006])
  # A quarter of the span, 0.025, is all that an interval may add.
  wide = frames.domain(values, pd.Series([-5.0]), pd.Series([5.0]))
  assert wide == pytest.approx([0.075 - 0.0075, 0.225 + 0.0075])


def test_domain_of_one_value():
  one = pd.Series([0.5])
  low, high = frames.domain(one, pd.Series([np.nan]), pd.Series([np.nan]))
  assert low < 0.5 < high


def test_paper_points_agree_with_what_the_paper_says():
  points = frames.paper_points()
  assert len(points) == 50
  r = np.corrcoef(points['error_inconsistency'], points['gain'])[0, 1]
  assert r == pytest.approx(published.CORRELATION, abs=5e-4)
  means = points.groupby('category')[['error_inconsistency', 'gain']].mean()
  for category, value in published.ERROR_INCONSISTENCY.items():
    assert means.loc[category, 'error_inconsistency'] == pytest.approx(
      value, abs=5e-5
    )
    assert means.loc[category, 'gain'] == pytest.approx(
      published.GAIN[category], abs=5e-5
    )


def test_csv_reads_back_exactly():
  rng = np.random.default_rng(0)
  frame = pd.DataFrame(
    {
      'model': ['a,b', 'c "d"', 'e\nf'],
      'x': [rng.random(), np.nan, 1 / 3],
      'n': pd.array([1, None, 3], dtype='Int64'),
    }
  )
  rows = list(csv.DictReader(io.StringIO(frames.to_csv(frame), newline='')))
  assert [row['model'] for row in rows] == list(frame['model'])
  assert [row['n'] for row in rows] == ['1', '', '3']
  assert float(rows[0]['x']) == frame['x'][0]
  assert rows[1]['x'] == ''
  assert float(rows[2]['x']) == 1 / 3


def test_stack():
  parts = [
    pd.DataFrame({'category': ['ARCH'], 'x': [1.5], 'n': [3], 'other': [1]}),
    pd.DataFrame({'category': []}),
    pd.DataFrame({'category': ['']}),
  ]
  whole = frames.stack(parts, {'category': 'str', 'x': 'float', 'n': 'int'})
  assert list(whole.columns) == ['category', 'x', 'n']
  assert list(whole['category']) == ['ARCH', 'unknown']
  assert whole['x'].iloc[0] == 1.5
  assert np.isnan(whole['x'].iloc[1])
  assert frames.to_csv(whole) == 'category,x,n\nARCH,1.5,3\nunknown,,\n'
