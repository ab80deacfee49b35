"""Tables of one row an example: an id, and classes or scores.

Columns: `id` (may be absent), `label` (may be absent), and either `predicted`
(and `confidence`) or `logit_0`, `logit_1`, ... or `prob_0`, `prob_1`, ... or
`log_prob_0`, `log_prob_1`, ..., or one column `logits`, `probs` or `log_probs`
with a list in each row.
"""

import re
from collections.abc import Sequence
from typing import Any

from overlap.core import errors
from overlap.ingest import columns, csv_table, parquet_table
from overlap.ingest import source as source_lib
from overlap.ingest.columns import CLASS, NUMBER, TEXT, Table
from overlap.ingest.source import Source

# A column of timm's results.
FILE = 'filename'
PREFIXES = {
  'logit': source_lib.LOGITS,
  'prob': source_lib.PROBS,
  'log_prob': source_lib.LOG_PROBS,
}


# So many further columns are looked at for ids.
_MOST_OTHERS = 50


def read_csv(path: str) -> Source:
  """Reads predictions from CSV; see the module for the columns."""
  return read_score_table(csv_table.open_csv(path))


def read_parquet(path: str) -> Source:
  """Reads predictions from Parquet; see the module for the columns."""
  return read_score_table(parquet_table.open_parquet(path))


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
  """Returns a source of the scores in these columns, or in lists in one."""
  rows = len(beside['ids']) if 'ids' in beside else columns.count(table)
  width = columns.width(table, names)
  return Source(
    kind, rows, width, lambda: columns.matrix(table, names), **beside
  )


def read_score_table(table: Table) -> Source:
  """Reads predictions from a table; see the module for the columns.

  Raises:
    DataError: no column of predictions or more than one; a fault in them.
  """
  found = _score_columns(table)
  given = [names[0] for names in found]
  given += ['predicted'] if 'predicted' in table.names else []
  if found and 'index_0' in table.names:
    raise errors.DataError(
      f'{table.path} must have scores of all classes in their order, got '
      'those of the best ones, as its columns index_0, ... say: '
      '--format=timm reads them.'
    )
  if len(given) != 1:
    also = '; --format=timm reads results of timm' * (FILE in table.names)
    raise errors.DataError(
      f'{table.path} must have one of the columns predicted, logit_0, ..., '
      'prob_0, ... and log_prob_0, ..., or lists in logits, probs or '
      f'log_probs, got {", ".join(given) or "none"} among '
      f'{", ".join(table.names[:12])}{also}.'
    )
  wanted = {'id': TEXT, 'label': CLASS}
  wanted = {n: kind for n, kind in wanted.items() if n in table.names}
  if not found:
    wanted['predicted'] = CLASS
    if 'confidence' in table.names:
      wanted['confidence'] = NUMBER
  values = columns.read_columns(table, wanted)
  known = {*wanted, *(name for names in found for name in names)}
  others = [name for name in table.names if name not in known][:_MOST_OTHERS]
  beside: dict[str, Any] = {'columns': lambda: columns.texts(table, others)}
  if 'id' in values:
    beside['ids'] = values['id']
  if 'label' in values:
    beside['labels'] = source_lib.classes_or_names(
      values['label'], f'label of {table.path}'
    )
  if found:
    ((names, kind),) = found.items()
    return read_scores(table, kind, names, beside)
  if 'confidence' in values:
    beside['confidence'] = source_lib.confidences(
      values['confidence'], f'confidence of {table.path}'
    )
  predicted = source_lib.classes_or_names(
    values['predicted'], f'predicted of {table.path}'
  )
  return Source(
    source_lib.CLASSES, len(predicted), predicted=predicted, **beside
  )


def _score_columns(table: Table) -> dict[tuple[str, ...], str]:
  """The columns of every set of scores, and their kind."""
  found = {}
  for prefix, kind in PREFIXES.items():
    if names := numbered(table, prefix):
      found[tuple(names)] = kind
  for name, kind in source_lib.SCORES.items():
    if name in table.names:
      found[(name,)] = kind
  return found
