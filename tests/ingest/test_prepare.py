"""A file of predictions made to fit examples that are stored."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.ingest import examples, prepare


def prepared(case, path, **fields):
  request = case.request(path, **fields)
  known = examples.find(case.workdir, 'shapes', 'test')
  source = prepare.read_source(request, str(path), None, known, None)
  return prepare.prepare(request, source, str(path), known, None)


def test_scores(case):
  made = prepared(case, case.npy('m.npy', case.logits))
  assert (made.kind, made.aligned_by, made.arrays) == (
    'logits', 'row order', {},
  )  # fmt: skip
  assert made.places.tolist() == list(range(len(case.ids)))
  ((_, block),) = made.logits()
  np.testing.assert_array_equal(block, case.logits)


def test_classes(case):
  made = prepared(case, case.npy('m.npy', case.predicted))
  assert made.kind == 'classes'
  assert made.logits is None
  assert made.arrays['predicted'].dtype == np.int32
  np.testing.assert_array_equal(made.arrays['predicted'], case.predicted)


@pytest.mark.parametrize('kind', ['logits', 'probs', 'log_probs'])
def test_the_flag_says_what_numbers_are(case, kind):
  values = {
    'logits': case.logits,
    'probs': case.probabilities,
    'log_probs': np.log(case.probabilities.astype(np.float64)),
  }[kind]
  made = prepared(case, case.npy('m.npy', values), kind=kind)
  assert made.kind == kind
  ((_, block),) = made.logits()
  expected = case.logits if kind == 'logits' else np.log(case.probabilities)
  np.testing.assert_allclose(block, expected, rtol=1e-4, atol=1e-6)


def test_what_looks_like_probabilities_is_asked_about(case, refused):
  path = case.npy('m.npy', case.probabilities)
  text = refused(case, errors.UsageError, prepared, case, path)
  assert 'say --kind=probs, or --kind=logits' in text
  assert prepared(case, path, kind='logits').kind == 'logits'


def test_the_flag_must_not_gainsay_the_file(case, refused):
  path = case.csv('m.csv', id=case.ids, **case.scores())
  text = refused(case, errors.UsageError, prepared, case, path, kind='probs')
  assert "it holds, logits, or be left out, got 'probs'" in text
  assert prepared(case, path, kind='logits').kind == 'logits'


def faulty(case, fault):
  """A file with a fault, and what must be told of it."""
  rows = len(case.ids)
  if fault == 'one class too few':
    return case.npy('m.npy', case.logits[:, 1:]), '4 classes of the data set'
  if fault == 'one class too many':
    values = np.pad(case.logits, [(0, 0), (0, 1)])
    return case.npy('m.npy', values), 'got 5'
  if fault == 'one row too few':
    return case.npy('m.npy', case.logits[1:]), f'got {rows - 1} rows'
  if fault == 'no rows':
    return case.npy('m.npy', case.logits[:0]), 'got no rows'
  if fault == 'no columns':
    return case.npy('m.npy', case.logits[:, :0]), 'got 0'
  if fault == 'three dimensions':
    return case.npy('m.npy', case.logits[None]), 'of shape [1, 23, 4]'
  if fault == 'a class too high':
    return case.npy('m.npy', case.predicted + 3), 'must be in [0, 4)'
  if fault == 'a class below':
    return case.npy('m.npy', case.predicted - 1), 'got -1'
  if fault == 'half a class':
    return case.npy('m.npy', case.predicted + 0.5), 'whole numbers'
  if fault == 'an id missing':
    path = case.csv('m.csv', id=case.ids[1:], predicted=case.predicted[1:])
    return path, f"1 missing ('{case.ids[0]}'); 0 extra; 0 repeated"
  if fault == 'an id repeated':
    ids = np.array([case.ids[1], *case.ids[1:]])
    path = case.csv('m.csv', id=ids, predicted=case.predicted)
    return (
      path,
      f"1 missing ('{case.ids[0]}'); 0 extra; 1 repeated ('{ids[0]}')",
    )
  if fault == 'other ids':
    ids = np.char.add('x', case.ids)
    path = case.csv('m.csv', id=ids, predicted=case.predicted)
    return path, f'{rows} missing'
  if fault == 'other labels':
    labels = (case.labels + 1) % 4
    path = case.csv(
      'm.csv', id=case.ids, predicted=case.predicted, label=labels
    )
    return path, f'got others in {rows} of {rows} rows'
  path = case.folder / 'm.npz'
  beside = {'confidence': case.confidence, 'ids': case.ids}
  np.savez(path, **({'predicted': case.predicted} | beside | {fault: [1]}))
  return path, f'{fault} of {path} must be one for each of its 23 rows, got 1'


@pytest.mark.parametrize(
  'fault',
  [
    'one class too few', 'one class too many', 'one row too few', 'no rows',
    'no columns', 'three dimensions', 'a class too high', 'a class below',
    'half a class', 'an id missing', 'an id repeated', 'other ids',
    'other labels', 'ids', 'labels', 'confidence',
  ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(case, refused, fault):
  path, told = faulty(case, fault)
  text = refused(case, errors.DataError, case.ingest, path)
  assert str(path) in text
  assert told in text


@pytest.mark.parametrize(
  ('names', 'told'),
  [
    (('class 1', 'class 0', 'class 2', 'class 3'), "got 'class 1' where"),
    (('class 0', 'class 1', 'class 2'), 'got 3'),
  ],
)
@pytest.mark.parametrize('hard', [False, True])
def test_classes_in_another_order(case, refused, names, told, hard):
  path = case.folder / 'm.npz'
  values = {'predicted': case.predicted} if hard else {'logits': case.logits}
  np.savez(path, class_names=names, ids=case.ids, **values)
  text = refused(case, errors.DataError, case.ingest, path)
  assert told in text


def test_names_of_classes_that_fit(case):
  for model, names in (('a', case.class_names), ('b', ('0', '1', '2', '3'))):
    path = case.folder / f'{model}.npz'
    np.savez(path, class_names=names, ids=case.ids, logits=case.logits)
    case.ingest(path)
    np.testing.assert_array_equal(case.read(model), case.logits)


def test_predicted_names_have_no_order(case):
  path = case.folder / 'm.npz'
  names = np.array(case.class_names)
  np.savez(
    path, class_names=names[::-1], ids=case.ids, predicted=names[case.predicted]
  )
  case.ingest(path)
  np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)


def test_ids_beside_must_be_as_many(case, refused):
  path = case.npy('m.npy', case.logits)
  ids = str(case.npy('ids.npy', case.ids[1:]))
  text = refused(case, errors.DataError, case.ingest, path, ids=ids)
  assert 'each of the 23 rows' in text
  assert 'got 22' in text
