"""CSV as spreadsheets and other programs write it."""

import gzip

import pytest

from overlap import errors
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
  found = columns.read(csv_table.open_csv(str(path)), WANTED)
  assert {n: values.tolist() for n, values in found.items()} == ROWS


def test_a_compressed_table(tmp_path):
  path = tmp_path / 't.csv.gz'
  path.write_bytes(gzip.compress(FILES['commas'].encode()))
  found = columns.read(csv_table.open_csv(str(path)), WANTED)
  assert {n: values.tolist() for n, values in found.items()} == ROWS


def test_whole_numbers_with_decimal_commas(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text('id;label\n1,5;10,0\nb;3,0\n')
  found = columns.read(
    csv_table.open_csv(str(path)), {'id': TEXT, 'label': CLASS}
  )
  assert found['label'].tolist() == ['10.0', '3.0']
  assert found['id'].tolist() == ['1,5', 'b']


def test_ids_with_commas_beside_decimal_points(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text('id;x\n1,5;0.5\n')
  found = columns.read(csv_table.open_csv(str(path)), {'id': TEXT, 'x': NUMBER})
  assert found['id'].tolist() == ['1,5']
  assert found['x'].tolist() == [0.5]


def test_one_column_without_a_name_is_the_index_of_pandas(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text(',x,\na,1,\n')
  table = csv_table.open_csv(str(path))
  assert table.names == ['', 'x']
  assert columns.read(table, {'': TEXT})[''].tolist() == ['a']


@pytest.mark.parametrize(
  ('content', 'got'),
  [('id,,,x\n', "'' twice"), (',,,\n', 'none'), ('sep=;', 'none')],
)
def test_columns_without_names(tmp_path, content, got):
  (tmp_path / 't.csv').write_text(content)
  with pytest.raises(errors.DataError, match=f'got {got}'):
    csv_table.open_csv(str(tmp_path / 't.csv'))


def test_a_column_that_nothing_heads(tmp_path):
  path = tmp_path / 't.csv'
  path.write_text('id,x\na,1,2\n')
  with pytest.raises(errors.DataError, match='Expected 2 columns, got 3'):
    columns.read(csv_table.open_csv(str(path)), {'x': NUMBER})
