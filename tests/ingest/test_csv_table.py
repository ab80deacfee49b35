"""CSV as spreadsheets and other programs write it."""

import csv
import gzip
import io
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlap.core import errors
from overlap.ingest import columns, csv_table
from overlap.ingest.columns import CLASS, NUMBER, TEXT

WANTED = {'id': TEXT, 'label': CLASS, 'x': NUMBER}
ROWS = {'id': ['a', '007'], 'label': ['0', 'cat'], 'x': [0.5, -1.25]}

FILES = {
  'commas': 'id,label,x\na,0,0.5\n007,cat,-1.25\n',
  'semicolons': 'id;label;x\na;0;0.5\n007;cat;-1.25\n',
  'decimal commas': 'id;label;x\na;0;0,5\n007;cat;-1,25\n',
  'tabs': 'id\tlabel\tx\na\t0\t0.5\n007\tcat\t-1.25\n',
  'tabs and decimal commas': 'id\tlabel\tx\na\t0\t0,5\n007\tcat\t-1,25\n',
  'bars': 'id|label|x\na|0|0.5\n007|cat|-1.25\n',
  'a line for Excel': 'sep=;\nid;label;x\na;0;0.5\n007;cat;-1.25\n',
  'a line for Excel, quoted': '"sep=,"\nid,label,x\na,0,0.5\n007,cat,-1.25\n',
  'a line that decides': 'sep=|\n"id"|label|x|a,b,c,d\na|0|0.5|\n007|cat|-1.25|'
  '\n',
  'empty columns': 'id,label,x,,,\na,0,0.5,,,\n007,cat,-1.25,,,\n',
  'a header of two lines': '"a\nnote",id,label,x\n,a,0,0.5\n,007,cat,-1.25\n',
  'carriage returns': 'id,label,x\ra,0,0.5\r007,cat,-1.25\r',
  'commas in a quoted name': 'id;label;x;"a,b,c,d,e"\na;0;0.5;\n007;cat;-1.25;'
  '\n',
}


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('ends', ['\n', '\r\n'])
@pytest.mark.parametrize('name', FILES)
def test_every_way_to_write_a_table(tmp_path, name, ends, encoding):
  path = tmp_path / 't.csv'
  path.write_bytes(FILES[name].replace('\n', ends).encode(encoding))
  found = columns.read_columns(csv_table.open_csv(str(path)), WANTED)
  assert {n: values.tolist() for n, values in found.items()} == ROWS


def test_a_compressed_table(tmp_path):
  path = tmp_path / 't.csv.gz'
  path.write_bytes(gzip.compress(FILES['commas'].encode()))
  found = columns.read_columns(csv_table.open_csv(str(path)), WANTED)
  assert {n: values.tolist() for n, values in found.items()} == ROWS


def test_whole_numbers_with_decimal_commas(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text('id;label\n1,5;10,0\nb;3,0\n')
  found = columns.read_columns(
    csv_table.open_csv(str(path)), {'id': TEXT, 'label': CLASS}
  )
  assert found['label'].tolist() == ['10.0', '3.0']
  assert found['id'].tolist() == ['1,5', 'b']


def test_ids_with_commas_beside_decimal_points(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text('id;x\n1,5;0.5\n')
  found = columns.read_columns(
    csv_table.open_csv(str(path)), {'id': TEXT, 'x': NUMBER}
  )
  assert found['id'].tolist() == ['1,5']
  assert found['x'].tolist() == [0.5]


def test_one_column_without_a_name_is_the_index_of_pandas(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text(',x,\na,1,\n')
  table = csv_table.open_csv(str(path))
  assert table.names == ['', 'x']
  assert columns.read_columns(table, {'': TEXT})[''].tolist() == ['a']


@pytest.mark.parametrize(
  ('content', 'got'),
  [('id,,,x\n', "'' twice"), (',,,\n', 'none'), ('sep=;', 'none')],
)
def test_columns_without_names(tmp_path, content, got):
  (tmp_path / 't.csv').write_text(content)
  with pytest.raises(errors.DataError, match=f'got {got}'):
    csv_table.open_csv(str(tmp_path / 't.csv'))


@pytest.mark.parametrize('delimiter', [',', ';'])
def test_a_cell_with_the_scores_of_many_classes(tmp_path, delimiter):
  scores = np.random.default_rng(0).normal(size=30_000)
  path = tmp_path / 't.csv'
  cell = str(scores.tolist()).replace(', ', ' ')
  path.write_text(f'id{delimiter}logits\na{delimiter}{cell}\n')
  ((_, block),) = columns.matrix(csv_table.open_csv(str(path)), ['logits'])
  np.testing.assert_array_equal(block, [scores])


def test_a_column_that_nothing_heads(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text('id,x\na,1,2\n')
  with pytest.raises(errors.DataError, match='Expected 2 columns, got 3'):
    columns.read_columns(csv_table.open_csv(str(path)), {'x': NUMBER})


TEXTS = st.text(
  st.characters(exclude_categories=['Cs'], exclude_characters='\0\r'),
  max_size=8,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
  st.lists(
    st.tuples(TEXTS, st.floats(allow_nan=False, width=32)),
    min_size=1, max_size=30,
  ),
  st.sampled_from([',', ';', '\t', '|']),
  st.booleans(),
  st.sampled_from(['\n', '\r\n']),
  st.sampled_from(['utf-8', 'utf-8-sig', 'utf-16']),
)  # fmt: skip
def test_what_a_writer_writes_is_read(rows, delimiter, commas, end, encoding):
  file = io.StringIO(newline='')
  writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
  writer.writerow(['id', 'x', 'note'])
  commas &= delimiter != ','
  for name, number in rows:
    text = str(number).replace('.', ',') if commas else str(number)
    writer.writerow([name, text, 'n'])
  with tempfile.NamedTemporaryFile(suffix='.csv') as f:
    f.write(file.getvalue().encode(encoding))
    f.flush()
    table = csv_table.open_csv(f.name)
    numbers = columns.read_columns(table, {'x': NUMBER})['x']
    ((_, scores),) = columns.matrix(table, ['x'])
    ids = [cell for b in table.batches({'id': TEXT}) for cell in b['id']]
  assert numbers.tolist() == [number for _, number in rows]
  assert scores[:, 0].tolist() == numbers.tolist()
  assert [cell.as_py() for cell in ids] == [name for name, _ in rows]
