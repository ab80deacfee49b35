"""CSV and Parquet of one row an example: an id, and classes or scores.

Columns: `id` (may be absent), `label` (may be absent), and either `predicted`
(and `confidence`) or `logit_0`, `logit_1`, ... or `prob_0`, `prob_1`, ... or
`log_prob_0`, `log_prob_1`, ...
"""

import re
from collections.abc import Sequence
from typing import Any

from overlap import errors
from overlap.ingest import columns
from overlap.ingest import source as source_lib
from overlap.ingest.columns import CLASS, NUMBER, TEXT, Table
from overlap.ingest.source import Source

PREFIXES = {
  'logit': source_lib.LOGITS,
  'prob': source_lib.PROBS,
  'log_prob': source_lib.LOG_PROBS,
}


def read_csv(path: str) -> Source:
  """Reads predictions from CSV; see the module for the columns."""
  return _read(columns.open_csv(path))


def read_parquet(path: str) -> Source:
  """Reads predictions from Parquet; see the module for the columns."""
  return _read(columns.open_parquet(path))


def numbered(table: Table, prefix: str) -> list[str]:
  """The columns `prefix_0`, `prefix_1`, ... in the order of their numbers.

  Raises:
    DataError: a number between is missing.
  """
  found = sorted(
    int(match.group(1))
    for name in table.names
    if (match := re.fullmatch(rf'{re.escape(prefix)}_(\d{{1,7}})', name))
  )
  names = [f'{prefix}_{number}' for number in range(len(found))]
  if found != list(range(len(found))):
    columns.require(table, names)
  return names


def read_scores(
  table: Table, kind: str, names: Sequence[str], beside: dict[str, Any]
) -> Source:
  """A source of the scores in these columns."""
  rows = len(beside['ids']) if 'ids' in beside else columns.count(table)
  return Source(
    kind, rows, len(names), lambda: columns.matrix(table, names), **beside
  )


def _read(table: Table) -> Source:
  scores = {prefix: numbered(table, prefix) for prefix in PREFIXES}
  scores = {prefix: names for prefix, names in scores.items() if names}
  given = [f'{prefix}_0' for prefix in scores]
  given += ['predicted'] if 'predicted' in table.names else []
  if len(given) != 1:
    raise errors.DataError(
      f'{table.path} must have one of the columns predicted, logit_0, ..., '
      f'prob_0, ... and log_prob_0, ..., got {", ".join(given) or "none"} '
      f'among {", ".join(table.names[:12])}.'
    )
  wanted = {'id': TEXT, 'label': CLASS}
  wanted = {n: kind for n, kind in wanted.items() if n in table.names}
  if not scores:
    wanted['predicted'] = CLASS
    if 'confidence' in table.names:
      wanted['confidence'] = NUMBER
  found = columns.read(table, wanted)
  beside: dict[str, Any] = {}
  if 'id' in found:
    beside['ids'] = found['id']
  if 'label' in found:
    beside['labels'] = source_lib.classes_or_names(
      found['label'], f'label of {table.path}'
    )
  if scores:
    ((prefix, names),) = scores.items()
    return read_scores(table, PREFIXES[prefix], names, beside)
  if 'confidence' in found:
    beside['confidence'] = source_lib.confidences(
      found['confidence'], f'confidence of {table.path}'
    )
  predicted = source_lib.classes_or_names(
    found['predicted'], f'predicted of {table.path}'
  )
  return Source(
    source_lib.CLASSES, len(predicted), predicted=predicted, **beside
  )
