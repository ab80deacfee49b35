"""The paper's tables and figures, against each other and the paper's text."""

import collections

import numpy as np
import pytest

from overlap.catalog import categories, paper
from overlap.catalog.paper import published
from overlap.core import errors


def gains(table):
  """Fractions: the ensemble's accuracy over the pair's mean."""
  mean = (table.accuracy + 100 * published.BASE_ACCURACY) / 2
  return (table.ensemble_accuracy - mean) / 100


@pytest.mark.parametrize(
  ('number', 'rows', 'first', 'last'),
  [
    (1, 50, 'ResNet-50', 'CLIP-L-ZS'),
    (2, 7, 'EfficientNet-B3', 'BiT-1k'),
    (3, 2, 'CLIP-S-ZS', 'BiT-JFT'),
    (4, 25, 'ResNet-101', 'ResNet-50 (LR 0.01, WD 0.001)'),
  ],
)
def test_each_table_has_the_paper_s_rows(number, rows, first, last):
  table = paper.table(number)
  assert len(table) == rows
  assert (table.model.iloc[0], table.model.iloc[-1]) == (first, last)
  assert table.model.is_unique
  assert not table.isna().any().any()
  assert set(table.category) <= set(categories.CATEGORIES)
  assert table.accuracy.between(25, 91).all()


@pytest.mark.parametrize('number', [0, 5, -1])
def test_another_number_is_a_usage_error(number):
  with pytest.raises(errors.UsageError, match='Choices: 1, 2, 3, 4'):
    paper.table(number)


def test_the_tables_can_be_changed_without_changing_the_next_reading():
  table = paper.table(1)
  table['accuracy'] = 0.0
  assert paper.table(1).accuracy.min() > 74


def test_the_models_are_as_many_as_the_text_says():
  counts = collections.Counter(
    category
    for number in paper.TABLES
    for category in paper.table(number).category
  )
  # Besides the 82 there are the REINIT row and EfficientNet-B3 (ARCH).
  expected = published.MODEL_COUNTS | {'REINIT': 1, 'ARCH': 18}
  assert counts == expected
  assert sum(published.MODEL_COUNTS.values()) == 82


def test_the_main_table_keeps_to_the_window():
  low, high = published.ACCURACY_WINDOW
  assert paper.table(1).accuracy.between(100 * low, 100 * high).all()


def test_the_correlation_follows_from_table_1():
  table = paper.table(1)
  found = np.corrcoef(table.error_inconsistency, gains(table))[0, 1]
  assert round(found, 3) == published.CORRELATION


@pytest.mark.parametrize('category', categories.CATEGORIES)
def test_the_means_of_a_category_follow_from_table_1(category):
  table = paper.table(1)
  rows = table[table.category == category]
  inconsistency = rows.error_inconsistency.mean()
  assert inconsistency == pytest.approx(
    published.ERROR_INCONSISTENCY[category], abs=5.1e-5
  )
  assert gains(rows).mean() == pytest.approx(
    published.GAIN[category], abs=5.1e-5
  )


def test_the_text_s_accuracies_are_the_tables():
  accuracy = {
    row.model: row.accuracy
    for number in paper.TABLES
    for row in paper.table(number).itertuples()
  }
  start, alone, together, bound = published.GREEDY
  assert accuracy[start] == pytest.approx(100 * alone)
  assert bound < alone < together
  for start, (added, pair) in published.FIRST_ADDITIONS.items():
    assert accuracy[added] < accuracy[start] < 100 * pair


def test_what_the_ensemble_converts_grows_and_what_neither_has_shrinks():
  converted, neither = zip(*published.NEITHER.values(), strict=True)
  assert list(converted) == sorted(converted)
  assert list(neither) == sorted(neither, reverse=True)
