"""Tables with named columns, read a batch of rows at a time.

Only the columns asked for are read, as text or as numbers, so that an id `007`
in CSV stays what it is.
"""

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from overlap.core import errors
from overlap.ingest import cells
from overlap.ingest import source as source_lib
from overlap.ingest.faults import readable

TEXT, NUMBER, CLASS, ROW = 'text', 'number', 'class', 'row'


class Table(NamedTuple):
  """A file with named columns.

  Attributes:
    path: the file.
    names: the columns' names.
    kind: what the file is, for error texts.
    batches: reads the columns named, with TEXT, NUMBER, CLASS or ROW for each
      of them, a batch of rows at a time.
  """

  path: str
  names: Sequence[str]
  kind: str
  batches: Callable[[Mapping[str, str]], Iterator[pa.RecordBatch]]


def check_names(path: str, names: Sequence[str]) -> None:
  """Raises DataError unless a file's columns have names, each its own."""
  counts = collections.Counter(names)
  twice = sorted(name for name, count in counts.items() if count > 1)
  if not any(names) or twice:
    raise errors.DataError(
      f'{path} must begin with the names of its columns, each once, got '
      f'{f"{twice[0]!r} twice" if twice else "none"}.'
    )


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


def read_columns(
  table: Table, wanted: Mapping[str, str]
) -> dict[str, np.ndarray]:
  """Reads whole columns.

  Args:
    table: a file that was opened.
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


def texts(table: Table, names: Sequence[str]) -> dict[str, np.ndarray]:
  """Reads those of the columns that hold text or whole numbers in every row."""
  if table.kind == 'CSV':
    found = read_columns(table, dict.fromkeys(names, TEXT)) if names else {}
    return {name: values for name, values in found.items() if all(values)}
  found = {}
  for name in names:
    with contextlib.suppress(errors.DataError):
      found |= read_columns(table, {name: TEXT})
  return found


def count(table: Table) -> int:
  """Counts the rows."""
  batches = _batches(table, {table.names[0]: TEXT})
  return sum(batch.num_rows for batch in batches)


def matrix(table: Table, names: Sequence[str]) -> source_lib.Blocks:
  """Reads columns as rows of scores, block by block.

  Args:
    table: a file that was opened.
    names: columns of numbers, or one column of numbers or of lists of them.

  Yields:
    `(first row, float16, float32 or float64 [rows, scores])`.

  Raises:
    DataError: as `read`; lists differ in length.
  """
  start, width = 0, 0
  kind = ROW if len(names) == 1 else NUMBER
  for batch in _batches(table, dict.fromkeys(names, kind)):
    if kind == ROW:
      what = f'column {names[0]} of {table.path}'
      with readable(table.path, table.kind):
        values = cells.rows(batch.column(names[0]), what, start, width)
      width = values.shape[1]
    else:
      parts = [
        _values(table, name, NUMBER, batch.column(name), start)
        for name in names
      ]
      values = np.stack(parts, axis=1)
    yield start, values
    start += batch.num_rows


def width(table: Table, names: Sequence[str]) -> int:
  """Returns how many scores there are in a row, as `matrix` reads them."""
  if len(names) > 1:
    return len(names)
  return next((block.shape[1] for _, block in matrix(table, names)), 0)


def _batches(
  table: Table, wanted: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
  require(table, list(wanted))
  with readable(table.path, table.kind):
    yield from table.batches(wanted)


def _values(
  table: Table, name: str, kind: str, column: pa.Array, start: int
) -> np.ndarray:
  what = f'column {name} of {table.path}'
  with readable(table.path, table.kind):  # Text may turn out to be none.
    if kind == CLASS:
      return cells.objects(column)
    convert = cells.text if kind == TEXT else cells.numbers
    return convert(column, what, start)
