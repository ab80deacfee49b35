"""Tables in JSON, as pandas, timm and scripts write them."""

import json

import pandas as pd
import pytest

from overlap.core import errors
from overlap.ingest import columns, json_table, table_file
from overlap.ingest.columns import CLASS, NUMBER, TEXT

FRAME = pd.DataFrame(
  {'id': ['a', '007'], 'label': [0, 1], 'logits': [[0.5, -1], [2.0, 3]]}
)
KEYED = FRAME.set_index('id')
SHAPES = {
  'records': FRAME.to_json(orient='records'),
  'lines': FRAME.to_json(orient='records', lines=True),
  'split': FRAME.to_json(orient='split'),
  'split without index': FRAME.to_json(orient='split', index=False),
  'index': KEYED.to_json(orient='index'),
  'columns': FRAME.to_json(orient='columns'),
  'lists': json.dumps(
    {'ids': ['a', '007'], 'labels': [0, 1], 'logits': [[0.5, -1], [2.0, 3]]}
  ),
}


@pytest.mark.parametrize(
  ('shape', 'extension'),
  [*((shape, 'json') for shape in SHAPES), ('lines', 'jsonl')],
)
def test_shapes(tmp_path, shape, extension):
  path = tmp_path / f't.{extension}'
  path.write_text(SHAPES[shape])
  table = table_file.open_table(str(path))
  found = columns.read_columns(table, {'id': TEXT, 'label': CLASS})
  assert found['id'].tolist() == ['a', '007']
  assert [int(label) for label in found['label']] == [0, 1]
  ((_, block),) = columns.matrix(table, ['logits'])
  assert block.tolist() == [[0.5, -1], [2, 3]]


@pytest.mark.parametrize(
  'value',
  [
    [], [1], [{}], {}, 3, {'a': 1}, {'a': [1], 'b': [1, 2]}, [{'a': 1}, 2],
    {'a': {'x': 1}, 'b': {'y': 1}}, {'columns': ['a'], 'data': [[1, 2]]},
    {'columns': ['a'], 'data': [1]}, {'columns': 'a', 'data': [[1]]},
  ],
)  # fmt: skip
def test_other_shapes_are_no_tables(value):
  assert json_table.make_json_table('x.json', value, 'id') is None


def test_text_beside_whole_numbers_of_any_size():
  rows = [{'id': 2**70}, {'id': 'a'}, {'id': 7}]
  table = json_table.make_json_table('x.json', rows, 'id')
  found = columns.read_columns(table, {'id': TEXT})
  assert found['id'].tolist() == [str(2**70), 'a', '7']


@pytest.mark.parametrize(
  ('values', 'kind', 'got'),
  [
    ([1, 'a'], NUMBER, 'values of one type'),
    ([1.5, [1]], CLASS, 'values of one type'),
    ([10**400], NUMBER, 'values of one type'),
    (['\ud800'], TEXT, 'values of one type'),
    ([1, None], NUMBER, 'got none in row 1'),
    ([{'a': 1}], TEXT, 'must be text or whole numbers, got struct'),
  ],
)
def test_cells_that_are_refused(values, kind, got):
  table = json_table.make_json_table('x.json', [{'x': v} for v in values], 'id')
  with pytest.raises(errors.DataError, match=f'column x of x.json.*{got}'):
    columns.read_columns(table, {'x': kind})


def test_a_key_that_some_records_lack():
  table = json_table.make_json_table(
    'x.json', [{'x': 1, 'id': 'a'}, {'id': 'b'}], 'id'
  )
  assert table.names == ['x', 'id']
  with pytest.raises(errors.DataError, match='got none in row 1'):
    columns.read_columns(table, {'x': NUMBER})


def test_a_fault_in_one_of_many_lines(tmp_path):
  (tmp_path / 't.jsonl').write_text('{"x": 1}\n\n{"x": }\n')
  with pytest.raises(errors.DataError, match='in line 3 of JSON lines'):
    table_file.open_table(str(tmp_path / 't.jsonl'))


@pytest.mark.parametrize('values', [[3, 1], ['cat', 'dog'], [3.0, 1.0]])
def test_one_value_by_id(values):
  rows = dict(zip(['007', 'a'], values))
  assert json_table.make_json_table('x.json', rows, 'id') is None
  table = json_table.make_json_table('x.json', rows, 'id', 'label')
  found = columns.read_columns(table, {'id': TEXT, 'label': CLASS})
  assert found['id'].tolist() == ['007', 'a']
  assert [str(v) for v in found['label']] == [str(v) for v in values]
