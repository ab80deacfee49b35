"""Tables with named columns, from CSV and Parquet, a batch of rows at a time.

Only the columns asked for are read. A CSV file is parsed as text and numbers
are made of it by column, so that an id `007` stays what it is.
"""

import collections
import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from overlap import errors
from overlap.ingest import source as source_lib
from overlap.ingest.faults import readable

TEXT, NUMBER, CLASS = 'text', 'number', 'class'
_CSV_BLOCK = 8 << 20
_TYPES = {TEXT: pa.string(), NUMBER: pa.float64(), CLASS: pa.string()}


class Table(NamedTuple):
  """A file with named columns.

  Attributes:
    path: the file.
    names: of its columns.
    parquet: whether it is Parquet, else CSV.
  """

  path: str
  names: Sequence[str]
  parquet: bool

  @property
  def kind(self) -> str:
    """What the file is, for error texts."""
    return 'Parquet' if self.parquet else 'CSV'


def open_csv(path: str) -> Table:
  """Reads the header of a CSV file.

  Raises:
    DataError: it is absent, empty, no UTF-8 text, or names a column twice.
  """
  with readable(path, 'CSV'):
    try:
      with open(path, encoding='utf-8-sig', newline='') as f:
        names = [name.strip() for name in next(csv.reader(f), [])]
    except csv.Error as e:
      raise ValueError(str(e)) from e
  return Table(path, _named(path, names), parquet=False)


def open_parquet(path: str) -> Table:
  """Reads the schema of a Parquet file.

  Raises:
    DataError: it is absent, damaged, or names a column twice.
  """
  with readable(path, 'Parquet'):
    names = pa.parquet.read_schema(path).names
  return Table(path, _named(path, names), parquet=True)


def _named(path: str, names: Sequence[str]) -> Sequence[str]:
  counts = collections.Counter(names)
  twice = sorted(name for name, count in counts.items() if count > 1)
  if not any(names) or twice:
    raise errors.DataError(
      f'{path} must begin with the names of its columns, each once, got '
      f'{f"{twice[0]!r} twice" if twice else "none"}.'
    )
  return names


def require(table: Table, wanted: Sequence[str]) -> None:
  """Raises DataError unless the table has all these columns."""
  missing = [name for name in wanted if name not in table.names]
  if missing:
    shown = ', '.join(table.names[:12])
    more = len(table.names) - 12
    raise errors.DataError(
      f'{table.path} must have the columns {", ".join(wanted)}, and lacks '
      f'{", ".join(missing)}; it has {shown}'
      f'{f" and {more} more" if more > 0 else ""}.'
    )


def read(table: Table, wanted: Mapping[str, str]) -> dict[str, np.ndarray]:
  """Reads whole columns.

  Args:
    table: from `open_csv` or `open_parquet`.
    wanted: from the columns' names to TEXT, NUMBER or CLASS.

  Returns:
    Arrays `[rows]`, text or float64; whole numbers asked for as TEXT become
    their digits. Those asked for as CLASS hold Python values for
    `source.classes_or_names`, None where there are none.

  Raises:
    DataError: a column is missing, damaged, or has another type or an empty
      cell.
  """
  parts: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
  start = 0
  for batch in _batches(table, wanted):
    for name, kind in wanted.items():
      column = batch.column(name)
      parts[name].append(_values(table, name, kind, column, start))
    start += batch.num_rows
  empty = {
    TEXT: np.array([], np.str_),
    NUMBER: np.array([], np.float64),
    CLASS: np.array([], np.str_),
  }
  return {
    name: np.concatenate(values) if values else empty[wanted[name]]
    for name, values in parts.items()
  }


def count(table: Table) -> int:
  """How many rows there are."""
  if table.parquet:
    with readable(table.path, table.kind):
      return pa.parquet.read_metadata(table.path).num_rows
  return sum(
    batch.num_rows for batch in _batches(table, {table.names[0]: TEXT})
  )


def matrix(table: Table, names: Sequence[str]) -> source_lib.Blocks:
  """Reads columns of numbers as rows of scores, block by block.

  Yields:
    `(first row, float32 or float64 [rows, columns])`.

  Raises:
    DataError: as `read`.
  """
  start = 0
  for batch in _batches(table, dict.fromkeys(names, NUMBER)):
    columns = [
      _values(table, name, NUMBER, batch.column(name), start) for name in names
    ]
    yield start, np.stack(columns, axis=1)
    start += batch.num_rows


def _batches(
  table: Table, wanted: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
  require(table, list(wanted))
  with readable(table.path, table.kind):
    if table.parquet:
      with pa.parquet.ParquetFile(table.path) as file:
        size = source_lib.block_rows(8 * len(wanted))
        yield from file.iter_batches(batch_size=size, columns=list(wanted))
      return
    options = pa.csv.ConvertOptions(
      # Texts first: Arrow would take '' for missing only in numbers.
      column_types={name: _TYPES[kind] for name, kind in wanted.items()},
      include_columns=list(wanted),
      null_values=[''],
      strings_can_be_null=False,
    )
    reading = pa.csv.ReadOptions(
      block_size=_CSV_BLOCK, column_names=list(table.names), skip_rows=1
    )
    parsing = pa.csv.ParseOptions(newlines_in_values=True)
    with pa.csv.open_csv(
      table.path,
      read_options=reading,
      parse_options=parsing,
      convert_options=options,
    ) as file:
      yield from file


def _values(
  table: Table, name: str, kind: str, column: pa.Array, start: int
) -> np.ndarray:
  what = f'column {name} of {table.path}'
  if kind == CLASS:
    with readable(table.path, table.kind):
      values = np.empty(len(column), object)
      values[:] = column.to_pylist()
      return values
  if column.null_count:
    empty = column.is_null().to_numpy(zero_copy_only=False)
    raise errors.DataError(
      f'{what} must have a value in every row, got none in row '
      f'{start + int(np.argmax(empty))}.'
    )
  if pa.types.is_dictionary(column.type):
    column = column.dictionary_decode()
  if kind == TEXT:
    integral = pa.types.is_integer(column.type)
    textual = pa.types.is_string(column.type) or pa.types.is_large_string(
      column.type
    )
    if not (integral or textual):
      raise errors.DataError(
        f'{what} must be text or whole numbers, got {column.type}.'
      )
    return source_lib.text(_to_numpy(table, column), what)
  numeric = pa.types.is_integer(column.type) or pa.types.is_floating(
    column.type
  )
  if not numeric:
    raise errors.DataError(f'{what} must be numbers, got {column.type}.')
  return _to_numpy(table, column)


def _to_numpy(table: Table, column: pa.Array) -> np.ndarray:
  with readable(table.path, table.kind):  # Text may turn out to be none.
    return column.to_numpy(zero_copy_only=False)


def cells(table: Table, name: str) -> list[Any]:
  """Reads a Parquet column of any type, lists included, as Python values."""
  require(table, [name])
  with readable(table.path, table.kind):
    return pa.parquet.read_table(table.path, columns=[name])[name].to_pylist()
