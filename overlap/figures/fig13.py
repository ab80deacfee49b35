"""Fig. 13: similarity of representations against error inconsistency.

First, linear CKA between the features of each pair of models; then other
similarities of the same pairs, to compare how well they predict error
inconsistency.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, style, trends


class Panel(NamedTuple):
  """Panel of one similarity: column, title of the panel, title of the axis."""

  value: str
  title: str
  axis: str


PANELS = (
  Panel('cka', 'Linear CKA', 'CKA'),
  Panel('cka_debiased', 'CKA, debiased', 'Debiased CKA'),
  Panel('cca', 'Mean canonical correlation', 'Mean CCA'),
  Panel('mutual_knn', 'Nearest neighbours in common', 'Share in common'),
)
_COLUMNS = {
  'model_1': 'str',
  'model_2': 'str',
  'category': 'str',
  'in_window': 'str',
  'n': 'int',
  **{panel.value: 'float' for panel in PANELS},
  'error_inconsistency': 'float',
}
_PAPER = (
  'The paper, on ImageNet, finds CKA and error inconsistency not well'
  ' correlated.'
)
# Names of the pairs, by scope and whether there is an accuracy window.
_SCOPES = {
  ('all', False): '',
  ('all', True): ' within the accuracy window',
  ('base', False): ' with the base',
  ('base', True): ' with the base, within the accuracy window',
}


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: one per pair whose models have features.

  Raises:
    NotDrawableError: there is no such pair.
  """
  table = tables.get('similarity')
  if table is None or table['cka'].isna().all():
    raise frames.NotDrawableError(
      'similarity.csv must hold pairs of models that both have features, got'
      ' none.'
    )
  models = tables['models']
  inside = frames.flag(models, 'in_window', default=True)
  within = dict(zip(models['model'], inside))
  both = [
    within.get(one, True) and within.get(two, True)
    for one, two in zip(table['model_1'], table['model_2'])
  ]
  drawn = table.assign(in_window=['yes' if b else 'no' for b in both])
  drawn = drawn[drawn['cka'].notna()]
  # The furthest categories are drawn last, over the others.
  order = drawn['category'].map(style.rank).argsort(kind='stable')
  return frames.stack([drawn.iloc[order]], _COLUMNS)


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there is no pair of models with features.
  """
  drawn = rows(tables)
  shown = [p for p in PANELS if drawn[p.value].notna().any()]
  panels = [
    _panel(panel, drawn, _r(correlation(tables, panel.value)))
    for panel in shown
  ]
  chart = alt.concat(*panels, columns=2, spacing=32)
  chart = chart.transform_calculate(
    x_text=wording.percent_of('error_inconsistency', bounds=()),
    **{f'{p.value}_text': _decimal(p.value) for p in shown},
  ).properties(
    data=frames.as_data(drawn),
    title=alt.Title(
      'Do models with similar representations make the same mistakes?',
      subtitle=_notes(tables, drawn),
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def correlation(
  tables: frames.Tables, measure: str
) -> Mapping[str, Any] | None:
  """Returns the correlation of a similarity with error inconsistency.

  Returns:
    A row of 'similarity_correlations': over all pairs if the table has it,
    else over the pairs with the base; None if the table has neither.
  """
  table = tables.get('similarity_correlations')
  if table is None or table.empty:
    return None
  chosen = table[
    (table['name'] == f'error_inconsistency_vs_{measure}')
    & table['pearson'].notna()
  ]
  wide = chosen[chosen['scope'] == 'all']
  chosen = wide if len(wide) else chosen
  return None if chosen.empty else chosen.iloc[0]


def _r(row: Mapping[str, Any] | None) -> str:
  if row is None or not trends.enough(row):
    return ''
  r = wording.decimal(
    row['pearson'], row['pearson_lower'], row['pearson_upper']
  )
  return f'r = {r}'


def _notes(tables: frames.Tables, drawn: pd.DataFrame) -> list[str]:
  table = tables['similarity']
  pairs, examples = wording.count(len(drawn)), wording.count(drawn['n'].max())
  said = [
    f'{pairs} pairs of models, a point each, in the colour of the pair’s'
    f' category; features of {examples} examples.'
  ]
  row = correlation(tables, 'cka')
  if row is not None and not trends.enough(row):
    said.append(f'r: {trends.too_few(row)}.')
  elif row is not None:
    windowed = bool((drawn['in_window'] == 'no').any())
    said.append(
      f'r: Pearson’s over {wording.count(row["n"])} pairs'
      f'{_SCOPES[row["scope"], windowed]}, with its interval (jackknife'
      ' over models).'
    )
  if drawn['mutual_knn'].notna().any():
    k, among = (
      int(table[c].max()) for c in ('neighbours', 'neighbour_examples')
    )
    chance = wording.percent(k / (among - 1))
    said.append(
      f'Neighbours: {k} nearest of {wording.count(among)} examples; by chance'
      f' {chance} in common.'
    )
  return [*said, _PAPER, *style.outside_note(drawn)]


def _decimal(field: str) -> str:
  return (
    f"isValid(datum.{field})?format(datum.{field},'.3f'):'{wording.MISSING}'"
  )


def _panel(panel: Panel, drawn: pd.DataFrame, subtitle: str) -> alt.Chart:
  known = drawn[drawn[panel.value].notna()]
  shown = style.present(drawn['category'])
  outlined = "datum.in_window=='no'"
  inconsistency = 'error_inconsistency'
  return (
    alt.Chart()
    .mark_point(size=0.7 * style.POINT, filled=True, strokeWidth=1)
    .encode(
      x=_axis(alt.X, inconsistency, 'Error inconsistency (%)', known, 100),
      y=_axis(alt.Y, panel.value, panel.axis, known, 1),
      fill=style.colour(alt.Fill, shown),
      stroke=style.colour(alt.Stroke, shown),
      shape=style.shape(shown),
      fillOpacity=alt.condition(outlined, alt.value(0), alt.value(0.7)),
      tooltip=_tooltip(drawn),
    )
    .transform_filter(f'isValid(datum.{panel.value})')
    .properties(
      width=330,
      height=220,
      title=alt.Title(panel.title, subtitle=[subtitle] if subtitle else []),
    )
  )


def _axis(
  channel: type, column: str, title: str, known: pd.DataFrame, scale: int
) -> Any:
  nothing = pd.Series(dtype=float)
  limits = frames.domain(known[column], nothing, nothing)
  return style.axis(channel, column, title, limits, scale=scale)


def _tooltip(drawn: pd.DataFrame) -> list[alt.Tooltip]:
  titles = {
    'model_1': 'Model 1',
    'model_2': 'Model 2',
    'category': 'Category',
    'x_text': 'Error inconsistency',
    **{
      f'{panel.value}_text': panel.title
      for panel in PANELS
      if drawn[panel.value].notna().any()
    },
  }
  return [alt.Tooltip(f'{k}:N', title=title) for k, title in titles.items()]
