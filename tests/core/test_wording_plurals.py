"""Nouns and verbs beside numbers."""

import pytest

from overlap.core import wording


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
  assert wording.noun(1, word) == word
  assert wording.noun(0, word) == wording.noun(2, word) == many


def test_counts_and_verbs():
  assert wording.counted(1, 'pair') == '1 pair'
  assert wording.counted(0, 'pair') == '0 pairs'
  assert [wording.verb(n, 'is', 'are') for n in (0, 1, 2)] == [
    'are', 'is', 'are',
  ]  # fmt: skip
