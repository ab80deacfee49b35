"""Table 1 of the study: one row a model, as the paper's tables have it.

Method, head, temperature, accuracy, error inconsistency with the base,
category, and accuracy of the ensemble with the base. Where a model's name is
in the paper's table 1, the paper's values stand beside ours.
"""

from typing import NamedTuple

import altair as alt
import pandas as pd

from overlap.catalog import paper
from overlap.figures import frames, style, wording

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


class Column(NamedTuple):
  """A drawn column: header lines, the text as an expression, its width."""

  header: str
  text: str
  width: int
  align: str = 'right'


def rows(tables: frames.Tables) -> pd.DataFrame:
  """What is drawn: the models in the order of `models.csv`."""
  models = tables['models'].reset_index(drop=True)
  inside = frames.flag(models, 'in_window', default=True)
  table = frames.stack(
    [
      models.assign(
        row=range(len(models)), in_window=inside.map({True: 'yes', False: 'no'})
      )
    ],
    _COLUMNS,
  )
  published = _published(table['model'])
  return table if published is None else pd.concat([table, published], axis=1)


def plot(tables: frames.Tables) -> tuple[alt.LayerChart, pd.DataFrame]:
  """Draws the table.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no model.
  """
  drawn = rows(tables)
  if drawn.empty:
    raise frames.NotDrawableError(
      'models.csv must hold models to draw table 1, got none.'
    )
  columns = _columns(paper_too=f'paper_{_PAPER[0]}' in drawn)
  layers, right = [_stripes()], 0
  for i, column in enumerate(columns):
    left, right = right, right + column.width
    layers += _texts(i, column, left, right)
  chart = alt.layer(*layers).transform_calculate(
    **{f'text_{i}': column.text for i, column in enumerate(columns)}
  )
  outside = (drawn['in_window'] == 'no').any()
  note = 'Intervals in brackets.' + (
    ' † outside the accuracy window.' if outside else ''
  )
  chart = chart.properties(
    data=frames.as_data(drawn),
    width=right,
    height=_ROW_HEIGHT * len(drawn),
    title=alt.Title(
      'Models, and how each overlaps with the base', subtitle=note, offset=14
    ),
  )
  return style.themed(chart), drawn


def _published(models: pd.Series) -> pd.DataFrame | None:
  table = paper.table(1).drop_duplicates('model').set_index('model')
  if not models.isin(table.index).any():
    return None
  found = table.reindex(models).reset_index(drop=True)
  return pd.DataFrame(
    {
      'paper_accuracy': found['accuracy'].astype(float) / 100,
      'paper_error_inconsistency': found['error_inconsistency'].astype(float),
      'paper_ensemble_accuracy': found['ensemble_accuracy'].astype(float) / 100,
    }
  )


def _columns(*, paper_too: bool) -> list[Column]:
  def number(name: str, header: str) -> list[Column]:
    ours = Column(header, wording.percent_of(name), 130)
    if not paper_too:
      return [ours]
    text = wording.percent_of(f'paper_{name}', bounds=(), digits=2)
    return [ours, Column('paper', text, 64)]

  temperature = "isValid(datum.temperature)?format(datum.temperature,'.2f'):'–'"
  return [
    Column('Model', "datum.model+(datum.in_window=='no'?' †':'')", 215, 'left'),
    Column('Method', _text('method'), 130, 'left'),
    Column('Head', _text('head'), 90, 'left'),
    Column('Category', 'datum.category', 90, 'left'),
    Column('Temperature', temperature, 80),
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
    .mark_text(**text, limit=column.width - 12)
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
