"""JSON lists of classes and of rows of scores; CIFAR-10.1's files."""

import json

import numpy as np
import pytest

from overlap.core import errors
from overlap.ingest import json_file


@pytest.mark.parametrize(
  ('values', 'expected'),
  [
    ([1, 0, 2], [1, 0, 2]),
    ([1.0, 2.0], [1, 2]),
    (['cat', 'dog'], ['cat', 'dog']),
    (['1', 2], [1, 2]),
    ([True, False], ['True', 'False']),
    ([2.0, None], ['2', '']),
    ([float('nan'), 2], ['', '2']),
    ([], []),
  ],
)
def test_classes(case, values, expected):
  found = json_file.read_json(str(case.json('m.json', values)))
  assert found.kind == 'classes'
  assert found.rows == len(expected)
  assert found.predicted.tolist() == expected


def test_scores(case):
  path = str(case.json('m.json', [[1, 2.5], [-3, 4]]))
  found = json_file.read_json(path)
  assert (found.kind, found.rows, found.classes) == ('', 2, 2)
  ((_, block),) = found.blocks()
  assert block.tolist() == [[1, 2.5], [-3, 4]]


@pytest.mark.parametrize(
  ('text', 'got'),
  [
    ('{"a": [1], "b": 2}', 'got dict; --format says'),
    ('3', 'got int'),
    ('[{}]', 'got other things in the list'),
    ('[1, [2]]', 'got other things in the list'),
    ('[[1, 2], [3]]', 'the same length, 2, got 1 in row 1'),
    ('[[1, 2], 3]', 'the same length, 2, got int in row 1'),
    ('[[1, "nan"]]', 'got something else in row 0'),
    ('[[1, true]]', 'got something else in row 0'),
    ('[0.5]', 'got 0.5 in row 0'),
    ('[Infinity]', 'got inf in row 0'),
    (f'[[{10**400}]]', 'must hold numbers'),
    (f'[1, {10**400}]', 'got 1000'),
    ('[1, 2', 'must be readable as JSON'),
    ('[' * 100_000, 'lists within lists'),
  ],
)
def test_what_is_refused(case, text, got):
  path = str(case.file('m.json', text))
  with pytest.raises(errors.DataError) as caught:
    json_file.read_json(path)
  assert got in str(caught.value)


def test_nan_among_scores_is_found_later(case, refused):
  rows = case.logits.astype(float).tolist()
  rows[3][1] = float('nan')
  path = case.file('m.json', json.dumps(rows))
  text = refused(case, errors.DataError, case.ingest, path)
  assert 'in 1 of 23 rows, first in row 3: --allow_nan' in text
  case.ingest(path, allow_nan=True)
  assert np.isnan(case.read('m')[3, 1])


def test_cifar10_1(make):
  case = make(rows=20, classes=10)
  path = case.json('vgg_predictions.json', case.predicted.tolist())
  labels = str(case.npy('labels.npy', case.labels.astype(np.uint16)))
  ((record, _),) = case.ingest(path, labels=labels, format='cifar10.1')
  assert record['model'] == 'vgg'
  np.testing.assert_array_equal(case.read('vgg', 'predicted'), case.predicted)
  found = json_file.read_cifar10_1(str(path))
  assert found.class_names[:2] == ('airplane', 'automobile')


def test_cifar10_1_has_no_scores(case):
  path = str(case.json('m.json', [[1.0, 2.0]]))
  with pytest.raises(errors.DataError, match='got rows of scores'):
    json_file.read_cifar10_1(path)
