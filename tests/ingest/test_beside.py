"""Labels, ids and names of classes beside the predictions."""

import ml_dtypes
import numpy as np
import pandas as pd
import pytest

from overlap.core import errors
from overlap.ingest import beside


def written(folder, kind, values, column):
  path = folder / f'x.{kind}'
  if kind == 'npy':
    np.save(path, values)
  elif kind == 'json':
    pd.Series(values).to_json(path, orient='values')
  elif kind == 'txt':
    path.write_text(''.join(f'{value}\n' for value in values))
  elif kind == 'npz':
    np.savez(path, **{f'{column}s': values})
  elif kind in ('csv', 'csv.gz'):
    pd.DataFrame({column: values}).to_csv(path, index=False)
  elif kind == 'jsonl':
    frame = pd.DataFrame({column: values})
    frame.to_json(path, orient='records', lines=True)
  else:
    pd.DataFrame({column: values}).to_parquet(path)
  return str(path)


KINDS = ['npy', 'npz', 'json', 'jsonl', 'txt', 'csv', 'csv.gz', 'parquet']


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('values', [[3, 1, 2], ['cat', 'dog', 'cat'], [10.0]])
def test_labels(tmp_path, kind, values):
  found = beside.read_labels(written(tmp_path, kind, values, 'label'))
  assert found.labels.tolist() == values
  assert found.ids is None


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('values', [['a', 'b'], ['007', 'x,y']])
def test_ids(tmp_path, kind, values):
  assert beside.read_ids(written(tmp_path, kind, values, 'id')).tolist() == (
    values
  )


@pytest.mark.parametrize(
  'values',
  [
    np.array([[3], [1], [2]]), np.array([3, 1, 2], ml_dtypes.bfloat16),
    np.array([3.0, 1, 2]),
  ],
)  # fmt: skip
def test_labels_as_arrays_of_other_types(tmp_path, values):
  np.save(tmp_path / 'x.npy', values)
  assert beside.read_labels(str(tmp_path / 'x.npy')).labels.tolist() == [
    3,
    1,
    2,
  ]


def test_labels_by_id_in_arrays(tmp_path):
  path = str(tmp_path / 'x.npz')
  np.savez(path, labels=[1, 0], ids=['007', '8'], logits=np.zeros((2, 3)))
  found = beside.read_labels(path)
  assert found.labels.tolist() == [1, 0]
  assert found.ids.tolist() == ['007', '8']
  assert beside.read_ids(path).tolist() == ['007', '8']
  np.savez(path, labels=[1, 0], ids=['007'])
  with pytest.raises(errors.DataError, match='got 2 in labels, 1 in ids'):
    beside.read_labels(path)


@pytest.mark.parametrize(
  'text', ['{"007": 1, "8": 0}', '[{"id": "007", "label": 1}, '
  '{"id": "8", "label": 0}]']
)  # fmt: skip
def test_labels_by_id_in_json(tmp_path, text):
  (tmp_path / 'x.json').write_text(text)
  found = beside.read_labels(str(tmp_path / 'x.json'))
  assert found.labels.tolist() == [1, 0]
  assert found.ids.tolist() == ['007', '8']


def test_labels_by_id(tmp_path):
  (tmp_path / 'x.csv').write_text('label,other,id\n1,x,007\n0,y,8\n')
  found = beside.read_labels(str(tmp_path / 'x.csv'))
  assert found.labels.tolist() == [1, 0]
  assert found.ids.tolist() == ['007', '8']


@pytest.mark.parametrize('kind', ['txt', 'json'])
def test_names_of_classes(tmp_path, kind):
  path = written(tmp_path, kind, ['cat', 'dog'], '')
  assert beside.read_class_names(path) == ('cat', 'dog')


@pytest.mark.parametrize('kind', ['txt', 'json'])
@pytest.mark.parametrize('values', [[], ['cat', 'cat']])
def test_names_that_are_none_or_twice(tmp_path, kind, values):
  path = written(tmp_path, kind, values, '')
  with pytest.raises(errors.DataError, match='must name every class, each onc'):
    beside.read_class_names(path)


@pytest.mark.parametrize(
  ('name', 'content', 'got'),
  [
    ('x.json', '{}', 'got other JSON'),
    ('x.json', '[[1]]', 'got other JSON'),
    ('x.json', '[1.5]', 'got 1.5 in row 0'),
    ('x.npy', np.array([0, 1.5]), 'got 1.5 in row 1'),
    ('x.csv', 'id\n1\n', 'lacks label'),
    ('x.npy', 'no array', 'must be readable as .npy'),
    ('x.txt', b'\xff', "can't decode"),
  ],
)
def test_what_is_refused(tmp_path, name, content, got):
  path = tmp_path / name
  if isinstance(content, np.ndarray):
    np.save(path, content)
  elif isinstance(content, bytes):
    path.write_bytes(content)
  else:
    path.write_text(content)
  with pytest.raises(errors.DataError, match=got):
    beside.read_labels(str(path))


@pytest.mark.parametrize(
  ('read', 'flag'),
  [
    (beside.read_labels, '--labels'),
    (beside.read_ids, '--ids'),
    (beside.read_class_names, '--class_names'),
  ],
)
def test_other_extensions(read, flag):
  with pytest.raises(errors.UsageError, match=f'^{flag} must be a file of one'):
    read('x.pkl')


@pytest.mark.parametrize('read', [beside.read_labels, beside.read_ids])
def test_a_column_id_at_fault_is_not_passed_over(tmp_path, read):
  path = tmp_path / 'x.parquet'
  pd.DataFrame(
    {'id': [0.5, 1.5], 'label': [0, 1], 'file': ['a', 'b']}
  ).to_parquet(path)
  with pytest.raises(errors.DataError, match='column id'):
    read(str(path))


def test_an_empty_id_of_labels_is_refused(make, refused):
  case = make()
  ids = ['', *case.ids[1:]]
  labels = str(case.csv('l.csv', id=ids, label=case.labels))
  path = case.csv('m.csv', id=case.ids, predicted=case.predicted)
  text = refused(case, errors.DataError, case.ingest, path, labels=labels)
  assert f"lacks 1 of 23, the first '{case.ids[0]}' in row 0" in text
