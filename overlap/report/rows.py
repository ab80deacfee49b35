"""The sortable tables of the page: headings and cells as text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from overlap.catalog.paper import published
from overlap.figures import frames, style, wording

# More rows would make the page too heavy; the CSV file has them all.
MAX_ROWS = 4000
_NOTHING = (wording.MISSING, style.UNKNOWN)


class Column(NamedTuple):
  """A heading, what it means, and how a cell is written."""

  heading: str
  hint: str
  cell: Callable[[Mapping[str, Any]], str]
  numeric: bool = True


class Table(NamedTuple):
  """What the page shows: texts only, to be escaped by the template."""

  name: str
  caption: str
  columns: Sequence[Column]
  rows: list[list[str]]
  total: int

  @property
  def first_number(self) -> int:
    """Which column is the first of numbers, counted from one."""
    return 1 + next(
      i for i, column in enumerate(self.columns) if column.numeric
    )


def models_table(tables: frames.Tables) -> Table:
  """Table 1 of the study, with calibration: one row a model."""
  models = tables['models']
  inside = frames.flag(models, 'in_window', default=True)
  columns = [
    Column('Model', '', lambda row: _name(row), numeric=False),
    _category(),
    Column('Method', '', lambda row: _text(row['method']), numeric=False),
    Column('Head', '', lambda row: _text(row['head']), numeric=False),
    _percent('Accuracy', 'accuracy'),
    _percent('Error inconsistency', 'error_inconsistency', 'with the base'),
    _percent('Ensemble accuracy', 'ensemble_accuracy', 'with the base'),
    _number('Temperature', 'temperature', 2),
    _number('NLL', 'nll', 3),
    _number('NLL, calibrated', 'nll_calibrated', 3),
    _percent('ECE', 'ece', 'calibration error'),
    _percent('ECE, calibrated', 'ece_calibrated'),
  ]
  rows = models.assign(inside=inside).to_dict('records')
  note = '' if inside.all() else ' † outside the accuracy window.'
  caption = f'Models; intervals in brackets.{note}'
  return _table('models', caption, columns, rows, len(rows))


def pairs_table(tables: frames.Tables, limit: int = MAX_ROWS) -> Table:
  """One row a pair, those with the base first."""
  pairs = tables['pairs']
  base = frames.base_name(tables['models'])
  with_base = (pairs['model_1'] == base) | (pairs['model_2'] == base)
  pairs = pd.concat([pairs[with_base], pairs[~with_base]])
  columns = [
    Column('Model 1', '', lambda row: row['model_1'], numeric=False),
    Column('Model 2', '', lambda row: row['model_2'], numeric=False),
    _category(),
    _percent('Error inconsistency', 'error_inconsistency'),
    _number('Kappa', 'kappa', 3, 'error consistency beyond chance'),
    _percent('Ensemble accuracy', 'ensemble_accuracy'),
    _points('Gain (points)', 'gain', 'over the mean of the two'),
    _percent(
      'Conversion rate',
      'conversion_rate',
      'share of the inconsistent examples that the ensemble gets right',
    ),
    _count('Both', 'both_correct', 'examples that both get right'),
    _count('Only 1', 'only_1', 'examples that only model 1 gets right'),
    _count('Only 2', 'only_2', 'examples that only model 2 gets right'),
    _count('Neither', 'neither', 'examples that neither gets right'),
    Column(
      'p (Holm)',
      'McNemar’s test of equal accuracies, Holm’s correction',
      lambda row: wording.p_value(row['mcnemar_p_holm']),
    ),
  ]
  rows = pairs.head(limit).to_dict('records')
  caption = 'Pairs; intervals in brackets.'
  if len(rows) < len(pairs):
    caption += (
      f' The first {wording.count(len(rows))} of'
      f' {wording.count(len(pairs))}: tables/pairs.csv has all.'
    )
  return _table('pairs', caption, columns, rows, len(pairs))


def categories_table(tables: frames.Tables) -> Table | None:
  """Category means beside the paper's; None where there are none."""
  means = frames.category_means(tables)
  if means.empty:
    return None
  columns = [
    _category(),
    _count('Pairs', 'pairs'),
    _percent('Error inconsistency', 'error_inconsistency'),
    _percent('Paper: inconsistency', 'paper_inconsistency', 'on ImageNet'),
    _points('Gain (points)', 'gain'),
    _points('Paper: gain', 'paper_gain', 'on ImageNet'),
    _percent('Conversion rate', 'conversion_rate'),
    _percent('Both correct', 'both_correct'),
    _percent('Neither correct', 'neither'),
  ]
  means = means.assign(
    paper_inconsistency=means['category'].map(published.ERROR_INCONSISTENCY),
    paper_gain=means['category'].map(published.GAIN),
  )
  rows = means.to_dict('records')
  caption = 'Means over the pairs with the base; intervals in brackets.'
  return _table('categories', caption, columns, rows, len(rows))


def category_order() -> list[str]:
  """How a column of categories is sorted: the base, then as in the paper."""
  return [style.BASE, *style.CATEGORIES, style.UNKNOWN]


def _table(
  name: str,
  caption: str,
  columns: Sequence[Column],
  rows: Sequence[Mapping[str, Any]],
  total: int,
) -> Table:
  texts = [[column.cell(row) for column in columns] for row in rows]
  # What no row has (temperatures of models without logits, categories of
  # models that nobody put into any) only takes room.
  shown = [
    i
    for i in range(len(columns))
    if not texts or any(text[i] not in _NOTHING for text in texts)
  ]
  columns = [columns[i] for i in shown]
  texts = [[text[i] for i in shown] for text in texts]
  return Table(name, caption, columns, texts, total)


def _name(row: Mapping[str, Any]) -> str:
  return row['model'] if row['inside'] else f'{row["model"]} †'


def _category() -> Column:
  return Column(
    'Category',
    '',
    lambda row: style.category_name(row['category']),
    numeric=False,
  )


def _text(value: Any) -> str:
  return str(value) or wording.MISSING


def _bounds(row: Mapping[str, Any], field: str) -> tuple[Any, Any]:
  return row.get(f'{field}_lower'), row.get(f'{field}_upper')


def _percent(heading: str, field: str, hint: str = '') -> Column:
  return Column(
    heading,
    hint,
    lambda row: wording.percent(row.get(field), *_bounds(row, field)),
  )


def _points(heading: str, field: str, hint: str = '') -> Column:
  return Column(
    heading,
    hint,
    lambda row: wording.points(row.get(field), *_bounds(row, field)),
  )


def _number(heading: str, field: str, digits: int, hint: str = '') -> Column:
  return Column(
    heading,
    hint,
    lambda row: wording.decimal(
      row.get(field), *_bounds(row, field), digits=digits
    ),
  )


def _count(heading: str, field: str, hint: str = '') -> Column:
  return Column(heading, hint, lambda row: wording.count(row.get(field)))
