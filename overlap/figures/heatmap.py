"""Heat map of the error inconsistency of every pair, ordered by category.

Only the lower triangle is drawn, since the measure is symmetric; the diagonal
shows each model's category. The paper has no such figure.
"""

import altair as alt
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, style

_COLUMNS = {
  'model_1': 'str',
  'model_2': 'str',
  'category': 'str',
  'error_inconsistency': 'float',
  'error_inconsistency_lower': 'float',
  'error_inconsistency_upper': 'float',
}
_SIDE = 520
_DIAGONAL = 'datum.model_1==datum.model_2'


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: one per pair, and one per model for the diagonal."""
  models = by_category(tables['models'])
  place = {name: i for i, name in enumerate(models['model'])}
  pairs = tables['pairs'].copy()
  if pairs.empty:
    raise frames.NotDrawableError(
      'pairs.csv must hold pairs to draw their heat map, got none.'
    )
  swap = pairs['model_1'].map(place) > pairs['model_2'].map(place)
  columns = ['model_1', 'model_2']
  pairs.loc[swap, columns] = pairs.loc[swap, columns[::-1]].to_numpy()
  diagonal = models.assign(model_1=models['model'], model_2=models['model'])
  diagonal = diagonal.drop(columns=list(_COLUMNS)[3:], errors='ignore')
  whole = frames.stack([diagonal, pairs], _COLUMNS)
  keys = [whole[name].map(place) for name in columns]
  order = keys[1] * len(place) + keys[0]
  return whole.iloc[order.argsort(kind='stable')].reset_index(drop=True)


def by_category(models: pd.DataFrame) -> pd.DataFrame:
  """Returns the rows of `models.csv` by category, the base first."""
  place = {name: i for i, name in enumerate(models['model'])}
  models = frames.in_order(models, place)
  # The base comes before the categories, which are relative to it.
  first = models['category'] == style.BASE
  return pd.concat([models[first], models[~first]])


def plot(tables: frames.Tables) -> tuple[alt.LayerChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there are no pairs.
  """
  drawn = rows(tables)
  models = list(dict.fromkeys(drawn['model_2']))
  encoding = _axes(models)
  tooltip = [
    alt.Tooltip('model_1:N', title='Model 1'),
    alt.Tooltip('model_2:N', title='Model 2'),
    alt.Tooltip('category:N', title='Category'),
    alt.Tooltip('text:N', title='Error inconsistency'),
  ]
  cells = (
    alt.Chart()
    .mark_rect()
    .encode(**encoding, color=_shade(), tooltip=tooltip)
    .transform_filter(f'!({_DIAGONAL})')
  )
  diagonal = (
    alt.Chart()
    .mark_rect()
    .encode(
      **encoding,
      fill=style.colour(alt.Fill, style.present(drawn['category'])),
      tooltip=tooltip[1:3],
    )
    .transform_filter(_DIAGONAL)
  )
  chart = (
    alt.layer(cells, diagonal)
    .resolve_scale(color='independent', fill='independent')
    .transform_calculate(text=wording.percent_of('error_inconsistency'))
  )
  chart = chart.properties(
    data=frames.as_data(drawn),
    width=_SIDE,
    height=_SIDE,
    title=alt.Title(
      'Error inconsistency of every pair',
      subtitle='On the diagonal: the category of each model.',
    ),
  )
  return style.themed(chart), drawn


def _axes(models: list[str]) -> dict[str, alt.SchemaBase]:
  # Labels shrink with the cells, and are left out if they still don't fit.
  size = min(11.0, 0.85 * _SIDE / len(models))
  angle = -45 if len(models) <= 30 else -90
  axis = {
    'labels': size >= 5,
    'labelFontSize': size,
    'labelLimit': 220,
    'labelOverlap': False,
    'ticks': False,
    'domain': False,
    'title': None,
  }
  # The order is set by the domain: for `sort`, Vega-Lite writes each name into
  # an expression, where Vega fails on names such as 'toString'.
  scale = alt.Scale(domain=models)
  return {
    'x': alt.X(
      'model_1:N', scale=scale, axis=alt.Axis(**axis, labelAngle=angle)
    ),
    'y': alt.Y('model_2:N', scale=scale, axis=alt.Axis(**axis)),
  }


def _shade() -> alt.Color:
  return alt.Color(
    'error_inconsistency:Q',
    scale=alt.Scale(scheme='viridis', zero=False),
    legend=alt.Legend(
      title='Error inconsistency (%)',
      labelExpr="format(datum.value*100,'.1f')",
      orient='top-right',
      gradientLength=160,
      tickCount=3,
    ),
  )
