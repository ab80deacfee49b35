"""CSV and Parquet of one row an example."""

import numpy as np
import pandas as pd
import pytest

from overlap.core import errors
from overlap.ingest import tables


@pytest.mark.parametrize(
  ('prefix', 'kind'),
  [
    ('logit', 'logits'),
    ('prob', 'probs'),
    ('log_prob', 'log_probs'),
  ],
)
@pytest.mark.parametrize('extension', ['csv', 'parquet'])
def test_scores(case, prefix, kind, extension):
  # Twelve classes: as text, logit_10 would come before logit_2.
  values = np.random.default_rng(0).normal(size=(3, 12))
  order = np.random.default_rng(1).permutation(12)
  frame = pd.DataFrame({f'{prefix}_{i}': values[:, i] for i in order})
  frame['id'] = ['x', 'y', 'z']
  path = str(case.folder / f'm.{extension}')
  if extension == 'csv':
    frame.to_csv(path, index=False)
    found = tables.read_csv(path)
  else:
    frame.to_parquet(path)
    found = tables.read_parquet(path)
  assert (found.kind, found.rows, found.classes) == (kind, 3, 12)
  assert found.ids.tolist() == ['x', 'y', 'z']
  np.testing.assert_array_equal(
    np.concatenate([block for _, block in found.blocks()]), values
  )


def test_classes_by_number_and_by_name(case):
  path = case.csv(
    'm.csv', predicted=['dog', 'cat'], label=[1, 0], confidence=[1, 0.5]
  )
  found = tables.read_csv(str(path))
  assert found.kind == 'classes'
  assert found.predicted.tolist() == ['dog', 'cat']
  assert found.labels.tolist() == [1, 0]
  assert found.confidence.tolist() == [1, 0.5]
  assert found.ids is None


def test_names_of_classes_reach_the_store(case):
  names = [case.class_names[i] for i in case.predicted]
  case.ingest(case.csv('m.csv', id=case.ids, predicted=names))
  np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)


def test_half_a_class(case, refused):
  path = case.csv('m.csv', id=case.ids, predicted=case.predicted + 0.5)
  text = refused(case, errors.DataError, case.ingest, path)
  assert "must be whole numbers, got '1.5' in row 0 and 22 more" in text


@pytest.mark.parametrize(
  ('columns', 'got'),
  [
    ({'id': ['a']}, 'log_probs, got none among id'),
    ({'predicted': [1], 'logit_0': [1]}, 'got logit_0, predicted'),
    ({'logit_0': [1], 'prob_0': [1]}, 'got logit_0, prob_0'),
    ({'logit_1': [1], 'logit_2': [1]}, 'lacks logit_0'),
    ({'logit_0': [1], 'logit_2': [1]}, 'lacks logit_1'),
    ({'logit_0': [1], 'logit_00': [1]}, 'lacks logit_1'),
    ({'predicted': [1], 'confidence': [2.0]}, 'got 2.0 in row 0'),
    ({'predicted': [1], 'confidence': ['x']}, 'x'),
  ],
)
def test_what_is_refused(case, columns, got):
  path = str(case.csv('m.csv', **columns))
  with pytest.raises(errors.DataError, match=got):
    tables.read_csv(path)
