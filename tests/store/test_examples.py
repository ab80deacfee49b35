"""Ids and labels: written once, agreed upon afterwards."""

import os
import threading

import numpy as np
import pytest

from overlap import store
from overlap.core import errors

NAMES = ('cat', 'dog')


def _write(workdir, **changes):
  given = {
    'dataset': 'pets',
    'split': 'test',
    'ids': ['a', 'é', 'c/3'],
    'labels': [0, 1, 1],
    'class_names': NAMES,
  } | changes
  return store.write_examples(workdir, **given)


def test_round_trip(tmp_path):
  ids_hash = _write(tmp_path)
  assert ids_hash == store.ids_hash(['a', 'é', 'c/3'])
  examples = store.Store(tmp_path).examples('pets', 'test')
  assert examples.ids.tolist() == ['a', 'é', 'c/3']
  assert examples.labels.tolist() == [0, 1, 1]
  assert examples.labels.dtype == np.int32
  assert examples.class_names == NAMES
  assert examples.ids_hash == ids_hash
  assert len(examples) == 3
  assert list(store.check_store(tmp_path)) == []


@pytest.mark.parametrize('size', [0, 1, 1000])
@pytest.mark.parametrize('dtype', [np.int64, np.uint8])
def test_sizes_and_kinds_of_labels(tmp_path, size, dtype):
  ids = np.array([f'{index:04d}' for index in range(size)], dtype=object)
  labels = (np.arange(size) % 2).astype(dtype)
  _write(tmp_path, ids=ids, labels=labels)
  examples = store.Store(tmp_path).examples('pets', 'test')
  assert examples.ids.tolist() == ids.tolist()
  np.testing.assert_array_equal(examples.labels, labels)
  assert list(store.check_store(tmp_path)) == []


def test_writing_the_same_again_changes_nothing(tmp_path):
  first = _write(tmp_path)
  folder = tmp_path / 'predictions/pets/test/examples'
  before = os.stat(folder / 'record.json').st_mtime_ns
  assert _write(tmp_path) == first
  assert os.stat(folder / 'record.json').st_mtime_ns == before


@pytest.mark.parametrize(
  ('changes', 'text'),
  [
    ({'ids': ['a', 'c/3', 'é']}, 'other ids '),
    ({'ids': ['a', 'é'], 'labels': [0, 1]}, 'other ids and labels'),
    ({'labels': [0, 0, 1]}, 'other labels'),
    ({'class_names': ('cat', 'hen')}, 'other class names'),
    ({'targets': np.eye(3, 2)}, 'other targets'),
  ],
)
def test_others_are_refused(tmp_path, changes, text):
  _write(tmp_path)
  with pytest.raises(errors.DataError, match=text):
    _write(tmp_path, **changes)
  examples = store.Store(tmp_path).examples('pets', 'test')
  assert examples.ids.tolist() == ['a', 'é', 'c/3']


@pytest.mark.parametrize(
  ('changes', 'text'),
  [
    ({'labels': [0, 1, 2]}, r'\[0, 2\).* got 2 in row 2'),
    ({'labels': [-1, 1, 0]}, 'got -1 in row 0'),
    ({'labels': [0, 1]}, r'\[2\] for 3 ids'),
    ({'labels': [[0], [1], [1]]}, r'\[3, 1\]'),
    ({'labels': [0.0, 1.0, 1.0]}, 'integers, got float64'),
    ({'ids': ['a', 'a', 'b']}, 'unique'),
    ({'targets': np.zeros((3, 3))}, r'\[3, 2\], one an id and class'),
    ({'targets': np.full((3, 2), 2)}, 'must be 1'),
  ],
)
def test_faulty_ones_are_refused(tmp_path, changes, text):
  with pytest.raises(errors.DataError, match=text):
    _write(tmp_path, **changes)
  assert store.Store(tmp_path).splits() == []


def test_targets(tmp_path):
  targets = np.array([[1, 0], [-1, 1], [0, 1]])
  _write(tmp_path, targets=targets)
  examples = store.Store(tmp_path).examples('pets', 'test')
  np.testing.assert_array_equal(examples.targets, targets)
  assert list(store.check_store(tmp_path)) == []
  with pytest.raises(errors.DataError, match='other targets'):
    _write(tmp_path)
  with pytest.raises(errors.DataError, match='other targets'):
    _write(tmp_path, targets=-targets)


def test_absent_ones_say_what_to_do(tmp_path):
  with pytest.raises(errors.DataError, match='write them first'):
    store.Store(tmp_path).examples('pets', 'test')


def test_a_copied_split_is_refused(tmp_path):
  _write(tmp_path)
  split = tmp_path / 'predictions/pets'
  os.rename(split / 'test', split / 'train')
  with pytest.raises(errors.DataError, match='got those of pets/test'):
    store.Store(tmp_path).examples('pets', 'train')


def test_a_failed_write_leaves_nothing(tmp_path):
  (tmp_path / 'predictions').write_text('in the way')
  with pytest.raises(errors.DataError, match='must be writable'):
    _write(tmp_path)
  assert os.listdir(tmp_path) == ['predictions']


def test_many_at_once_agree(tmp_path):
  results = []
  threads = [
    threading.Thread(target=lambda: results.append(_write(tmp_path)))
    for _ in range(8)
  ]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert results == [_write(tmp_path)] * 8
  assert os.listdir(tmp_path / 'predictions/pets/test') == ['examples']
  assert list(store.check_store(tmp_path)) == []
