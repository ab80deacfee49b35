"""Labels that are not there: refused with the row, or left out and counted."""

import json

import numpy as np
import pandas as pd
import pytest

from overlap import store
from overlap.core import errors

GAP = 5  # the row without a label


def labels_file(case, kind, word, labels=None):
  """A file of labels with one missing, as the kind of file writes it."""
  values = list(case.labels if labels is None else labels)
  path = case.folder / f'labels.{kind}'
  if kind == 'npy':
    floats = np.array(values, np.float64)
    floats[GAP] = np.nan
    np.save(path, floats)
  elif kind == 'json':
    values = [int(value) for value in values]
    values[GAP] = None
    path.write_text(json.dumps(values))
  elif kind == 'txt':
    words = [str(value) for value in values]
    words[GAP] = word
    path.write_text('\n'.join(words) + '\n')
  elif kind == 'csv':
    words = [str(value) for value in values]
    words[GAP] = word
    pd.DataFrame({'id': case.ids, 'label': words}).to_csv(path, index=False)
  else:
    series = pd.Series(values, dtype='float64' if word else 'Int64')
    series[GAP] = np.nan if word else pd.NA
    pd.DataFrame({'id': case.ids, 'label': series}).to_parquet(path)
  return path


FILES = [
  ('npy', ''), ('json', ''), ('txt', ''), ('txt', 'NaN'), ('csv', ''),
  ('csv', 'NA'), ('csv', 'null'), ('csv', 'None'), ('parquet', ''),
  ('parquet', 'NaN'),
]  # fmt: skip


@pytest.mark.parametrize(('kind', 'word'), FILES)
@pytest.mark.parametrize('scores', [False, True])
def test_a_missing_label(make, refused, kind, word, scores):
  case = make()
  values = case.logits if scores else case.predicted
  model = case.npy('m.npy', values)
  path = str(labels_file(case, kind, word))
  text = refused(case, errors.DataError, case.ingest, model, labels=path)
  assert f'in row {GAP} and 0 more: --missing=drop' in text
  ((record, _),) = case.ingest(model, labels=path, missing='drop')
  said = (
    '1 row of 23 left out, for the data set has no label of the example, the '
    'first row 5'
  )
  assert record['notes'].count(said) == 1
  found = store.Store(case.workdir).examples('shapes', 'test')
  kept = np.delete(np.arange(23), GAP)
  assert found.labels.tolist() == case.labels[kept].tolist()
  assert len(found.class_names) == 4
  stored = case.read('m', 'logits' if scores else 'predicted')
  np.testing.assert_array_equal(stored, values[kept])
  # A further model over all examples, with and without their ids.
  again = case.npy('n.npy', values[::-1])
  ids = str(case.npy('ids.npy', case.ids[::-1]))
  if kind in ('csv', 'parquet'):
    case.ingest(again, ids=ids, missing='drop')
    np.testing.assert_array_equal(
      case.read('n', 'logits' if scores else 'predicted'), values[kept]
    )
  case.npy('o.npy', values)
  case.ingest(case.folder / 'o.npy', labels=path, missing='drop')
  np.testing.assert_array_equal(
    case.read('o', 'logits' if scores else 'predicted'), values[kept]
  )


@pytest.mark.parametrize('kind', ['csv', 'parquet', 'npz'])
def test_a_missing_label_in_the_file_of_predictions(make, refused, kind):
  case = make()
  floats = case.labels.astype(np.float64)
  floats[GAP] = np.nan
  predicted = case.predicted.copy()
  predicted[GAP] = 99  # of no example that stays
  columns = {'id': case.ids, 'label': floats, 'predicted': predicted}
  path = case.folder / f'm.{kind}'
  if kind == 'csv':
    case.csv('m.csv', **columns)
  elif kind == 'parquet':
    pd.DataFrame(columns).to_parquet(path)
  else:
    np.savez(path, ids=case.ids, labels=floats, predicted=predicted)
  text = refused(case, errors.DataError, case.ingest, path)
  assert f'labels of {path} must be there in every row' in text
  assert f'in row {GAP} and 0 more' in text
  case.ingest(path, missing='drop')
  kept = np.delete(case.predicted, GAP)
  np.testing.assert_array_equal(case.read('m', 'predicted'), kept)
  # A model that comes later, with a row of the example that was left out.
  other = case.csv('n.csv', id=case.ids, predicted=case.predicted)
  text = refused(case, errors.DataError, case.ingest, other)
  assert f"1 extra ('{case.ids[GAP]}')" in text
  assert '--missing=drop leaves such rows out' in text
  case.ingest(other, missing='drop')
  np.testing.assert_array_equal(case.read('n', 'predicted'), kept)


def test_confidences_of_what_is_left_out_go_too(make):
  case = make()
  words = case.labels.astype(str).astype(object)
  words[GAP] = ''
  path = case.csv(
    'm.csv', id=case.ids, label=words, predicted=case.predicted,
    confidence=case.confidence,
  )  # fmt: skip
  case.ingest(path, missing='drop')
  np.testing.assert_allclose(
    case.read('m', 'confidence'), np.delete(case.confidence, GAP), rtol=1e-6
  )


def test_a_class_may_be_called_none(make):
  case = make(rows=3, classes=2)
  path = case.csv(
    'm.csv', id=case.ids, label=['none', 'cat', 'none'], predicted=[0, 1, 1]
  )
  names = str(case.file('names.txt', 'none\ncat\n'))
  case.ingest(path, class_names=names)
  labels = store.Store(case.workdir).examples('shapes', 'test').labels
  assert labels.tolist() == [0, 1, 0]


def test_no_label_at_all(make, refused):
  case = make(rows=3)
  path = case.csv('m.csv', id=case.ids, label=['', 'NA', ''], predicted=[0] * 3)
  text = refused(case, errors.DataError, case.ingest, path, missing='drop')
  assert 'must be there, got none at all' in text


def test_a_missing_prediction_is_refused_whatever_is_asked(case, refused):
  words = case.predicted.astype(str).astype(object)
  words[GAP] = 'NA'
  path = case.csv('m.csv', id=case.ids, predicted=words)
  for missing in ('refuse', 'drop'):
    text = refused(case, errors.DataError, case.ingest, path, missing=missing)
    assert f"a class in every row, got 'NA' in row {GAP}" in text


def test_a_fault_is_told_with_its_row_in_the_file(make, refused):
  """Rows that are left out before it count."""
  case = make()
  words = case.labels.astype(str).astype(object)
  words[GAP] = ''
  predicted = case.predicted.copy()
  predicted[GAP + 4] = 99
  path = case.csv('m.csv', id=case.ids, label=words, predicted=predicted)
  text = refused(case, errors.DataError, case.ingest, path, missing='drop')
  assert f'got 99 in row {GAP + 4} and 0 more' in text


def test_labels_of_more_examples_than_there_are_predictions(make):
  case = make()
  labels = str(case.csv('labels.csv', id=case.ids, label=case.labels))
  order = [7, 3, 11]
  path = case.csv('m.csv', id=case.ids[order], predicted=case.predicted[order])
  ((record, _),) = case.ingest(path, labels=labels, by_order=False)
  assert '20 of the 23 examples' in record['notes'][0]
  found = store.Store(case.workdir).examples('shapes', 'test')
  assert found.ids.tolist() == case.ids[order].tolist()
  assert found.labels.tolist() == case.labels[order].tolist()
  case.ingest(case.csv('n.csv', id=case.ids[order], predicted=[0, 1, 2]))


def test_labels_of_fewer_examples(make, refused):
  case = make()
  some = slice(0, 20)
  labels = str(
    case.csv('labels.csv', id=case.ids[some], label=case.labels[some])
  )
  path = case.csv('m.csv', id=case.ids, predicted=case.predicted)
  text = refused(case, errors.DataError, case.ingest, path, labels=labels)
  assert f"lacks 3 of 23, the first '{case.ids[20]}' in row 20" in text
  case.ingest(path, labels=labels, missing='drop')
  np.testing.assert_array_equal(
    case.read('m', 'predicted'), case.predicted[some]
  )


def test_an_unknown_way(case, refused):
  path = case.npy('m.npy', case.logits)
  text = refused(case, errors.UsageError, case.ingest, path, missing='droop')
  assert "Did you mean 'drop'" in text
