"""Ids in columns and arrays of any name, and what has none."""

import numpy as np
import pandas as pd
import pytest

from overlap import store
from overlap.core import errors
from overlap.ingest import identify
from overlap.ingest.source import Source

# How a file has the ids of its rows, under names of their own.
WAYS = (
  'filename', 'image', 'path', 'ID', 'Image_ID', 'anything', 'csv index',
  'parquet index', 'parquet named index', 'npz paths', 'npz anything',
)  # fmt: skip


def written(case, way, name='m'):
  """A file of classes, with ids as one has them."""
  kind, _, column = way.rpartition(' ')
  path = case.folder / f'{name}.{kind.split()[0] if kind else "csv"}'
  if kind == 'npz':
    np.savez(path, **{column: case.ids}, predicted=case.predicted)
    return path
  index = pd.Index(case.ids, name='file' if 'named' in way else None)
  frame = pd.DataFrame({'predicted': case.predicted}, index=index)
  if kind == 'csv':
    frame.to_csv(path)
  elif kind:
    frame.to_parquet(path)
  else:
    path = case.csv(path.name, **{column: case.ids}, predicted=case.predicted)
  return path


@pytest.fixture
def shuffled(case):
  return case.in_order(np.random.default_rng(7).permutation(len(case.ids)))


@pytest.mark.parametrize('way', WAYS)
def test_the_column_with_the_stored_ids_is_the_id(case, shuffled, way):
  path = written(shuffled, way)
  ((record, _),) = case.ingest(path, by_order=False)
  assert record['aligned_by'] == 'id'
  np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)
  assert [note[:15] for note in record['notes']] == ['the ids are in ']


@pytest.mark.parametrize('way', WAYS)
def test_the_column_with_the_ids_of_the_labels_is_the_id(make, way):
  case = make()
  labels = case.csv('labels.csv', id=case.ids, label=case.labels)
  order = np.random.default_rng(7).permutation(len(case.ids))
  path = written(case.in_order(order), way)
  case.ingest(path, labels=str(labels), by_order=False)
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert found.ids.tolist() == case.ids[order].tolist()
  assert found.labels.tolist() == case.labels[order].tolist()


@pytest.mark.parametrize('name', ['filename', 'anything'])
@pytest.mark.parametrize('kind', ['csv', 'parquet'])
def test_ids_of_labels_under_other_names(make, name, kind):
  case = make()
  order = np.random.default_rng(7).permutation(len(case.ids))
  frame = pd.DataFrame({name: case.ids, 'label': case.labels}).iloc[order]
  path = case.folder / f'labels.{kind}'
  if kind == 'csv':
    frame.to_csv(path, index=False)
  else:
    frame.to_parquet(path)
  model = case.csv('m.csv', id=case.ids, predicted=case.predicted)
  case.ingest(model, labels=str(path), by_order=False)
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert found.ids.tolist() == case.ids.tolist()
  assert found.labels.tolist() == case.labels.tolist()


def test_a_new_data_set_takes_ids_of_a_usual_name(make):
  """So the next file, in another order, is matched and not taken by row."""
  case = make()
  first = case.csv(
    'a.csv', filename=case.ids, label=case.labels, predicted=case.predicted
  )
  case.ingest(first, by_order=False)
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert found.ids.tolist() == case.ids.tolist()
  other = case.in_order(np.random.default_rng(7).permutation(len(case.ids)))
  case.ingest(written(other, 'filename', 'b'), by_order=False)
  np.testing.assert_array_equal(
    case.read('b', 'predicted'), case.read('a', 'predicted')
  )


def test_a_column_that_numbers_the_rows_is_their_order(make):
  case = make(rows=12)
  rows = np.arange(12)
  case.ingest(
    case.csv(
      'a.csv', **{'': rows}, label=case.labels, predicted=case.predicted
    ),
    by_order=False,
  )
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert identify.are_numbered(found.ids)
  # Such numbers are matched as numbers, and nothing else has to be.
  order = np.random.default_rng(7).permutation(12)
  for name in ('', 'id'):
    columns = {name: rows[order], 'predicted': case.predicted[order]}
    case.ingest(case.csv(f'b{name}.csv', **columns), by_order=False)
    np.testing.assert_array_equal(
      case.read(f'b{name}', 'predicted'), case.predicted
    )
  ((record, _),) = case.ingest(
    case.npy('c.npy', case.predicted), by_order=False
  )
  assert record['aligned_by'] == 'row order'


def test_ids_of_a_data_set_that_has_none_need_by_order(make, refused):
  case = make()
  labels = str(case.npy('labels.npy', case.labels))
  case.ingest(case.npy('a.npy', case.predicted), labels=labels)
  path = case.csv('b.csv', id=case.ids, predicted=case.predicted)
  text = refused(case, errors.DataError, case.ingest, path, by_order=False)
  assert 'no ids but the numbers of its rows' in text
  ((record, _),) = case.ingest(path, by_order=True)
  assert record['aligned_by'] == 'row order'


@pytest.mark.parametrize('kind', ['npy', 'json', 'csv', 'npz', 'parquet'])
def test_what_has_no_ids_is_refused_where_the_store_has(case, refused, kind):
  path = case.folder / f'm.{kind}'
  if kind == 'npy':
    np.save(path, case.predicted)
  elif kind == 'json':
    case.json('m.json', case.predicted.tolist())
  elif kind == 'npz':
    np.savez(path, predicted=case.predicted, paths=np.roll(case.ids, 1)[:-1])
  elif kind == 'csv':
    case.csv(
      'm.csv', predicted=case.predicted, file=[f'{i}x' for i in case.ids]
    )
  else:
    pd.DataFrame({'predicted': case.predicted}).to_parquet(path)
  text = refused(case, errors.DataError, case.ingest, path, by_order=False)
  assert f'the data set has ids, such as {str(case.ids[0])!r}' in text
  assert '--ids=FILE gives them, or --by_order' in text
  ((record, _),) = case.ingest(path, by_order=True)
  assert record['aligned_by'] == 'row order'
  np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)


def test_what_has_no_ids_is_refused_where_the_labels_have(make, refused):
  case = make()
  labels = str(case.csv('labels.csv', id=case.ids, label=case.labels))
  path = case.npy('m.npy', case.logits)
  text = refused(
    case, errors.DataError, case.ingest, path, labels=labels, by_order=False
  )
  assert 'labels.csv has ids' in text
  case.ingest(path, labels=labels, ids=labels, by_order=False)
  assert store.Store(case.workdir).examples('shapes', 'test').ids.tolist() == (
    case.ids.tolist()
  )


def test_ids_that_do_not_fit_are_refused_in_any_case(case, refused):
  ids = np.array(['x', *case.ids[1:]])
  path = case.csv('m.csv', id=ids, predicted=case.predicted)
  for by_order in (False, True):
    text = refused(case, errors.DataError, case.ingest, path, by_order=by_order)
    assert "1 extra ('x')" in text


def test_another_column_than_id_may_hold_the_ids(case):
  path = case.csv(
    'm.csv', id=range(len(case.ids)), file=case.ids, predicted=case.predicted
  )
  case.ingest(path, by_order=False)
  np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)


def test_two_columns_in_different_orders(case, refused):
  path = case.csv(
    'm.csv', a=case.ids, b=case.ids[::-1], predicted=case.predicted
  )
  text = refused(case, errors.DataError, case.ingest, path, by_order=False)
  assert "got 'a' and 'b' with the ids in different orders" in text
  same = case.csv('n.csv', a=case.ids, b=case.ids, predicted=case.predicted)
  case.ingest(same, by_order=False)


@pytest.mark.parametrize(
  ('columns', 'expected'),
  [
    ({'class': ['a', 'b']}, None),
    ({'image': ['a', 'a']}, None),
    ({'image': ['a', 'a'], 'path': ['b', 'c']}, 'path'),
    ({' Path ': ['b', 'c']}, ' Path '),
    ({'': ['0', '1']}, None),
    ({'': ['1', '0']}, ''),
    ({'id': ['0', '1'], 'path': ['b', 'c']}, 'id'),
  ],
)
def test_usual_names(columns, expected):
  arrays = {name: np.array(values) for name, values in columns.items()}
  assert identify.usual_name(arrays) == expected
  source = Source('classes', 2, columns=lambda: arrays)
  found = identify.by_usual_name(source).ids
  assert (found is None) == (expected is None)
  if expected is not None:
    assert found.tolist() == columns[expected]


# Ids of a file and of the store that are of the same examples.
SAME = {
  'a folder': (['val/n1/a.png', 'val/n2/b.png'], ['n1/a.png', 'n2/b.png']),
  'two folders': (['/data/val/a', '/data/val/b'], ['val/a', 'val/b']),
  'a suffix': (['a.JPEG', 'b.JPEG'], ['a', 'b']),
  'another suffix': (['a.JPEG', 'b.JPEG'], ['a.png', 'b.png']),
  'both': (['val/a.JPEG', 'val/b.JPEG'], ['x/a', 'x/b']),
  'backslashes': (['n1\\a', 'n2\\b'], ['n1/a', 'n2/b']),
  'Unicode': (['cafe\u0301', 'b'], ['caf\u00e9', 'b']),
}


@pytest.mark.parametrize('swapped', [False, True])
@pytest.mark.parametrize(('ids', 'stored'), SAME.values(), ids=SAME)
def test_ids_that_differ_in_what_all_share(make, caplog, ids, stored, swapped):
  if swapped:
    ids, stored = stored, ids
  case = make(rows=2, classes=2)
  labels = case.csv('labels.csv', id=stored, label=[0, 1])
  first = case.csv('a.csv', id=ids[::-1], predicted=[1, 0])
  case.ingest(first, labels=str(labels), by_order=False)
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert found.labels.tolist() == [1, 0]
  path = case.csv('b.csv', id=stored, predicted=[0, 1])
  ((record, _),) = case.ingest(path, by_order=False)
  assert case.read('b', 'predicted').tolist() == [1, 0]
  said = [note[:23] for note in record['notes']]
  if 'caf\u00e9' in (*ids, *stored):
    assert said == []
  else:
    assert said == ['ids are matched without']


DIFFERENT = {
  'folders that differ': (['n1/a', 'n2/b'], ['a', 'b']),
  'suffixes that differ': (['a.png', 'b.jpg'], ['a', 'b']),
  'numbers': (['1.0', '2.0'], ['1', '2']),
  'padded numbers': (['01', '02'], ['1', '2']),
  'some that are known': (['val/a', 'b'], ['a', 'b']),
  'other examples': (['val/a', 'val/c'], ['a', 'b']),
  'one twice': (['caf\u00e9', 'cafe\u0301'], ['caf\u00e9', 'b']),
}


@pytest.mark.parametrize(('ids', 'stored'), DIFFERENT.values(), ids=DIFFERENT)
def test_ids_that_are_others(make, refused, ids, stored):
  case = make(rows=2, classes=2)
  case.ingest(case.csv('a.csv', id=stored, label=[0, 1], predicted=[0, 1]))
  path = case.csv('b.csv', id=ids, predicted=[0, 1])
  text = refused(case, errors.DataError, case.ingest, path, by_order=False)
  assert 'must have each of the 2 ids of the data set once' in text


def test_ids_that_are_one_in_unicode(make, refused):
  case = make(rows=2, classes=2)
  path = case.csv(
    'a.csv', id=['caf\u00e9', 'cafe\u0301'], label=[0, 1], predicted=[0, 1]
  )
  text = refused(case, errors.DataError, case.ingest, path)
  assert 'unique' in text


def test_ids_beside_that_the_file_has_in_another_order(case, refused):
  path = case.csv('m.csv', file=case.ids[::-1], predicted=case.predicted)
  ids = str(case.npy('ids.npy', case.ids))
  text = refused(case, errors.DataError, case.ingest, path, ids=ids)
  assert f"'{case.ids[-1]}' in row 0, and --ids has '{case.ids[0]}'" in text


def test_names_of_classes_are_no_ids(make):
  """Arrays of another length than there are rows."""
  case = make()
  path = case.folder / 'm.npz'
  np.savez(path, logits=case.logits, labels=case.labels, names=case.class_names)
  case.ingest(path, by_order=False)
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert identify.are_numbered(found.ids)
