"""Fig. 13: similarity of representations against error inconsistency.

Left, linear CKA between the features of each pair of models; right, other
similarities of the same pairs, for whoever asks which of them tells how
differently two models err.
"""

from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from overlap.figures import frames, style, wording


class Panel(NamedTuple):
  """One similarity: its column, and what it is called."""

  value: str
  title: str
  axis: str


PANELS = (
  Panel('cka', 'Linear CKA', 'Linear CKA'),
  Panel('cka_debiased', 'CKA, debiased', 'Debiased CKA'),
  Panel('cca', 'Canonical correlation', 'Mean CCA'),
  Panel('mutual_knn', 'Nearest neighbours', 'Share in common'),
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
_SMALL = 150


def rows(tables: frames.Tables) -> pd.DataFrame:
  """What is drawn: one row a pair whose models have features.

  Raises:
    NotDrawableError: there is none.
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
  # The furthest categories last, so that the fewest are covered.
  order = drawn['category'].map(style.rank).argsort(kind='stable')
  return frames.stack([drawn.iloc[order]], _COLUMNS)


def plot(tables: frames.Tables) -> tuple[alt.HConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no pair of models that both have features.
  """
  drawn = rows(tables)
  shown = [p for p in PANELS if drawn[p.value].notna().any()]
  first, *others = [
    _panel(panel, drawn, correlation(tables, panel.value), small=i > 0)
    for i, panel in enumerate(shown)
  ]
  chart = first
  if others:
    chart = alt.hconcat(first, alt.vconcat(*others, spacing=14), spacing=36)
  else:
    chart = alt.hconcat(first)
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


def correlation(tables: frames.Tables, measure: str) -> str:
  """'r = −0.61 (−0.80 to −0.31)' over all pairs; '' where there is none."""
  table = tables.get('similarity_correlations')
  if table is None or table.empty:
    return ''
  chosen = table[
    (table['name'] == f'error_inconsistency_vs_{measure}')
    & table['pearson'].notna()
  ]
  # All pairs come after those with the base, where both are there.
  if chosen.empty:
    return ''
  row = chosen.iloc[-1]
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
  intervals = 'r: Pearson’s, with its interval (jackknife over models).'
  if drawn['mutual_knn'].notna().any():
    k, among = (
      int(table[c].max()) for c in ('neighbours', 'neighbour_examples')
    )
    chance = wording.percent(k / (among - 1))
    intervals += (
      f' Neighbours: {k} nearest of {wording.count(among)} examples; by chance'
      f' {chance} in common.'
    )
  return [*said, intervals, _PAPER, *style.outside_note(drawn)]


def _decimal(field: str) -> str:
  return (
    f"isValid(datum.{field})?format(datum.{field},'.3f'):'{wording.MISSING}'"
  )


def _panel(
  panel: Panel, drawn: pd.DataFrame, subtitle: str, *, small: bool
) -> alt.Chart:
  known = drawn[drawn[panel.value].notna()]
  shown = [] if small else style.present(drawn['category'])
  outlined = "datum.in_window=='no'"
  return (
    alt.Chart()
    .mark_point(
      size=style.POINT * (0.45 if small else 0.8), filled=True, strokeWidth=1
    )
    .encode(
      x=_axis(
        alt.X, 'error_inconsistency', 'Error inconsistency (%)', known, 100
      ),
      y=_axis(alt.Y, panel.value, panel.axis, known, 1),
      fill=style.colour(alt.Fill, shown, columns=6),
      stroke=style.colour(alt.Stroke, shown, columns=6),
      shape=style.shape(shown, columns=6),
      fillOpacity=alt.condition(outlined, alt.value(0), alt.value(0.7)),
      tooltip=_tooltip(drawn),
    )
    .transform_filter(f'isValid(datum.{panel.value})')
    .properties(
      width=230 if small else 400,
      height=_SMALL if small else 3 * _SMALL + 130,
      title=alt.Title(panel.title, subtitle=[subtitle] if subtitle else []),
    )
  )


def _axis(
  channel: type, column: str, title: str, known: pd.DataFrame, scale: int
) -> Any:
  nothing = pd.Series(dtype=float)
  limits = frames.domain(known[column], nothing, nothing)
  return channel(
    f'{column}:Q',
    title=title,
    axis=alt.Axis(labelExpr=f"format(datum.value*{scale},'~f')", tickCount=5),
    scale=alt.Scale(domain=limits, nice=False),
  )


def _tooltip(drawn: pd.DataFrame) -> list[alt.Tooltip]:
  titles = {
    'model_1': 'Model 1',
    'model_2': 'Model 2',
    'category': 'Category',
    'x_text': 'Error inconsistency',
    **{
      f'{panel.value}_text': panel.axis
      for panel in PANELS
      if drawn[panel.value].notna().any()
    },
  }
  return [alt.Tooltip(f'{k}:N', title=title) for k, title in titles.items()]
