"""Alignment by id against a dictionary; what is told of ids that don't fit."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.ingest import align


@pytest.mark.parametrize('rows', [0, 1, 2, 37])
@pytest.mark.parametrize('seed', range(3))
def test_by_id_is_a_dictionary(rows, seed):
  rng = np.random.default_rng(seed)
  stored = np.array([f'{i:x}' for i in rng.permutation(1000)[:rows]], np.str_)
  ids = rng.permutation(stored)
  places = align.by_id(ids, stored, 'f').places
  place = {name: i for i, name in enumerate(stored.tolist())}
  assert places.dtype == np.int64
  assert places.tolist() == [place[name] for name in ids.tolist()]


@pytest.mark.parametrize(
  ('ids', 'stored', 'told'),
  [
    ('abc', 'abcd', "1 missing ('d'); 0 extra; 0 repeated"),
    ('abcd', 'abc', "0 missing; 1 extra ('d'); 0 repeated"),
    ('aabc', 'abc', "0 missing; 0 extra; 1 repeated ('a')"),
    ('aax', 'abc', "2 missing ('b', 'c'); 1 extra ('x'); 1 repeated ('a')"),
    ('xxyy', 'ab', "2 missing ('a', 'b'); 2 extra ('x', 'y'); 2 repeated"),
    ('', 'abcde', "5 missing ('a', 'b', 'c', ...); 0 extra; 0 repeated"),
    ('fedcba', '', "0 missing; 6 extra ('a', 'b', 'c', ...); 0 repeated"),
  ],
)
def test_what_does_not_fit_is_counted_and_shown(ids, stored, told):
  with pytest.raises(errors.DataError) as caught:
    align.by_id(
      np.array(list(ids), np.str_), np.array(list(stored), np.str_), 'f.csv'
    )
  start = f'f.csv must have each of the {len(stored)} ids of the data set once'
  assert str(caught.value).startswith(start)
  assert told in str(caught.value)


@pytest.mark.parametrize('seed', range(20))
def test_counts_are_those_of_sets(seed):
  rng = np.random.default_rng(seed)
  stored = np.unique(rng.integers(30, size=12)).astype(str)
  ids = rng.integers(30, size=14).astype(str)
  missing = set(stored) - set(ids)
  extra = set(ids) - set(stored)
  repeated = {name for name in ids if (ids == name).sum() > 1}
  with pytest.raises(errors.DataError) as caught:
    align.by_id(ids, stored, 'f')
  for kind, found in (
    ('missing', missing), ('extra', extra), ('repeated', repeated),
  ):  # fmt: skip
    assert f'{len(found)} {kind}' in str(caught.value)


def test_ids_are_compared_as_they_are():
  ids, stored = np.array(['7', 'a ']), np.array(['007', 'a'])
  with pytest.raises(errors.DataError, match=r'2 missing.*2 extra'):
    align.by_id(ids, stored, 'f')


def test_by_row():
  assert align.by_row(3, 3, 'f').tolist() == [0, 1, 2]
  with pytest.raises(errors.DataError, match='got 2 rows: give --ids'):
    align.by_row(2, 3, 'f')
