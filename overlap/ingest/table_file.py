"""Files with named columns, opened according to their extension."""

from overlap.core import errors
from overlap.ingest import (
  csv_table,
  json_table,
  json_text,
  parquet_table,
  raw_file,
)
from overlap.ingest.columns import Table

CSV = ('.csv', '.tsv')
PARQUET = ('.parquet', '.pq')
JSON = ('.json', *json_text.LINES)
EXTENSIONS = (*CSV, *PARQUET, *JSON)


def open_table(path: str, key: str = 'id') -> Table:
  """Opens a table: Parquet or JSON according to its extension, else CSV.

  Args:
    path: the file.
    key: name of the column with the ids where JSON has rows called by them.

  Raises:
    DataError: it is absent, damaged, or JSON of another shape.
  """
  table = find_table(path, key)
  if table is None:
    raise errors.DataError(
      f'{path} must hold a table, as records {{COLUMN: VALUE}} or '
      f'{{{key.upper()}: {{COLUMN: VALUE}}}} or columns and data, got other '
      'JSON.'
    )
  return table


def find_table(path: str, key: str = 'id', column: str = '') -> Table | None:
  """As `open_table`, but None for JSON of another shape.

  Args:
    path: the file.
    key: as of `open_table`.
    column: name of the column where JSON has one value by id; '' for none.
  """
  extension = raw_file.split_extension(path)[1]
  if extension in PARQUET:
    return parquet_table.open_parquet(path)
  if extension in JSON:
    return json_table.make_json_table(path, json_text.load(path), key, column)
  return csv_table.open_csv(path)
