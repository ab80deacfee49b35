"""What timm's inference.py writes, in each of its formats and shapes."""

import json

import numpy as np
import pandas as pd
import pytest

from overlap.core import errors
from overlap.ingest import timm

FILES = ['n01/a.jpg', '007', '[1]']
TOP = np.array([[2, 0], [1, 2], [0, 1]])
PROBS = np.array([[0.75, 0.25], [0.5, 0.25], [1.0, 0.0]], np.float32)


def save(folder, kind: str, columns: dict) -> str:
  """As timm does: arrays as text in CSV, `filename` as index elsewhere."""
  frame = pd.DataFrame(columns)
  if kind == 'csv':
    path = folder / 'm.csv'
    frame.to_csv(path, index=False)
  elif kind == 'parquet':
    path = folder / 'm.parquet'
    frame.set_index('filename').to_parquet(path)
  elif kind == 'json':
    path = folder / 'm.json'
    frame.set_index('filename').to_json(path, indent=4, orient='index')
  else:
    path = folder / 'm.json'
    frame.to_json(path, indent=4, orient='split', index=False)
  return str(path)


@pytest.fixture(params=['csv', 'parquet', 'json', 'json-split'])
def read(request, tmp_path):
  return lambda **columns: timm.read_timm(
    save(tmp_path, request.param, {'filename': FILES} | columns)
  )


def check_best(found, predicted=(2, 1, 0), confidence=True):
  assert found.kind == 'classes'
  assert found.ids.tolist() == FILES
  assert found.predicted.tolist() == list(predicted)
  if confidence:
    np.testing.assert_allclose(found.confidence, PROBS[:, 0])
  else:
    assert found.confidence is None


def test_the_best_class(read):
  check_best(read(index=TOP[:, 0], prob=PROBS[:, 0]))


def test_the_best_classes_as_lists(read):
  check_best(read(index=list(TOP), prob=list(PROBS)))


def test_the_best_classes_in_columns(read):
  check_best(
    read(
      index_0=TOP[:, 0], index_1=TOP[:, 1], prob_0=PROBS[:, 0],
      prob_1=PROBS[:, 1],
    )
  )  # fmt: skip


def test_logits_of_the_best_are_no_confidences(read):
  check_best(read(index=TOP[:, 0], logit=PROBS[:, 0] * 30), confidence=False)


@pytest.mark.parametrize('several', [False, True])
def test_names_of_the_best(read, several):
  names = np.array(['cat', "giant's dog", 'fox, red'])[TOP]
  label = list(names) if several else names[:, 0]
  prob = list(PROBS) if several else PROBS[:, 0]
  found = read(label=label, prob=prob)
  check_best(found, predicted=['fox, red', "giant's dog", 'cat'])


@pytest.mark.parametrize('output', ['prob', 'logit'])
@pytest.mark.parametrize(
  ('classes', 'separate'),
  [(2, False), (12, False), (1200, False), (2, True), (12, True)],
)
def test_all_classes(read, output, classes, separate):
  rng = np.random.default_rng(0)
  scores = rng.dirichlet(np.ones(classes), size=3).astype(np.float32)
  if separate:
    columns = {f'{output}_{i}': scores[:, i] for i in range(classes)}
  else:
    columns = {output: list(scores)}
  # inference.py has NumPy print arrays in full.
  with np.printoptions(threshold=10**6):
    found = read(**columns)
  assert found.kind == {'prob': 'probs', 'logit': 'logits'}[output]
  assert (found.rows, found.classes) == (3, classes)
  assert found.ids.tolist() == FILES
  values = np.concatenate([block for _, block in found.blocks()])
  np.testing.assert_allclose(values, scores, atol=1e-7)


@pytest.mark.parametrize(
  ('columns', 'got'),
  [
    ({}, 'must (have a column index, label, prob or logit|hold a table)'),
    ({'prob': [0.9, 0.8, 0.7]}, 'timm’s --topk=0'),
    ({'index': [1, 2, 3], 'prob': [0.5, 2.0, 0.5]}, 'got 2.0 in row 1'),
  ],
)
def test_what_is_refused(read, columns, got):
  with pytest.raises(errors.DataError, match=got):
    read(**columns)


def test_rows_of_different_lengths(read):
  with pytest.raises(errors.DataError, match='lists of the same length'):
    read(prob=[[0.5, 0.5], [1.0], [0.5, 0.5]])


@pytest.mark.parametrize('name', ['index', 'filename'])
def test_json_with_lists_in_some_rows(tmp_path, name):
  rows = {'filename': ['a', 'b'], 'index': [1, 2], 'prob': [0.5, 0.5]}
  rows[name][1] = [[1, 2]]
  file = tmp_path / 'm.json'
  file.write_text(
    json.dumps({'columns': [*rows], 'data': [*zip(*rows.values())]})
  )
  with pytest.raises(errors.DataError, match=rf'^column {name} of .* one type'):
    timm.read_timm(str(file))


def test_no_file_names(tmp_path):
  pd.DataFrame({'index': [1]}).to_csv(tmp_path / 'm.csv', index=False)
  with pytest.raises(errors.DataError, match='column filename, as timm writes'):
    timm.read_timm(str(tmp_path / 'm.csv'))


@pytest.mark.parametrize(
  'text',
  [
    '[]', '3', '{"columns": ["filename"], "data": [[1, 2]]}',
    '{"a": {"index": 1}, "b": {"prob": 1}}', '{"a": 1}',
  ],
)  # fmt: skip
def test_json_of_other_shapes(tmp_path, text):
  (tmp_path / 'm.json').write_text(text)
  with pytest.raises(errors.DataError, match='must hold a table'):
    timm.read_timm(str(tmp_path / 'm.json'))


# As inference.py with --topk=5 writes five classes: the best first.
FIVE = np.random.default_rng(0).dirichlet(np.ones(5), size=3)
ORDER = np.argsort(-FIVE, axis=1)
SORTED = np.take_along_axis(FIVE, ORDER, axis=1)


def in_columns(name, values):
  return {f'{name}_{i}': values[:, i] for i in range(values.shape[1])}


@pytest.mark.parametrize('output', ['prob', 'logit'])
@pytest.mark.parametrize('separate', [False, True])
def test_all_classes_with_the_best_first(read, output, separate):
  if separate:
    found = read(**in_columns('index', ORDER), **in_columns(output, SORTED))
  else:
    found = read(index=list(ORDER), **{output: list(SORTED)})
  assert found.kind == {'prob': 'probs', 'logit': 'logits'}[output]
  assert (found.rows, found.classes) == (3, 5)
  ((_, block),) = found.blocks()
  np.testing.assert_allclose(block, FIVE, atol=1e-7)
  assert 'by index' in found.notes[0]


def test_the_best_of_more_classes_are_classes(read):
  # Two probabilities that don't sum to one, of the same two classes.
  found = read(index=[[0, 1], [1, 0], [0, 1]], prob=[[0.5, 0.25]] * 3)
  assert found.kind == 'classes'
  assert found.predicted.tolist() == [0, 1, 0]
  assert found.confidence.tolist() == [0.5] * 3


@pytest.mark.parametrize('separate', [False, True])
def test_sorted_scores_without_indices(read, separate):
  columns = in_columns('prob', SORTED) if separate else {'prob': list(SORTED)}
  with pytest.raises(errors.DataError, match='rows that are sorted by value'):
    read(**columns)


def test_more_indices_than_scores(read):
  with pytest.raises(errors.DataError, match='each row, got 5 and 1'):
    read(index=list(ORDER), prob=SORTED[:, 0])


def test_records(tmp_path):
  rows = [{'filename': f, 'index': 1, 'prob': 0.5} for f in FILES]
  for name, text in (
    ('m.json', json.dumps(rows)),
    ('m.jsonl', '\n'.join(map(json.dumps, rows))),
  ):
    (tmp_path / name).write_text(text)
    found = timm.read_timm(str(tmp_path / name))
    assert found.ids.tolist() == FILES
    assert found.predicted.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
  ('names', 'expected'),
  [
    ('filename index prob', True),
    ('filename index', True),
    ('filename index_0 index_1 prob_0 prob_1', True),
    ('filename label_0 label_1 prob_0 prob_1', True),
    ('filename prob', True),
    ('filename logit', True),
    # The label may be the right one.
    ('filename label prob', False),
    ('filename label predicted', False),
    ('filename index label predicted', False),
    ('filename prob_0 prob_1', False),
    # pandas' index beside scores of all classes.
    ('index filename label prob_0 prob_1', False),
    ('id index prob', False),
  ],
)
def test_columns_that_only_timm_writes(names, expected):
  assert timm.recognises(names.split()) is expected
