"""Results that timm's `inference.py` writes: CSV, JSON or Parquet.

Columns: `filename`; the best classes' indices, `index` or `index_0`,
`index_1`, ... (with --include-index); their names, `label` or `label_0`, ...;
their probabilities or logits, `prob` or `logit`, alike. With --topk above one
and without --results-separate-col a cell holds a list. With --topk=0 there
are no indices, and the scores are those of all classes in their order. With
--topk of as many as there are classes, the indices give their order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from overlap.core import errors
from overlap.ingest import cells, columns, table_file, tables, topk
from overlap.ingest import source as source_lib
from overlap.ingest.columns import CLASS, TEXT, Table
from overlap.ingest.source import Source
from overlap.ingest.tables import FILE

_OUTPUTS = {'prob': source_lib.PROBS, 'logit': source_lib.LOGITS}


def read_timm(path: str) -> Source:
  """Reads a results file, told from its extension."""
  return read_table(table_file.open_table(path, FILE))


def recognises(names: Sequence[str]) -> bool:
  """Returns whether only timm writes tables with these columns."""
  if FILE not in names or 'predicted' in names:
    return False
  if 'index_0' in names or 'label_0' in names:
    return True
  if 'prob_0' in names or 'logit_0' in names:
    return False
  scores = 'prob' in names or 'logit' in names
  return 'index' in names or (scores and 'label' not in names)


def read_table(table: Table) -> Source:
  """Reads results, classes or scores.

  Raises:
    DataError: a column is missing or at fault; scores are sorted, and nothing
      says by which classes.
  """
  if FILE not in table.names:
    raise errors.DataError(
      f'{table.path} must have a column {FILE}, as timm writes, got '
      f'{", ".join(table.names[:12])}.'
    )
  # As text: a file may be called '007', or '[1]'.
  ids = columns.read_columns(table, {FILE: TEXT})[FILE]
  indices = _columns(table, 'index')
  output = next((o for o in _OUTPUTS if _columns(table, o)), '')
  scores = _columns(table, output) if output else []
  if indices:
    return _by_index(table, indices, output, scores, ids)
  if names := _columns(table, 'label'):
    confidence = _confidence(table, scores) if output == 'prob' else None
    listed = columns.read_columns(table, {names[0]: CLASS})[names[0]]
    predicted = [_first(value) for value in listed]
    return _classes(table, names[0], predicted, confidence, ids)
  if not scores:
    raise errors.DataError(
      f'{table.path} must have a column index, label, prob or logit, as timm '
      f'writes, got {", ".join(table.names[:12])}.'
    )
  return _all_classes(table, _OUTPUTS[output], scores, ids)


def _columns(table: Table, prefix: str) -> list[str]:
  """Returns the numbered columns of the best classes, or the one of lists."""
  return tables.numbered(table, prefix) or [prefix] * (prefix in table.names)


def _by_index(
  table: Table,
  indices: Sequence[str],
  output: str,
  scores: Sequence[str],
  ids: np.ndarray,
) -> Source:
  """Reads scores if each row has the indices of all classes, else classes."""
  places = _whole(table, indices)
  confidence = None
  if scores:
    values = _whole(table, scores)
    if values.shape != places.shape:
      raise errors.DataError(
        f'{table.path} must have as many indices as scores in each row, got '
        f'{places.shape[1]} and {values.shape[1]}.'
      )
    whole = output == 'logit' or topk.sum_to_one(values)
    if places.shape[1] > 1 and whole and topk.are_permutations(places):
      ordered = topk.in_class_order(values, places)
      return Source(
        _OUTPUTS[output],
        len(ids),
        ordered.shape[1],
        source_lib.sliced(ordered),
        ids=ids,
        notes=(
          f'the {ordered.shape[1]} scores of each row, sorted by value, are '
          f'put in the order of the classes by {indices[0]}',
        ),
      )
    confidence = values[:, 0] if output == 'prob' else None
  return _classes(table, indices[0], places[:, 0], confidence, ids)


def _all_classes(
  table: Table, kind: str, scores: Sequence[str], ids: np.ndarray
) -> Source:
  source = tables.read_scores(table, kind, scores, {'ids': ids})
  assert source.blocks is not None
  if source.rows and source.classes == 1:
    raise errors.DataError(
      f'{table.path} must hold all classes’ scores in every row (timm’s '
      '--topk=0), or indices (--include-index), got one score.'
    )
  if topk.are_sorted((block for _, block in source.blocks()), least=2):
    raise errors.DataError(
      f'{table.path} must hold scores in the order of the classes (timm’s '
      '--topk=0), or indices (--include-index), got rows that are sorted by '
      'value.'
    )
  return source


def _whole(table: Table, names: Sequence[str]) -> np.ndarray:
  """Columns of numbers, or one of lists, as float64 `[rows, k]`."""
  blocks = [block for _, block in columns.matrix(table, names)]
  if not blocks:
    return np.zeros((0, 1))
  return np.concatenate(blocks).astype(np.float64)


def _confidence(table: Table, scores: Sequence[str]) -> np.ndarray:
  return _whole(table, scores[:1])[:, 0]


def _classes(
  table: Table,
  name: str,
  predicted: Any,
  confidence: np.ndarray | None,
  ids: np.ndarray,
) -> Source:
  if confidence is not None:
    confidence = source_lib.confidences(confidence, f'prob of {table.path}')
  predicted = source_lib.classes_or_names(predicted, f'{name} of {table.path}')
  return Source(
    source_lib.CLASSES,
    len(predicted),
    predicted=predicted,
    confidence=confidence,
    ids=ids,
  )


def _first(value: Any) -> Any:
  """Returns the first item of a list or of its text; other values as is."""
  if isinstance(value, str):
    items = cells.split_list(value)
    return value if not items else items[0]
  return value[0] if isinstance(value, list) and value else value
