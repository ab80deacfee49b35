"""Named columns of CSV and Parquet, read in batches, against pandas."""

import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from overlap.core import errors
from overlap.ingest import columns, csv_table, parquet_table, source
from overlap.ingest.columns import CLASS, NUMBER, TEXT


@pytest.fixture(params=['csv', 'parquet'])
def table(request, tmp_path):
  """Writes columns as CSV or Parquet and opens the file."""

  def made(**values) -> columns.Table:
    path = str(tmp_path / f't.{request.param}')
    frame = pd.DataFrame(values)
    if request.param == 'csv':
      frame.to_csv(path, index=False)
      return csv_table.open_csv(path)
    frame.to_parquet(path)
    return parquet_table.open_parquet(path)

  return made


def text_of(path, content: bytes) -> columns.Table:
  path.write_bytes(content)
  return csv_table.open_csv(str(path))


@pytest.mark.parametrize('rows', [0, 1, 500])
def test_whole_columns(table, rows, monkeypatch):
  monkeypatch.setattr(source, 'BLOCK_BYTES', 64)
  monkeypatch.setattr(csv_table, '_BLOCK', 200)
  numbers = np.random.default_rng(0).normal(size=rows)
  names = np.array([f'n,"{i}\n' for i in range(rows)], object)
  made = table(id=names.astype(str), x=numbers, y=np.arange(rows))
  assert list(made.names) == ['id', 'x', 'y']
  assert columns.count(made) == rows
  if not rows:  # Nothing says what an empty column holds.
    return
  found = columns.read_columns(made, {'x': NUMBER, 'id': TEXT, 'y': TEXT})
  np.testing.assert_array_equal(found['x'], numbers)
  assert found['id'].tolist() == names.tolist()
  assert found['y'].tolist() == [str(i) for i in range(rows)]


@pytest.mark.parametrize('rows', [1, 7, 300])
def test_a_matrix_in_blocks(table, rows, monkeypatch):
  monkeypatch.setattr(source, 'BLOCK_BYTES', 64)
  monkeypatch.setattr(csv_table, '_BLOCK', 100)
  values = np.random.default_rng(0).normal(size=(rows, 2))
  made = table(b=values[:, 1], other=['x'] * rows, a=values[:, 0])
  blocks = list(columns.matrix(made, ['a', 'b']))
  starts = np.cumsum([0, *(len(block) for _, block in blocks)])
  assert [start for start, _ in blocks] == starts[:-1].tolist()
  np.testing.assert_array_equal(np.concatenate([b for _, b in blocks]), values)


def test_texts_stay_what_they_are(tmp_path):
  rows = [b'\xef\xbb\xbf id , x', b'007,1', b'NA,nan', b'"a,b",-inf', b'']
  made = text_of(tmp_path / 't.csv', b'\r\n'.join(rows))
  assert list(made.names) == ['id', 'x']
  found = columns.read_columns(made, {'id': TEXT, 'x': NUMBER})
  assert found['id'].tolist() == ['007', 'NA', 'a,b']
  np.testing.assert_array_equal(found['x'], [1, np.nan, -np.inf])


def test_categories_and_large_texts(tmp_path):
  frame = pa.table(
    {
      'a': pa.array(['x', 'y', 'x']).dictionary_encode(),
      'b': pa.array(['p', 'q', 'r'], pa.large_string()),
      'c': pa.array([1.5, 2, 3], pa.float16()),
    }
  )
  pa.parquet.write_table(frame, tmp_path / 't.parquet')
  found = columns.read_columns(
    parquet_table.open_parquet(str(tmp_path / 't.parquet')),
    {'a': TEXT, 'b': TEXT, 'c': NUMBER},
  )
  assert found['a'].tolist() == ['x', 'y', 'x']
  assert found['b'].tolist() == ['p', 'q', 'r']
  assert found['c'].tolist() == [1.5, 2, 3]


@pytest.mark.parametrize(
  ('content', 'wanted', 'got'),
  [
    (b'id,x\na,1\nb,\n', {'x': NUMBER}, 'in every row, got none in row 1'),
    (b'id,x\na,1\nb,two\n', {'x': NUMBER}, 'two'),
    (b'id,x\na,1\nb\n', {'x': NUMBER}, 'Expected 2 columns, got 1'),
    (b'id,x\na,1\nb,2,3\n', {'x': NUMBER}, 'Expected 2 columns, got 3'),
    (
      b'id,x\n' + b'a,1\n' * 9999 + b'\xff,1\n',
      {'id': TEXT},
      'UTF8',
    ),
    (b'id,x\na,1\n', {'y': TEXT, 'id': TEXT}, 'lacks y; it has id, x.'),
  ],
)
def test_what_is_refused(tmp_path, content, wanted, got):
  made = text_of(tmp_path / 't.csv', content)
  with pytest.raises(errors.DataError) as caught:
    columns.read_columns(made, wanted)
  assert got in str(caught.value)
  assert str(tmp_path / 't.csv') in str(caught.value)


@pytest.mark.parametrize(
  ('content', 'got'),
  [
    (b'', 'got none'),
    (b'\n1,2\n', 'got none'),
    (b'id,x,id\n', "got 'id' twice"),
    (b'a, a\n', "got 'a' twice"),
    (b'\xff\xfe\n', 'decode'),
  ],
)
def test_headers_that_are_refused(tmp_path, content, got):
  with pytest.raises(errors.DataError, match=got):
    text_of(tmp_path / 't.csv', content)


@pytest.mark.parametrize(
  ('values', 'kind', 'got'),
  [
    ([1.5, 2.5], TEXT, 'must be text or whole numbers, got double'),
    ([True, False], TEXT, 'got bool'),
    ([True, False], NUMBER, 'must be numbers, got bool'),
    (['1', '2'], NUMBER, 'must be numbers, got'),
    ([None, 'a'], TEXT, 'got none in row 0'),
  ],
)
def test_types_of_parquet(tmp_path, values, kind, got):
  pd.DataFrame({'x': values}).to_parquet(tmp_path / 't.parquet')
  made = parquet_table.open_parquet(str(tmp_path / 't.parquet'))
  with pytest.raises(errors.DataError, match=got):
    columns.read_columns(made, {'x': kind})


def test_names_of_parquet_columns_are_taken_as_they_are(tmp_path):
  pd.DataFrame({'id ': ['a']}).to_parquet(tmp_path / 't.parquet')
  made = parquet_table.open_parquet(str(tmp_path / 't.parquet'))
  assert columns.read_columns(made, {'id ': TEXT})['id '].tolist() == ['a']
  with pytest.raises(errors.DataError, match='lacks id'):
    columns.read_columns(made, {'id': TEXT})


@pytest.mark.parametrize(
  ('values', 'expected'),
  [
    (pa.array(['é', '007'], pa.string_view()), ['é', '007']),
    (pa.array(['é'.encode(), b'007']), ['é', '007']),
    (pa.array([b'ab', b'07'], pa.binary(2)), ['ab', '07']),
    (pa.array([5, 12]).cast(pa.decimal128(19, 0)), ['5', '12']),
    (pa.array([2**64 - 1, 0], pa.uint64()), [str(2**64 - 1), '0']),
  ],
)
def test_texts_of_other_types(tmp_path, values, expected):
  pa.parquet.write_table(pa.table({'x': values}), tmp_path / 't.parquet')
  made = parquet_table.open_parquet(str(tmp_path / 't.parquet'))
  assert columns.read_columns(made, {'x': TEXT})['x'].tolist() == expected
  found = columns.read_columns(made, {'x': CLASS})['x']
  assert [str(value) for value in found] == expected


def test_bytes_that_are_no_text(tmp_path):
  pa.parquet.write_table(pa.table({'x': [b'\xff']}), tmp_path / 't.parquet')
  made = parquet_table.open_parquet(str(tmp_path / 't.parquet'))
  for kind in (TEXT, CLASS):
    with pytest.raises(errors.DataError, match='Invalid UTF8'):
      columns.read_columns(made, {'x': kind})


def test_decimal_numbers(tmp_path):
  values = pa.array([decimal.Decimal('0.25'), decimal.Decimal('-1.5')])
  pa.parquet.write_table(pa.table({'x': values}), tmp_path / 't.parquet')
  made = parquet_table.open_parquet(str(tmp_path / 't.parquet'))
  assert columns.read_columns(made, {'x': NUMBER})['x'].tolist() == [0.25, -1.5]


LISTS = [[0.5, 1.5], [2.5, -3.0], [4.0, 5.0]]


@pytest.mark.parametrize(
  'kind',
  [
    pa.list_(pa.float64()), pa.large_list(pa.float32()),
    pa.list_(pa.float16(), 2), pa.list_(pa.decimal128(4, 2)),
    pa.fixed_shape_tensor(pa.float32(), [2]),
  ],
)  # fmt: skip
def test_lists_in_parquet(tmp_path, kind):
  values = [[decimal.Decimal(x) for x in row] for row in LISTS]
  if 'decimal' not in str(kind):
    values = LISTS
  if isinstance(kind, pa.BaseExtensionType):
    storage = pa.array(values, kind.storage_type)
    column = pa.ExtensionArray.from_storage(kind, storage)
  else:
    column = pa.array(values, kind)
  pa.parquet.write_table(pa.table({'x': column}), tmp_path / 't.parquet')
  made = parquet_table.open_parquet(str(tmp_path / 't.parquet'))
  ((_, block),) = columns.matrix(made, ['x'])
  assert block.tolist() == LISTS
  assert columns.width(made, ['x']) == 2


@pytest.mark.parametrize(
  'cells',
  [
    ['[0.5, 1.5]', '[2.5, -3.0]', '[4, 5.0]'],
    ['[0.5 1.5]', '[ 2.5\n -3. ]', ' [4. 5.]'],
  ],
)
def test_lists_in_csv_as_python_and_numpy_print_them(tmp_path, cells):
  pd.DataFrame({'x': cells}).to_csv(tmp_path / 't.csv', index=False)
  made = csv_table.open_csv(str(tmp_path / 't.csv'))
  ((_, block),) = columns.matrix(made, ['x'])
  assert block.tolist() == LISTS


@pytest.mark.parametrize(
  ('values', 'got'),
  [
    ([[1.0], [1.0, 2.0]], 'same length in all rows, 1, got 2 in row 1'),
    ([[1.0, 2.0], None], 'a value in every row, got none in row 1'),
    ([[1.0, 2.0], [3.0, None]], 'numbers in its lists, got none in row 1'),
    ([['a'], ['b']], 'must be numbers, got'),
    ([[[1.0]], [[2.0]]], 'must be numbers, got list'),
    (['[1, 2]', '[1, ...]'], r"got '\[1, ...\]' in row 1, which was cut"),
    (['[1, 2]', '[1, x]'], r"got '\[1, x\]' in row 1\."),
  ],
)
def test_lists_that_are_refused(tmp_path, values, got):
  pa.parquet.write_table(pa.table({'x': values}), tmp_path / 't.parquet')
  made = parquet_table.open_parquet(str(tmp_path / 't.parquet'))
  with pytest.raises(errors.DataError, match=got):
    list(columns.matrix(made, ['x']))
