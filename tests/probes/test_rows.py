"""Rows read in slices."""

import itertools

import numpy as np
import pytest

from overlap.core import errors
from overlap.probes import rows


class Reader:
  """Has a shape and slices, and nothing else of an array."""

  def __init__(self, values):
    self.values, self.shape = values, values.shape

  def __getitem__(self, place):
    assert isinstance(place, slice)
    return self.values[place].tolist()


VALUES = np.arange(21.0).reshape(7, 3)


@pytest.mark.parametrize('size', [0, 1, 3, 7, 100])
@pytest.mark.parametrize('kind', [np.asarray, Reader, list, rows.as_rows])
def test_blocks_are_all_rows_in_order(size, kind):
  blocks = list(rows.as_rows(kind(VALUES)).blocks(size))
  assert [start for start, _ in blocks] == list(range(0, 7, size or 7))
  np.testing.assert_array_equal(np.concatenate([b for _, b in blocks]), VALUES)
  assert all(block.dtype == np.float32 for _, block in blocks)


@pytest.mark.parametrize('devices', [1, 2, 3, 8])
def test_joined_rows_are_those_of_each_device(devices, monkeypatch):
  monkeypatch.setattr(rows.meshes, 'local_parts', lambda n: even(n, devices))
  one, two = rows.as_rows(VALUES), rows.as_rows(Reader(VALUES[:4] + 100))
  both = rows.joined(one, two)
  assert both.shape == (11, 3)
  expected = []
  for first, second in zip(even(7, devices), even(4, devices)):
    expected += [VALUES[first], (VALUES[:4] + 100)[second]]
  expected = np.concatenate(expected)
  for size in (1, 2, 5, 11):
    read = np.concatenate([block for _, block in both.blocks(size)])
    np.testing.assert_array_equal(read, expected)
  of_parts = [
    block for part in both.local_parts() for _, block in both.part_blocks(part)
  ]
  np.testing.assert_array_equal(np.concatenate(of_parts), expected)
  assert len(both.local_parts()) == devices
  labels = rows.joined_labels((one, VALUES[:, 0]), (two, VALUES[:4, 0] + 100))
  np.testing.assert_array_equal(labels, expected[:, 0])


def even(count, devices):
  bounds = [i * count // devices for i in range(devices + 1)]
  return [slice(*pair) for pair in itertools.pairwise(bounds)]


def test_a_reader_of_too_few_rows_is_told():
  short = rows.Rows(lambda start, stop: VALUES[start : stop - 1], (7, 3))
  with pytest.raises(errors.DataError, match=r'\[0, 7\).*got \[6, 3\]'):
    list(short.blocks())


def test_what_is_not_finite_is_told_with_its_row():
  values = VALUES.copy()
  values[5, 1] = np.nan
  with pytest.raises(errors.DataError, match=r'held-out.*row 5'):
    list(rows.as_rows(values, 'held-out').blocks(2))


@pytest.mark.parametrize(
  ('labels', 'match'),
  [
    (np.zeros((4, 2), int), 'one for each of 4'),
    (np.full((4, 3), 2), '0 … 1, got 2'),
    (np.full((4, 3), 0.5), 'integers'),
  ],
)
def test_faulty_labels(labels, match):
  with pytest.raises(errors.DataError, match=match):
    rows.check_labels(labels, 4, 3)


def test_boolean_labels_are_zeros_and_ones():
  given = rows.check_labels(np.eye(3, dtype=bool), 3, 3)
  np.testing.assert_array_equal(given, np.eye(3))
