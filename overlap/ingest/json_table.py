"""Tables in JSON: the shapes in which pandas, timm and scripts write them.

Records (`[{COLUMN: VALUE}]`, also a line each), `{"columns": [...], "data":
[[...]]}`, `{ID: {COLUMN: VALUE}}`, `{COLUMN: {ROW: VALUE}}` and
`{COLUMN: [VALUE]}`; and `{ID: VALUE}`, which is a table of one column. All of a
table is in memory.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from overlap.core import errors
from overlap.ingest.columns import NUMBER, ROW, Table

# What tells the names of columns from those of examples.
_COLUMN = re.compile(
  r'ids?|filename|labels?|predicted|confidence|index(_0)?|'
  r'(logit|prob|log_prob)(s|_0)?'
)
# As arrays are called that are columns here.
_SINGULAR = {'ids': 'id', 'labels': 'label'}


def make_json_table(
  path: str, value: Any, key: str, column: str = ''
) -> Table | None:
  """Makes a table of JSON.

  Args:
    path: the file, for error texts.
    value: what the file holds.
    key: name of the column with the ids where rows are called by them.
    column: name of the column where there is one value by id; '' for none.

  Returns:
    The table; None where the JSON has no shape of a table.
  """
  found = _columns(value, key, column)
  if not found:
    return None
  return Table(
    path, list(found), 'JSON', lambda wanted: _batches(path, found, wanted)
  )


def _columns(
  value: Any, key: str, column: str
) -> Mapping[str, Sequence[Any]] | None:
  if isinstance(value, list):
    return _of_records(value) if _all(value, dict) else None
  if not isinstance(value, dict) or not value:
    return None
  if {'columns', 'data'} <= set(value) <= {'columns', 'data', 'index'}:
    return _of_rows(value['columns'], value['data'])
  parts = list(value.values())
  if column and all(isinstance(part, (str, int, float)) for part in parts):
    return {key: list(value), column: parts}
  if _all(parts, list) and len({len(part) for part in parts}) == 1:
    return {_SINGULAR.get(str(name), str(name)): p for name, p in value.items()}
  if not _all(parts, dict) or any(list(p) != list(parts[0]) for p in parts):
    return None
  if any(map(_COLUMN.fullmatch, value)):
    return {name: list(part.values()) for name, part in value.items()}
  return {key: list(value)} | _of_records(parts)


def _of_records(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
  names: dict[str, None] = {}
  for record in records:
    names.update(dict.fromkeys(record))
  return {name: [record.get(name) for record in records] for name in names}


def _of_rows(names: Any, rows: Any) -> dict[str, list[Any]] | None:
  if not _all(names, str) or not _all(rows, list):
    return None
  if any(len(row) != len(names) for row in rows):
    return None
  return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _all(value: Any, kind: type) -> bool:
  return (
    isinstance(value, list)
    and bool(value)
    and all(isinstance(v, kind) for v in value)
  )


def _batches(
  path: str, found: Mapping[str, Sequence[Any]], wanted: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
  arrays = [_array(path, n, found[n], kind) for n, kind in wanted.items()]
  yield pa.RecordBatch.from_arrays(arrays, list(wanted))


def _array(path: str, name: str, values: Sequence[Any], kind: str) -> pa.Array:
  if kind not in (NUMBER, ROW):
    # Text may stand beside whole numbers, and these may have any size.
    values = [str(v) if type(v) is int else v for v in values]
  try:
    return pa.array(values)
  except (pa.ArrowException, ValueError, TypeError, OverflowError) as e:
    reason = str(e).partition('\n')[0].rstrip('.')
    raise errors.DataError(
      f'column {name} of {path} must have values of one type, got: {reason}.'
    ) from e
