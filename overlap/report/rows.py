"""Sortable tables of the page, with headings and cells as text."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames, style
from overlap.report import cells

# Limits the size of the page; the CSV file has all pairs.
MAX_PAIRS = 10_000


def models_table(tables: frames.Tables) -> cells.Table:
  """Returns Table 1 of the study with calibration, one row per model."""
  models = tables['models']
  inside = frames.flag(models, 'in_window', default=True)
  columns = [
    cells.Column('Model', '', lambda row: _name(row), numeric=False),
    cells.category(),
    cells.Column('Method', '', lambda row: _text(row['method']), numeric=False),
    cells.Column('Head', '', lambda row: _text(row['head']), numeric=False),
    cells.percent('Accuracy', 'accuracy'),
    cells.percent(
      'Error inconsistency', 'error_inconsistency', 'with the base'
    ),
    cells.percent('Ensemble accuracy', 'ensemble_accuracy', 'with the base'),
    cells.number('Temperature', 'temperature', 2),
    cells.number('NLL', 'nll', 3),
    cells.number('NLL, calibrated', 'nll_calibrated', 3),
    cells.percent('ECE', 'ece', 'calibration error'),
    cells.percent('ECE, calibrated', 'ece_calibrated'),
  ]
  rows = models.assign(inside=inside).to_dict('records')
  note = '' if inside.all() else ' † outside the accuracy window.'
  caption = f'Models; intervals in brackets.{note}'
  return cells.table('models', caption, columns, rows, len(rows))


def pairs_in_order(
  tables: frames.Tables, limit: int = MAX_PAIRS
) -> pd.DataFrame:
  """Returns up to `limit` rows of `pairs.csv`, pairs with the base first."""
  pairs = tables['pairs']
  base = frames.base_name(tables['models'])
  with_base = (pairs['model_1'] == base) | (pairs['model_2'] == base)
  pairs = pd.concat([pairs[with_base], pairs[~with_base]])
  return pairs.head(limit).reset_index(drop=True)


def pairs_table(tables: frames.Tables, limit: int = MAX_PAIRS) -> cells.Table:
  """Returns a table with one row per pair, pairs with the base first."""
  columns = [
    cells.Column('Model 1', '', lambda row: row['model_1'], numeric=False),
    cells.Column('Model 2', '', lambda row: row['model_2'], numeric=False),
    cells.category(),
    cells.percent('Error inconsistency', 'error_inconsistency'),
    cells.number('Kappa', 'kappa', 3, 'error consistency beyond chance'),
    cells.percent('Ensemble accuracy', 'ensemble_accuracy'),
    cells.points('Gain (points)', 'gain', 'over the mean of the two'),
    cells.percent(
      'Conversion rate',
      'conversion_rate',
      'share of the inconsistent examples that the ensemble gets right',
    ),
    cells.count('Both', 'both_correct', 'examples that both get right'),
    cells.count('Only 1', 'only_1', 'examples that only model 1 gets right'),
    cells.count('Only 2', 'only_2', 'examples that only model 2 gets right'),
    cells.count('Neither', 'neither', 'examples that neither gets right'),
    cells.Column(
      'p (Holm)',
      'McNemar’s test of equal accuracies, Holm’s correction',
      lambda row: wording.p_value(row['mcnemar_p_holm']),
    ),
  ]
  rows = pairs_in_order(tables, limit).to_dict('records')
  total = len(tables['pairs'])
  caption = 'Pairs; intervals in brackets.'
  if len(rows) < total:
    caption += (
      f' The first {wording.count(len(rows))} of'
      f' {wording.count(total)}: tables/pairs.csv has all.'
    )
  return cells.table('pairs', caption, columns, rows, total)


def categories_table(tables: frames.Tables) -> cells.Table | None:
  """Returns category means beside the paper's; None if there are none."""
  means = frames.category_means(tables)
  if means.empty:
    return None
  columns = [
    cells.category(),
    cells.count('Pairs', 'pairs'),
    cells.percent('Error inconsistency', 'error_inconsistency'),
    cells.percent('Paper: inconsistency', 'paper_inconsistency', 'on ImageNet'),
    cells.points('Gain (points)', 'gain'),
    cells.points('Paper: gain', 'paper_gain', 'on ImageNet'),
    cells.percent('Conversion rate', 'conversion_rate'),
    cells.percent('Both correct', 'both_correct'),
    cells.percent('Neither correct', 'neither'),
  ]
  means = means.assign(
    paper_inconsistency=means['category'].map(published.ERROR_INCONSISTENCY),
    paper_gain=means['category'].map(published.GAIN),
  )
  rows = means.to_dict('records')
  caption = 'Means over the pairs with the base; intervals in brackets.'
  return cells.table('categories', caption, columns, rows, len(rows))


def category_order() -> list[str]:
  """Returns the categories in order: base, the paper's order, unknown."""
  return [style.BASE, *style.CATEGORIES, style.UNKNOWN]


def _name(row: Mapping[str, Any]) -> str:
  return row['model'] if row['inside'] else f'{row["model"]} †'


def _text(value: Any) -> str:
  return str(value) or wording.MISSING
