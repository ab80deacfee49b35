"""Labels and predicted classes: numbers, names, truths, no value at all."""

import random

import numpy as np
import pandas as pd
import pytest

from overlap import store
from overlap.catalog import prompts
from overlap.core import errors
from overlap.ingest import classes
from overlap.ingest import source as source_lib

SYNSETS = list(prompts.imagenet_names())


def values(*given):
  return source_lib.classes_or_names(list(given), 'x')


@pytest.mark.parametrize(
  'word',
  ['', ' ', 'NA', 'na', 'NaN', 'nan', '<NA>', 'N/A', '#N/A', 'null', 'NULL',
   'None', 'NaT'],
)  # fmt: skip
def test_words_for_no_value(word):
  assert classes.missing(values('a', word), None).tolist() == [False, True]
  # One of the classes may be called so.
  names = ('a', word.strip())
  assert not classes.missing(values('a', word), names).any()


def test_no_value_leaves_numbers_what_they_are():
  found = values('10.0', 'NA', '2.0')
  gaps = classes.missing(found, None)
  assert gaps.tolist() == [False, True, False]
  assert classes.settled(found[~gaps]).tolist() == [10, 2]


@pytest.mark.parametrize(
  ('given', 'scores', 'expected'),
  [
    ([0, 1, 3], None, ['0', '1', '2', '3']),
    ([0, 1], 3, ['0', '1', '2']),
    (['b', 'a'], None, ['a', 'b']),
    (['True'], None, ['False', 'True']),
    (['false', 'TRUE'], None, ['False', 'True']),
    ([], None, []),
    (SYNSETS[5:7], None, sorted(SYNSETS[5:7])),
    (SYNSETS[5:7], 1000, SYNSETS),
    ([*SYNSETS[5:7], 'x'], 1000, [*sorted(SYNSETS[5:7]), 'x']),
  ],
)
def test_names_of_the_classes(given, scores, expected):
  assert classes.names_of(values(*given), scores, 'x') == expected


def test_names_with_numbers_are_in_their_order():
  names = [f'class_{i}' for i in range(12)]
  mixed = random.Random(0).sample(names, len(names))
  assert classes.names_of(values(*mixed), None, 'x') == names


@pytest.mark.parametrize(
  ('given', 'names', 'expected'),
  [
    (['z', 'x'], 'xyz', [2, 0]),
    ([2, 0], 'xyz', [2, 0]),
    ([], 'xyz', []),
    (['True', 'False'], 'xy', [1, 0]),
    (['true', 'FALSE'], ['False', 'True'], [1, 0]),
    (['True', 'False'], ['True', 'False'], [0, 1]),
    (['7', 'x'], ['x', '7'], [1, 0]),
    ([3, 1], '123', [2, 0]),  # called by numbers that begin at 1
    ([0, 2], '123', [0, 2]),
    (['001', '003'], ['001', '002', '003'], [0, 2]),
    ([2, 0], ['00', '01', '02'], [2, 0]),
    ([0, 1], ['cat', '7', 'dog'], [0, 1]),
    ([SYNSETS[7], SYNSETS[0]], list(map(str, range(1000))), [7, 0]),
    ([SYNSETS[0]], ['dog', 'tench'], [1]),
    (['tench'], ['dog', SYNSETS[0]], [1]),
    (['NA', 'x'], ['x', 'NA'], [1, 0]),
    (['caf\u00e9'], ['cafe\u0301'], [0]),
  ],
)
def test_indices(given, names, expected):
  made = classes.indices(values(*given), list(names), 'f')
  assert made.dtype == np.int64
  assert made.tolist() == expected


@pytest.mark.parametrize(
  ('given', 'got'),
  [
    ([0, 3, 4], 'be in [0, 3), the number of classes, got 3 in row 1 and 1'),
    ([-1], 'got -1 in row 0 and 0 more'),
    (['x', 'w', 'v'], "(x, y, z), got 2 other names, among them 'v'"),
    (['x', 'NA', ''], "a class in every row, got 'NA' in row 1 and 1 more"),
    (['x', 'y', '3'], "or names, not both, got '3' in row 2 and 0 more"),
    (['1', 'x', '3'], "or names, not both, got 'x' in row 1 and 0 more"),
    (['1', '0.5', '1.5'], "whole numbers, got '0.5' in row 1 and 1 more"),
    (['missile'], "got 1 other names, among them 'missile'"),
  ],
)  # fmt: skip
def test_indices_that_are_none(given, got):
  with pytest.raises(errors.DataError) as caught:
    classes.indices(values(*given), ('x', 'y', 'z'), 'f')
  assert got in str(caught.value)


@pytest.mark.parametrize('names', ['123', ['01', '02', '03'], ['2', '1', 'x']])
def test_numbers_that_are_names_and_indices_of_other_classes(names):
  with pytest.raises(errors.DataError, match='is the name of class'):
    classes.indices(values(1, 2), list(names), 'f')


def test_two_classes_of_one_name_are_not_told_apart():
  twice = [
    s for s, name in prompts.imagenet_names().items() if name == 'missile'
  ]
  assert len(twice) == 2
  with pytest.raises(errors.DataError, match="among them 'missile'"):
    classes.indices(values('missile'), [*twice, 'x'], 'f')


@pytest.mark.parametrize(
  ('given', 'got'),
  [
    (['1', '2', 'cat'], "got 'cat' in row 2"),
    (['cat', 'dog', '1.0'], "got '1.0' in row 2"),
    (['0.5', '1'], "must be whole numbers, got '0.5' in row 0"),
    ([10**9], 'up to 1,048,576'),
  ],
)
def test_labels_that_name_no_classes(given, got):
  with pytest.raises(errors.DataError) as caught:
    classes.names_of(values(*given), None, 'labels of f')
  assert got in str(caught.value)


# How the labels 0 to 11 and the same predicted classes are written.
WAYS = {
  'floats': [f'{i}.0' for i in range(12)],
  'as np.savetxt writes': [f'{i:.18e}' for i in range(12)],
  'with spaces': [f' {i}' for i in range(12)],
  'with signs': [f'+{i}' for i in range(12)],
  'names': [f'class_{i}' for i in range(12)],
}
FILES = ('csv', 'parquet', 'npz', 'json', 'txt', 'npy')


@pytest.mark.parametrize('file', FILES)
@pytest.mark.parametrize('way', WAYS)
def test_twelve_classes_are_read_right_however_written(make, way, file):
  case = make(rows=12, classes=12)
  rows = np.random.default_rng(1).permutation(12)
  scores = np.eye(12)[rows] * 4.0
  words = np.array(WAYS[way])[rows]
  model = case.npy('m.npy', scores)
  path = case.folder / f'labels.{file}'
  if file == 'csv':
    pd.DataFrame({'label': words}).to_csv(path, index=False)
  elif file == 'parquet':
    pd.DataFrame({'label': words}).to_parquet(path)
  elif file == 'npz':
    np.savez(case.folder / 'm.npz', logits=scores, labels=words)
  elif file == 'json':
    case.json(path.name, words.tolist())
  elif file == 'txt':
    path.write_text('\n'.join(words) + '\n\n')
  else:
    np.save(path, words)
  if file == 'npz':
    case.ingest(case.folder / 'm.npz')
  else:
    case.ingest(model, labels=str(path))
  labels = store.Store(case.workdir).examples('shapes', 'test').labels
  assert labels.tolist() == rows.tolist()
  hard = case.csv('hard.csv', predicted=words)
  case.ingest(hard)
  assert case.read('hard', 'predicted').tolist() == rows.tolist()


@pytest.mark.parametrize('kind', ['float64', 'float32', 'bool', 'decimal'])
def test_types_of_parquet(make, kind):
  case = make(rows=6, classes=2)
  numbers = pd.Series([0, 1, 1, 0, 1, 0])
  if kind == 'decimal':
    pa = pytest.importorskip('pyarrow')
    column = pd.arrays.ArrowExtensionArray(
      pa.array(numbers).cast(pa.decimal128(21, 2))
    )
  else:
    column = numbers.astype(kind)
  path = case.folder / 'm.parquet'
  frame = {'id': case.ids, 'label': column, 'predicted': column}
  pd.DataFrame(frame).to_parquet(path)
  case.ingest(path)
  assert case.read('m', 'predicted').tolist() == numbers.tolist()
  labels = store.Store(case.workdir).examples('shapes', 'test').labels
  assert labels.tolist() == numbers.tolist()
  # The same as text.
  words = pd.Series(column).astype(str)
  case.ingest(case.csv('n.csv', id=case.ids, predicted=words))
  assert case.read('n', 'predicted').tolist() == numbers.tolist()


def test_a_class_that_no_example_has_keeps_its_place(make):
  case = make(rows=4)
  numbers = ['0.0', '1.0', '3.0', '3.0']
  case.ingest(
    case.csv('m.csv', id=case.ids, label=numbers, predicted=[0, 1, 3, 1])
  )
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert found.class_names == ('0', '1', '2', '3')
  assert found.labels.tolist() == [0, 1, 3, 3]
