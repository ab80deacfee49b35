"""What timm's `inference.py` writes: CSV, JSON or Parquet.

Columns: `filename`; the best classes' indices, `index` or `index_0`,
`index_1`, ... (with --include-index); their names, `label` or `label_0`, ...;
their probabilities or logits, `prob` or `logit`, alike. With --topk above one
and without --results-separate-col a cell holds a list. With --topk=0 there
are no indices, and the scores are those of all classes in their order.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overlap import errors
from overlap.ingest import columns, json_file, tables
from overlap.ingest import source as source_lib
from overlap.ingest.columns import TEXT, Table
from overlap.ingest.source import Source

_FILE = 'filename'
_OUTPUTS = {'prob': source_lib.PROBS, 'logit': source_lib.LOGITS}


def read(path: str) -> Source:
  """Reads a results file, told from its extension."""
  if path.lower().endswith('.json'):
    cells = _json(path)
    return _source(path, list(cells), lambda name: cells[name], None)
  parquet = path.lower().endswith(('.parquet', '.pq'))
  table = columns.open_parquet(path) if parquet else columns.open_csv(path)

  def column(name: str) -> Sequence[Any]:
    if parquet:
      return columns.cells(table, name)
    return [_parsed(v) for v in columns.read(table, {name: TEXT})[name]]

  return _source(path, table.names, column, table)


def _source(path: str, names: Sequence[str], column, table: Table | None):
  if _FILE not in names:
    raise errors.DataError(
      f'{path} must have a column {_FILE}, as timm writes, got '
      f'{", ".join(names[:12])}.'
    )
  # As text: a file may be called '007', or '[1]'.
  files = columns.read(table, {_FILE: TEXT})[_FILE] if table else column(_FILE)
  ids = source_lib.text(files, f'{_FILE} of {path}')
  best = _first_of(names, ('index', 'label'))
  if best is not None:
    return _best(path, names, column, best, ids)
  for prefix, kind in _OUTPUTS.items():
    if table and f'{prefix}_0' in names:
      return tables.read_scores(
        table, kind, tables.numbered(table, prefix), {'ids': ids}
      )
    if f'{prefix}_0' in names:
      wanted = [n for n in names if re.fullmatch(rf'{prefix}_\d+', n)]
      ordered = sorted(wanted, key=lambda n: int(n.rpartition('_')[2]))
      return _full(path, kind, list(zip(*map(column, ordered))), ids)
    if prefix in names:
      return _full(path, kind, column(prefix), ids)
  raise errors.DataError(
    f'{path} must have a column index, label, prob or logit, as timm writes, '
    f'got {", ".join(names[:12])}.'
  )


def _first_of(names: Sequence[str], prefixes: Sequence[str]) -> str | None:
  for prefix in prefixes:
    for name in (prefix, f'{prefix}_0'):
      if name in names:
        return name
  return None


def _best(
  path: str, names: Sequence[str], column, best: str, ids: np.ndarray
) -> Source:
  """Classes: of each row's list the first, which is the best."""
  confidence = None
  output = _first_of(names, ('prob',))
  if output is not None:
    confidence = source_lib.confidences(
      [_first(v) for v in column(output)], f'{output} of {path}'
    )
  values = [_first(v) for v in column(best)]
  if best.startswith('label'):
    values = [str(v) for v in values]
  predicted = source_lib.classes_or_names(values, f'{best} of {path}')
  return Source(
    source_lib.CLASSES,
    len(predicted),
    predicted=predicted,
    confidence=confidence,
    ids=ids,
  )


def _full(path: str, kind: str, rows: Sequence[Any], ids: np.ndarray) -> Source:
  if not len(rows):
    raise errors.DataError(f'{path} must hold rows of scores, got none.')
  try:
    scores = np.array([list(row) for row in rows], np.float64)
  except (TypeError, ValueError) as e:
    raise errors.DataError(
      f'{path} must hold all classes’ scores in every row (timm’s --topk=0), '
      f'or indices (--include-index), got: {e}.'
    ) from e
  scores = scores.reshape(len(rows), -1)
  classes = scores.shape[1]
  blocks = source_lib.sliced(scores)
  return Source(kind, len(rows), classes, blocks, ids=ids)


def _first(value: Any) -> Any:
  return value[0] if isinstance(value, list) and value else value


def _parsed(cell: str) -> Any:
  """A cell of CSV: a list as NumPy prints it, else the text itself."""
  cell = str(cell)
  if not (cell.startswith('[') and cell.endswith(']')):
    return cell
  inner = cell[1:-1]
  if "'" in inner or '"' in inner:
    return [a or b for a, b in re.findall(r"'([^']*)'|\"([^\"]*)\"", inner)]
  return inner.replace(',', ' ').split()


def _json(path: str) -> Mapping[str, list[Any]]:
  """Columns of JSON, whichever way round it was written."""
  value = json_file.load(path)
  if isinstance(value, dict) and set(value) == {'columns', 'data'}:
    names, rows = value['columns'], value['data']
    listed = _is_list(names, str) and _is_list(rows, list)
    if listed and all(len(row) == len(names) for row in rows):
      return {n: [row[i] for row in rows] for i, n in enumerate(names)}
  elif isinstance(value, dict) and _is_list(list(value.values()), dict):
    names = list(next(iter(value.values()), {}))
    if all(list(row) == names for row in value.values()):
      found = {n: [row[n] for row in value.values()] for n in names}
      return {_FILE: list(value)} | found
  raise errors.DataError(
    f'{path} must hold what timm writes, FILE: {{COLUMN: VALUE}} or columns '
    'and data, got other JSON.'
  )


def _is_list(value: Any, kind: type) -> bool:
  return isinstance(value, list) and all(isinstance(v, kind) for v in value)
