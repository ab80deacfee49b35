"""Tables with one row per model, like the paper's tables 1 to 4.

Columns are method, head, temperature, accuracy, error inconsistency with the
base, category, and accuracy of the ensemble with the base. If a model's name,
or its spelling in a config, is in one of the paper's tables, the row has the
paper's name and shows its values beside ours.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import altair as alt
import pandas as pd

from overlap.catalog import names, paper
from overlap.core import wording
from overlap.figures import frames, style

_COLUMNS = {
  'row': 'int',
  'model': 'str',
  'method': 'str',
  'head': 'str',
  'temperature': 'float',
  'accuracy': 'float',
  'accuracy_lower': 'float',
  'accuracy_upper': 'float',
  'error_inconsistency': 'float',
  'error_inconsistency_lower': 'float',
  'error_inconsistency_upper': 'float',
  'category': 'str',
  'ensemble_accuracy': 'float',
  'ensemble_accuracy_lower': 'float',
  'ensemble_accuracy_upper': 'float',
  'in_window': 'str',
}
_PAPER = ('accuracy', 'error_inconsistency', 'ensemble_accuracy')
_ROW_HEIGHT = 22
_BRACKETS = 'Intervals in brackets.'


@dataclasses.dataclass(frozen=True)
class ModelTable:
  """One of the four tables.

  Attributes:
    number: number of the table in the paper.
    title: title of the table.
    holds: description of its models, for the message if there are none.
    chosen: function from the models of `sorted_out` to a mask of its rows.
    brief: whether intervals are only in the CSV file, to shorten the table.
  """

  number: int
  title: str
  holds: str
  chosen: Callable[[pd.DataFrame], pd.Series]
  brief: bool = False

  def rows(self, tables: frames.Tables) -> pd.DataFrame:
    """Returns rows to draw: the models in the order of `models.csv`."""
    models = sorted_out(tables['models'].reset_index(drop=True))
    models = models[self.chosen(models)].reset_index(drop=True)
    inside = models['place'] == INSIDE
    table = frames.stack(
      [
        models.assign(
          row=range(len(models)),
          in_window=inside.map({True: 'yes', False: 'no'}),
        )
      ],
      _COLUMNS,
    )
    published = _published(table)
    return table if published is None else pd.concat([table, published], axis=1)

  def plot(self, tables: frames.Tables) -> tuple[alt.LayerChart, pd.DataFrame]:
    """Draws the table.

    Returns:
      The chart and the rows drawn.

    Raises:
      NotDrawableError: no model belongs to this table.
    """
    drawn = self.rows(tables)
    if drawn.empty:
      raise frames.NotDrawableError(
        f'models.csv must hold {self.holds} to draw table {self.number}, got '
        'none.'
      )
    return _chart(self, drawn), drawn


# Positions of a model's accuracy relative to the accuracy window.
INSIDE, ABOVE, BELOW = 'inside', 'above', 'below'
_SWEPT = ('REINIT', 'HPARAM')


def sorted_out(models: pd.DataFrame) -> pd.DataFrame:
  """Adds columns `place` and `swept` to `models.csv`.

  `place` is the position relative to the accuracy window, 'inside', 'above' or
  'below'; the base is always 'inside'. `swept` is true if a model differs from
  the base only in seed or settings.
  """
  inside = frames.flag(models, 'in_window', default=True)
  base = models['category'] == style.BASE
  # No table has the window itself; infer it from the models inside it.
  known = models.loc[inside if inside.any() else base, 'accuracy']
  place = pd.Series(BELOW, index=models.index)
  place[models['accuracy'] > known.max()] = ABOVE
  place[inside | base] = INSIDE
  return models.assign(place=place, swept=models['category'].isin(_SWEPT))


class Column(NamedTuple):
  """Column to draw: header lines, text as a Vega expression, width."""

  header: str
  text: str
  width: int
  align: str = 'right'


def _chart(table: ModelTable, drawn: pd.DataFrame) -> alt.LayerChart:
  beside = [
    name
    for name in _PAPER
    if f'paper_{name}' in drawn and drawn[f'paper_{name}'].notna().any()
  ]
  columns = _columns(beside=beside, brief=table.brief)
  layers, right = [_stripes()], 0
  for i, column in enumerate(columns):
    left, right = right, right + column.width
    layers += _texts(i, column, left, right)
  chart = alt.layer(*layers).transform_calculate(
    **{f'text_{i}': column.text for i, column in enumerate(columns)}
  )
  notes = 'Intervals are in the CSV file.' if table.brief else _BRACKETS
  if beside:
    notes += ' “paper”: what the paper reports for a model of that name.'
  chart = chart.properties(
    data=frames.as_data(drawn),
    width=right,
    height=_ROW_HEIGHT * len(drawn),
    title=alt.Title(table.title, subtitle=notes, offset=14),
  )
  return style.themed(chart)


def _published(drawn: pd.DataFrame) -> pd.DataFrame | None:
  """Returns the paper's names and values of the models, None without any."""
  table = pd.concat([paper.table(number) for number in paper.TABLES])
  table = table.drop_duplicates('model').set_index('model')
  models = [
    names.in_tables(model, method)
    for model, method in zip(drawn['model'], drawn['method'], strict=True)
  ]
  if not any(models):
    return None
  found = table.reindex(models).reset_index(drop=True)
  return pd.DataFrame(
    {
      'paper_model': models,
      'paper_accuracy': found['accuracy'].astype(float) / 100,
      'paper_error_inconsistency': found['error_inconsistency'].astype(float),
      'paper_ensemble_accuracy': found['ensemble_accuracy'].astype(float) / 100,
    }
  )


def _columns(*, beside: Sequence[str], brief: bool) -> list[Column]:
  def number(name: str, header: str) -> list[Column]:
    bounds = () if brief else None
    text = wording.percent_of(name, bounds=bounds)
    # Wide enough for the headings in any font.
    ours = Column(header, text, 138)
    if name not in beside:
      return [ours]
    text = wording.percent_of(f'paper_{name}', bounds=(), digits=2)
    return [ours, Column('paper', text, 64)]

  temperature = "isValid(datum.temperature)?format(datum.temperature,'.2f'):'–'"
  return [
    Column('Model', 'datum.paper_model||datum.model', 215, 'left'),
    Column('Method', _text('method'), 130, 'left'),
    Column('Head', _text('head'), 104, 'left'),
    Column('Category', 'datum.category', 100, 'left'),
    *([] if brief else [Column('Temperature', temperature, 80)]),
    *number('accuracy', 'Accuracy'),
    *number('error_inconsistency', 'Error inconsistency'),
    *number('ensemble_accuracy', 'Ensemble accuracy'),
  ]


def _text(field: str) -> str:
  # Vega reads an empty cell as null.
  return f"datum.{field}||'{wording.MISSING}'"


def _y() -> alt.Y:
  return alt.Y('row:O', axis=None, scale=alt.Scale(padding=0))


def _stripes() -> alt.Chart:
  return (
    alt.Chart()
    .mark_rect(style='stripe')
    .encode(y=_y())
    .transform_filter('datum.row%2==0')
  )


def _texts(i: int, column: Column, left: int, right: int) -> list[alt.Chart]:
  place = left + 8 if column.align == 'left' else right - 8
  text = {'align': column.align, 'baseline': 'middle'}
  body = (
    alt.Chart()
    .mark_text(**text, limit=0.85 * column.width)
    .encode(
      x=alt.value(place),
      y=_y(),
      text=alt.Text(f'text_{i}:N'),
      tooltip=alt.Tooltip('model:N', title='Model'),
    )
  )
  header = (
    alt.Chart()
    .mark_text(**text, fontWeight='bold')
    .encode(x=alt.value(place), y=alt.value(-14), text=alt.value(column.header))
    .transform_filter('datum.row==0')
  )
  if column.header != 'Category':
    return [body, header]
  mark = (
    alt.Chart()
    .mark_point(size=45, filled=True, opacity=1)
    .encode(
      x=alt.value(left),
      y=_y(),
      fill=style.colour(alt.Fill, ()),
      shape=style.shape(()),
    )
  )
  return [body, header, mark]
