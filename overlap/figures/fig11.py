"""Fig. 11: ensembles with unequal weights of their two models.

Accuracy against the weight t. Left, t is model 2's weight; right, it is model
2's weight on one group of classes and model 1's on another. Points are the
optima with their intervals; the dotted line marks equal weights.
"""

import altair as alt
import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames, style, views

_COLUMNS = {
  'kind': 'str',
  'form': 'str',
  'pair': 'str',
  'category': 'str',
  't': 'float',
  'lower': 'float',
  'upper': 'float',
  'accuracy': 'float',
  'correct': 'int',
  'n': 'int',
  'accuracy_half': 'float',
  'accuracy_cross_fitted': 'float',
}
_NAMED = 4  # Pairs that are listed by name.
_LINE = 56  # Characters per line of a panel's subtitle.
_TITLES = {'simple': 'One weight', 'class_aware': 'A weight for each group'}


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: the curves of the panels' pairs and their optima.

  Raises:
    NotDrawableError: no pair has the logits of both models.
  """
  curves, optima = (
    tables.get('interpolation'),
    tables.get('interpolation_optima'),
  )
  if curves is None or optima is None or curves.empty or optima.empty:
    raise frames.NotDrawableError(
      'interpolation.csv must hold pairs of models with logits, got none.'
    )
  chosen = _pairs(tables, curves)
  keys = ['model_1', 'model_2']
  parts = []
  for table, kind, time in ((curves, 'curve', 't'), (optima, 'best', 'best_t')):
    found = chosen[[*keys, 'colour']].merge(table, on=keys)
    ends = {'lower': 'best_t_lower', 'upper': 'best_t_upper'}
    renamed = {'accuracy': 'accuracy_best', 'correct': 'correct_best'} | ends
    if kind == 'best':
      found = found.assign(**{n: found[old] for n, old in renamed.items()})
    parts.append(
      found.assign(
        form=found['kind'], kind=kind, t=found[time], pair=views.label(found),
        category=found['colour'],
      )
    )  # fmt: skip
  middle = pd.DataFrame({'kind': ['middle'], 't': [0.5]})
  return frames.stack([middle.assign(category=style.UNKNOWN), *parts], _COLUMNS)


def _pairs(tables: frames.Tables, curves: pd.DataFrame) -> pd.DataFrame:
  """Returns the panels' pairs that have curves, or all if none of them has."""
  keys = ['model_1', 'model_2']
  held = curves[[*keys, 'category']].drop_duplicates(keys)
  try:
    chosen = views.pairs(tables, 'panel').merge(held[keys], on=keys)
  except frames.NotDrawableError:
    chosen = held.iloc[:0]
  if len(chosen):
    return chosen
  return held.assign(colour=held['category'].map(style.category_name))


def _named(chosen: pd.DataFrame) -> str:
  if len(chosen) > _NAMED:
    return f'{wording.count(len(chosen))} pairs'
  return '; '.join(views.label(chosen))


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no pair has the logits of both models.
  """
  drawn = rows(tables)
  chosen = _pairs(tables, tables['interpolation'])
  shown = views.legend(chosen)
  panels = [
    _panel(tables, drawn, form, shown)
    for form in _TITLES
    if (drawn['form'] == form).any()
  ]
  before, after = published.CLASS_AWARE_ACCURACY
  n = wording.count(drawn['n'].max())
  chart = alt.concat(*panels, columns=2, spacing=36).properties(
    data=frames.as_data(drawn),
    usermeta={'line': _LINE * len(panels)},
    title=alt.Title(
      'Accuracy along the weights of two models',
      subtitle=[
        f'{_named(chosen)}: accuracy on {n} examples.',
        'Points: the best weight on these very examples, which is optimistic,'
        ' and its interval. Dotted: equal weights.',
        'The paper, on ImageNet, with weights for groups:'
        f' {wording.percent(before, digits=3)} with equal weights,'
        f' {wording.percent(after, digits=3)} at best.',
      ],
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def _panel(
  tables: frames.Tables, drawn: pd.DataFrame, form: str, shown: list[str]
) -> alt.LayerChart:
  mine = drawn[drawn['form'] == form]
  limits = frames.domain(mine['accuracy'], *([pd.Series(dtype=float)] * 2))
  x = alt.X(
    't:Q',
    title='Weight t',
    scale=alt.Scale(domain=[0, 1], nice=False),
    axis=alt.Axis(tickCount=5),
  )
  y = style.axis(
    alt.Y, 'accuracy', 'Ensemble accuracy (%)', limits, ticks=6, zero=False
  )
  stroke = style.colour(alt.Stroke, shown)
  curve = (
    alt.Chart()
    .mark_line(strokeWidth=1.8)
    .encode(x=x, y=y, stroke=stroke, detail='pair:N')
    .transform_filter(f"datum.kind=='curve'&&datum.form=='{form}'")
  )
  middle = (
    alt.Chart()
    .mark_rule(strokeDash=[1, 3], strokeWidth=1.4)
    .encode(x=x)
    .transform_filter("datum.kind=='middle'")
  )
  best = alt.Chart().transform_filter(
    f"datum.kind=='best'&&datum.form=='{form}'"
  )
  span = best.mark_rule(strokeWidth=2, opacity=0.7).encode(
    x=alt.X('lower:Q'), x2='upper:Q', y=y, stroke=stroke
  )
  points = best.mark_point(
    filled=True, size=80, opacity=1, strokeWidth=1, style='halo'
  ).encode(
    x=x,
    y=y,
    fill=style.colour(alt.Fill, shown),
    tooltip=[
      alt.Tooltip('pair:N', title='Pair'),
      alt.Tooltip('t:Q', title='Best t', format='.2f'),
      alt.Tooltip('lower:Q', title='from', format='.2f'),
      alt.Tooltip('upper:Q', title='to', format='.2f'),
      alt.Tooltip('accuracy:Q', title='Accuracy there', format='.2%'),
      alt.Tooltip('accuracy_half:Q', title='Equal weights', format='.2%'),
      alt.Tooltip(
        'accuracy_cross_fitted:Q', title='Cross-fitted', format='.2%'
      ),
    ],
  )
  layers = [middle, curve]
  if mine['lower'].notna().any():
    layers.append(span)
  return alt.layer(*layers, points).properties(
    width=300,
    height=250,
    title=alt.Title(_TITLES[form], subtitle=_meaning(tables, form)),
  )


def _meaning(tables: frames.Tables, form: str) -> list[str]:
  """Returns the meaning of t = 0 and t = 1 in words."""
  if form == 'simple':
    return ['t = 0: model 1 alone;', 't = 1: model 2 alone']
  optima = tables['interpolation_optima']
  row = optima[optima['kind'] == form].iloc[0]
  return [
    f't = 0: {row["group_a"]} by model 1, {row["group_b"]} by model 2;',
    't = 1: the reverse; other classes by both',
  ]
