"""Which products are made together."""

import itertools

import numpy as np
import pytest

from overlap.analyses.similarity import grams


@pytest.mark.parametrize('entries', [1, 100, 400, 2**27])
@pytest.mark.parametrize('seed', range(3))
def test_every_product_is_made_once_after_its_models_own(
  monkeypatch, entries, seed
):
  monkeypatch.setattr(grams, 'ENTRIES', entries)
  rng = np.random.default_rng(seed)
  widths = rng.integers(1, 15, 9).tolist()
  every = list(itertools.combinations(range(9), 2))
  pairs = [every[i] for i in rng.choice(len(every), 12, replace=False)]
  made = [pair for taken in grams.plan(widths, pairs) for pair in taken.pairs]
  used = {i for pair in pairs for i in pair}
  assert sorted(made) == sorted([*pairs, *((i, i) for i in used)])
  for place, pair in enumerate(made):
    assert {(i, i) for i in pair} <= set(made[: place + 1])


@pytest.mark.parametrize('entries', [100, 400])
def test_a_pass_has_no_more_than_there_is_room_for(monkeypatch, entries):
  monkeypatch.setattr(grams, 'ENTRIES', entries)
  widths = [3, 5, 2, 9, 4, 1, 7]
  every = list(itertools.combinations(range(7), 2))
  for taken in grams.plan(widths, every):
    size = sum(widths[i] * widths[j] for i, j in taken.pairs)
    assert size <= entries
    assert {i for pair in taken.pairs for i in pair} == set(taken.models)


def test_wide_models_are_taken_one_by_one(monkeypatch):
  monkeypatch.setattr(grams, 'ENTRIES', 1)
  taken = grams.plan([50, 60], [(0, 1)])
  assert [t.pairs for t in taken] == [[(0, 0)], [(1, 1)], [(0, 1)]]


def test_where_all_fits_there_is_one_pass():
  taken = grams.plan([2048, 1024], [(0, 1)])
  assert [t.pairs for t in taken] == [[(0, 0), (1, 1), (0, 1)]]


def test_of_no_pairs():
  assert grams.plan([3, 4], []) == []
