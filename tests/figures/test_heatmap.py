"""Tests of overlap.figures.heatmap."""

import pandas as pd

from overlap.figures import heatmap


def test_lower_triangle_with_diagonal(tables, synthetic):
  drawn = heatmap.rows(tables)
  size = len(synthetic.MODELS)
  assert len(drawn) == size * (size + 1) / 2
  diagonal = drawn[drawn['model_1'] == drawn['model_2']]
  assert diagonal['error_inconsistency'].isna().all()
  assert list(diagonal['category']) == list(synthetic.MODELS.values())
  place = {name: i for i, name in enumerate(synthetic.MODELS)}
  below = drawn['model_1'].map(place) <= drawn['model_2'].map(place)
  assert below.all()


def test_order_of_pairs_does_not_matter(tables):
  swapped = tables['pairs'].rename(
    columns={'model_1': 'model_2', 'model_2': 'model_1'}
  )
  pd.testing.assert_frame_equal(
    heatmap.rows(tables | {'pairs': swapped.iloc[::-1]}), heatmap.rows(tables)
  )


def test_models_are_ordered_by_category(tables, synthetic):
  shuffled = tables['models'].sample(frac=1, random_state=0)
  drawn = heatmap.rows(tables | {'models': shuffled})
  diagonal = drawn[drawn['model_1'] == drawn['model_2']]
  assert list(diagonal['category']) == list(synthetic.MODELS.values())
