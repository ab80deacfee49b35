"""CSV: which way a file was written, and its columns a batch of rows at a time.

Columns are separated by commas, semicolons, tabs or bars: whichever gives the
header the most columns, unless a line `sep=;` above it, as spreadsheets write
it, says so. Where they are not commas, numbers may have decimal commas.
"""

import contextlib
import csv
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from overlap.ingest import columns, raw_file
from overlap.ingest.columns import CLASS, NUMBER, ROW, TEXT, Table
from overlap.ingest.faults import readable

_BLOCK = 8 << 20
_DELIMITERS = ',;\t|'
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*')
_NUMBER = r'\s*[+-]?[0-9]*%s[0-9]+([eE][+-]?[0-9]+)?\s*'
_WITH_COMMA = r'^(\s*[+-]?[0-9]*),([0-9]+([eE][+-]?[0-9]+)?\s*)$'
_LONGEST_LINE = 1 << 24
_SAMPLED_ROWS = 20


class Dialect(NamedTuple):
  """Delimiter, quoting and compression of a CSV file.

  Attributes:
    names: the columns' names, `[columns]`, as the header has them.
    delimiter: what separates columns.
    sample: the first rows, `[rows][columns]`.
    encoding: the codec of its text.
    lines: how many lines there are before the first row.
  """

  names: Sequence[str]
  delimiter: str
  sample: Sequence[Sequence[str]]
  encoding: str
  lines: int


def open_csv(path: str) -> Table:
  """Reads the header of a CSV file.

  Raises:
    DataError: it is absent, empty, no text, or names a column twice.
  """
  dialect = read_dialect(path)
  names = list(dialect.names)
  while names and not names[-1]:  # Spreadsheets write empty columns.
    names.pop()
  columns.check_names(path, names)
  unnamed = [f' {i}' for i in range(len(names), len(dialect.names))]
  dialect = dialect._replace(names=[*names, *unnamed])
  return Table(
    path, names, 'CSV', lambda wanted: _batches(path, dialect, wanted)
  )


def read_dialect(path: str) -> Dialect:
  """Tells from the first lines how a file is written.

  Raises:
    DataError: it is absent or no text.
  """
  with readable(path, 'CSV'):
    try:
      with raw_file.open_text(path) as f:
        first = f.readline(_LONGEST_LINE)
      with raw_file.open_text(path) as f:
        return _dialect(f, first, raw_file.encoding(path))
    except csv.Error as e:
      raise ValueError(str(e)) from e


def _dialect(f: TextIO, first: str, encoding: str) -> Dialect:
  line = _SEPARATOR_LINE.fullmatch(first)
  if line:
    delimiter, above = line.group(1), 1
    f.readline()
  else:
    unquoted = re.sub(r'"[^"]*"', '', first)
    delimiter, above = max(_DELIMITERS, key=unquoted.count), 0
  rows = csv.reader(f, delimiter=delimiter)
  names = [name.strip() for name in next(rows, [])]
  above += rows.line_num
  sample: list[list[str]] = []
  with contextlib.suppress(csv.Error):  # Cells may be longer.
    sample.extend(itertools.islice(rows, _SAMPLED_ROWS))
  return Dialect(names, delimiter, sample, encoding, above)


def _decimal(dialect: Dialect, wanted: Mapping[str, str]) -> str:
  """Returns the decimal mark, '.' or ',', of the columns of numbers."""
  if dialect.delimiter == ',':
    return '.'
  places = [
    place
    for place, name in enumerate(dialect.names)
    if wanted.get(name, TEXT) != TEXT
  ]
  cells = [row[i] for row in dialect.sample for i in places if i < len(row)]
  points = any(re.fullmatch(_NUMBER % '[.]', cell) for cell in cells)
  commas = any(re.fullmatch(_NUMBER % ',', cell) for cell in cells)
  return ',' if commas and not points else '.'


def _batches(
  path: str, dialect: Dialect, wanted: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
  decimal = _decimal(dialect, wanted)
  # Texts first: Arrow would take '' for missing only in numbers.
  types = {
    name: pa.float64() if kind == NUMBER else pa.string()
    for name, kind in wanted.items()
  }
  converting = pa.csv.ConvertOptions(
    column_types=types,
    include_columns=list(wanted),
    null_values=[''],
    strings_can_be_null=False,
    decimal_point=decimal,
  )
  reading = pa.csv.ReadOptions(
    block_size=_BLOCK,
    column_names=list(dialect.names),
    skip_rows=dialect.lines,
    encoding=dialect.encoding.removesuffix('-sig'),
  )
  parsing = pa.csv.ParseOptions(
    delimiter=dialect.delimiter, newlines_in_values=True
  )
  with (
    raw_file.open_binary(path) as raw,
    pa.csv.open_csv(
      raw,
      read_options=reading,
      parse_options=parsing,
      convert_options=converting,
    ) as file,
  ):
    for batch in file:
      yield _with_points(batch, wanted) if decimal == ',' else batch


def _with_points(
  batch: pa.RecordBatch, wanted: Mapping[str, str]
) -> pa.RecordBatch:
  """Decimal points for commas in texts of which numbers may be made."""
  arrays = []
  for name, kind in wanted.items():
    column = batch.column(name)
    if kind in (CLASS, ROW):
      column = pc.replace_substring_regex(column, _WITH_COMMA, r'\1.\2')
    arrays.append(column)
  return pa.RecordBatch.from_arrays(arrays, list(wanted))
