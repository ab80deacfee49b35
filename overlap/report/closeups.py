"""Details of the pair that the page's reader selects."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from overlap.core import wording
from overlap.figures import frames
from overlap.report import cells

# Columns with the cells of the joint table, and the number of examples in each
# cell that the ensemble gets wrong (`lost`) or right.
_CELLS = ('both_correct', 'only_1', 'only_2', 'neither')
_RIGHT = ('lost', 'converted_only_1', 'converted_only_2', 'converted_neither')
_KEYS = ['model_1', 'model_2']
_ENDS = ('', '_lower', '_upper')
_IMAGE = re.compile(r'data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+')


def closeups(tables: frames.Tables, pairs: pd.DataFrame) -> dict[str, Any]:
  """Returns the details of every pair, ready for JSON.

  Args:
    tables: tables of the study.
    pairs: rows of `pairs.csv`, in the order of the page.

  Returns:
    Lists with one entry per pair: `counts` (examples that both, only model 1,
    only model 2 and neither get right), `right` (number of each that the
    ensemble gets right, or None), `theta` (two histograms, or None) and
    `classes` (classes that each model wins, or None); and `facts`, with
    `headings`, `hints` and one list of texts per pair in `rows`.
  """
  table = _facts(tables, pairs)
  found = _found(tables, pairs)
  return {
    'counts': pairs[list(_CELLS)].astype(int).values.tolist(),
    'right': [_right(row) for row in pairs.to_dict('records')],
    'facts': {
      'headings': [column.heading for column in table.columns],
      'hints': [column.hint for column in table.columns],
      'rows': table.rows,
    },
    'theta': [_both(row, 'theta_only_1', 'theta_only_2') for row in found],
    'classes': [_both(row, 'classes_1', 'classes_2') for row in found],
  }


def contested(
  tables: frames.Tables, thumbnails: Mapping[str, Any]
) -> list[dict[str, str]]:
  """Returns the examples on which the models disagree the most.

  Args:
    tables: tables of the study.
    thumbnails: `dataset`, `split` and `images` (data URLs by example id), or
      empty; thumbnails of another data set or split are ignored.

  Returns:
    One dict per example: `id`, `class_name`, `right` (one letter per model, as
    in the table) and `image` if the example has a thumbnail.
  """
  table = tables.get('contested')
  if table is None:
    return []
  first = tables['models'].iloc[0]
  here = all(thumbnails.get(k) == first[k] for k in ('dataset', 'split'))
  images = thumbnails.get('images', {}) if here else {}
  rows = table[['id', 'class_name', 'right']].to_dict('records')
  return [
    row | {'image': images[row['id']]}
    if _IMAGE.fullmatch(str(images.get(row['id'])))
    else row
    for row in rows
  ]


def _facts(tables: frames.Tables, pairs: pd.DataFrame) -> cells.Table:
  """Returns a table of further measures that the table of pairs leaves out."""
  for name, columns in (
    ('similarity', ['cka', 'mutual_knn']),
    ('specialisation', [f'theta_separation{e}' for e in _ENDS]),
  ):
    table = tables.get(name)
    if table is not None:
      pairs = pairs.merge(table[[*_KEYS, *columns]], on=_KEYS, how='left')
  shown = [
    cells.percent('Accuracy of model 1', 'accuracy_1'),
    cells.percent('Accuracy of model 2', 'accuracy_2'),
    cells.Column(
      'Attainable kappa', 'with these two accuracies',
      lambda row: f'{wording.number(row["kappa_min"], 2)} to'
      f' {wording.number(row["kappa_max"], 2)}'
      if not wording.absent(row['kappa_min']) else wording.MISSING,
    ),
    cells.percent(
      'Another class predicted', 'disagreement', 'share of all examples'
    ),
    cells.percent(
      'Same wrong class', 'agreement_when_wrong', 'where both are wrong'
    ),
    cells.percent('Lost', 'loss_rate', 'of what both get right'),
    cells.percent(
      'Newly right', 'neither_conversion_rate', 'of what neither gets right'
    ),
    cells.number('Linear CKA', 'cka', 3, 'similarity of features'),
    cells.percent('Nearest neighbours in common', 'mutual_knn'),
    cells.number(
      'Means of θ apart', 'theta_separation', 2,
      'θ of what only model 1 gets right, less θ of what only model 2 does',
    ),
  ]  # fmt: skip
  rows = pairs.to_dict('records')
  return cells.table('facts', '', shown, rows, len(rows))


def _found(
  tables: frames.Tables, pairs: pd.DataFrame
) -> Sequence[Mapping[str, Any]]:
  """Returns each pair's row of 'pair_closeups', empty if absent."""
  table = tables.get('pair_closeups')
  if table is None:
    return [{}] * len(pairs)
  return pairs[_KEYS].merge(table, on=_KEYS, how='left').to_dict('records')


def _both(row: Mapping[str, Any], *names: str) -> list[Any] | None:
  texts = [row.get(name) for name in names]
  if not all(isinstance(text, str) and text for text in texts):
    return None
  return [json.loads(str(text)) for text in texts]


def _right(row: Mapping[str, Any]) -> list[int] | None:
  if any(wording.absent(row[name]) for name in _RIGHT):
    return None
  lost, *converted = (int(row[name]) for name in _RIGHT)
  return [int(row['both_correct']) - lost, *converted]
