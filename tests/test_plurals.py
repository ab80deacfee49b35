"""Nouns and verbs beside numbers."""

import pytest

from overlap import plurals


@pytest.mark.parametrize(
  ('word', 'many'),
  [
    ('model', 'models'),
    ('batch', 'batches'),
    ('class', 'classes'),
    ('box', 'boxes'),
    ('entry', 'entries'),
    ('array', 'arrays'),
    ('', ''),
  ],
)
def test_nouns(word, many):
  assert plurals.noun(1, word) == word
  assert plurals.noun(0, word) == plurals.noun(2, word) == many


def test_counts_and_verbs():
  assert plurals.counted(1, 'pair') == '1 pair'
  assert plurals.counted(0, 'pair') == '0 pairs'
  assert [plurals.verb(n, 'is', 'are') for n in (0, 1, 2)] == [
    'are', 'is', 'are',
  ]  # fmt: skip
