"""Fig. 10: examples that the ensemble gets right although neither model does.

The share of examples that the ensemble gets right, of those that neither model
does, against error inconsistency and by category; and numerator and denominator
of that share, as shares of all examples. Points are pairs with the base; open
stars are the paper's, which has one pair for each of three categories. Counts
are in the CSV file and the tooltips.
"""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames, strips, style

_RATE, _CONVERTED, _NEITHER = (
  'neither_conversion_rate', 'converted_neither', 'neither',
)  # fmt: skip
_TITLES = {
  _RATE: ('The same, by category',
          'Share the ensemble gets right (%)'),
  _CONVERTED: ('Right together, wrong alone', 'Share of the examples (%)'),
  _NEITHER: ('Neither correct', 'Share of the examples (%)'),
}  # fmt: skip
_COLUMNS = {
  'measure': 'str',
  'source': 'str',
  'kind': 'str',
  'model': 'str',
  'category': 'str',
  'in_window': 'str',
  'value': 'float',
  'lower': 'float',
  'upper': 'float',
  'count': 'int',
  'n': 'int',
  'error_inconsistency': 'float',
  'error_inconsistency_lower': 'float',
  'error_inconsistency_upper': 'float',
  'pairs': 'int',
}
# Examples of ImageNet's validation split, used by the paper.
_PAPERS_EXAMPLES = 50_000
_SIZE = {'width': 340, 'height': 240}


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw, one per mark; `value` is `count / n`.

  Raises:
    NotDrawableError: no pair with the base has an ensemble.
  """
  pairs = frames.base_pairs(tables)
  pairs = pairs[pairs['ensemble_accuracy'].notna()].reset_index(drop=True)
  if pairs.empty:
    raise frames.NotDrawableError(
      'Fig. 10 must have ensembles, got none: no pair with the base has the'
      ' logits of both models.'
    )
  pairs = pairs.assign(
    source=style.STUDY, kind=strips.MODEL, examples=pairs['n']
  )
  means = frames.category_means(tables)
  means = means.assign(source=style.STUDY, kind=strips.MEAN)
  parts = []
  for measure in _TITLES:
    parts += [
      _of_pairs(pairs, measure), _of_means(means, pairs, measure),
      _of_paper(measure),
    ]  # fmt: skip
  whole = frames.stack(parts, _COLUMNS)
  whole = whole[whole['value'].notna()]
  return strips.placed(whole, 'value', ['measure', 'category'])


def _of_pairs(pairs: pd.DataFrame, measure: str) -> pd.DataFrame:
  counts = pairs[_NEITHER if measure == _NEITHER else _CONVERTED]
  whole = pairs[_NEITHER if measure == _RATE else 'examples']
  known = whole > 0
  bounds = {
    end: pairs.get(f'{_RATE}_{end}') if measure == _RATE else None
    for end in ('lower', 'upper')
  }
  return pairs.assign(
    measure=measure, count=counts, n=whole, **bounds,
    value=np.where(known, counts.astype(float) / whole.where(known, 1), np.nan),
  )  # fmt: skip


def _of_means(
  means: pd.DataFrame, pairs: pd.DataFrame, measure: str
) -> pd.DataFrame:
  """Returns category means of a measure.

  They come from `categories.csv` if it has them, else from the pairs in the
  accuracy window.
  """
  if measure in means:
    ends = {end: means.get(f'{measure}_{end}') for end in ('lower', 'upper')}
    return means.assign(measure=measure, value=means[measure], **ends)
  inside = pairs[pairs['in_window'] == 'yes']
  shares = inside[_CONVERTED].astype(float) / inside['n']
  found = shares.groupby(inside['category']).mean()
  return means.assign(measure=measure, value=means['category'].map(found))


def _of_paper(measure: str) -> pd.DataFrame:
  found = []
  for category, (converted, neither) in published.NEITHER.items():
    count = neither if measure == _NEITHER else converted
    n = neither if measure == _RATE else _PAPERS_EXAMPLES
    found.append({
      'category': category, 'count': count, 'n': n, 'value': count / n,
    })  # fmt: skip
  return pd.DataFrame(found).assign(
    measure=measure, source=style.PAPER, kind=strips.MEAN, pairs=1
  )


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no pair with the base has an ensemble.
  """
  drawn = rows(tables)
  present = [name for name in _TITLES if (drawn['measure'] == name).any()]
  panels = [_strips(name, drawn[drawn['measure'] == name]) for name in present]
  # A pair has no rate if it has no example that neither gets right.
  rates = drawn[(drawn['measure'] == _RATE) & (drawn['source'] == style.STUDY)]
  if len(rates):
    panels.insert(0, _against(rates))
  chart = alt.concat(*panels, columns=2, spacing=28).transform_calculate(
    label=strips.LABEL,
    value_text=wording.percent_of('value', bounds=('lower', 'upper'), digits=2),
    x_text=wording.percent_of('error_inconsistency'),
    count_text="isValid(datum.count)?format(datum.count,',')+' of '"
    "+format(datum.n,','):''",
  )
  base = frames.base_name(tables['models'])
  examples = wording.count(tables['models']['n'].max())
  chart = chart.properties(
    data=frames.as_data(drawn),
    title=alt.Title(
      f'Neither is right, together they are: each model with “{base}”',
      subtitle=[
        f'Of {examples} examples. Filled stars: category means with their'
        ' intervals; bars of points: intervals of the share.',
        'Open stars: the paper’s pairs, on ImageNet.',
        *style.outside_note(drawn),
      ],
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def _tooltip() -> list[alt.Tooltip]:
  titles = {
    'label': 'Model',
    'category': 'Category',
    'x_text': 'Error inconsistency',
    'value_text': 'Share',
    'count_text': 'Examples',
  }
  return [alt.Tooltip(f'{k}:N', title=title) for k, title in titles.items()]


def _strips(measure: str, drawn: pd.DataFrame) -> alt.LayerChart:
  title, axis = _TITLES[measure]
  chart = strips.strips('value', drawn, tooltip=_tooltip(), title=axis)
  return chart.transform_filter(f"datum.measure=='{measure}'").properties(
    title=alt.Title(title), **_SIZE
  )


def _against(ours: pd.DataFrame) -> alt.LayerChart:
  """Draws the rate against error inconsistency, for this study only.

  The paper does not state the error inconsistencies of its three pairs. Colours
  are those of the other panels, whose axes name the categories.
  """
  x = _axis(alt.X, 'error_inconsistency', 'Error inconsistency (%)', ours)
  y = _axis(alt.Y, 'value', _TITLES[_RATE][1], ours)
  models = ours[ours['kind'] == strips.MODEL]
  layers = []
  if models['lower'].notna().any():
    layers.append(_bars(x, y, strips.MODEL, 'y', width=1, opacity=0.45))
  layers.append(
    alt.Chart()
    .mark_point(size=style.POINT, filled=True, strokeWidth=1.2)
    .encode(
      x=x,
      y=y,
      fill=style.colour(alt.Fill, ()),
      stroke=style.colour(alt.Stroke, ()),
      shape=style.shape(()),
      fillOpacity=style.solid_inside(),
      tooltip=_tooltip(),
    )
    .transform_filter(f"datum.kind=='{strips.MODEL}'")
  )
  means = ours[ours['kind'] == strips.MEAN]
  for side, column in (('x', 'error_inconsistency_lower'), ('y', 'lower')):
    if means[column].notna().any():
      layers.append(_bars(x, y, strips.MEAN, side, width=2, opacity=1))
  if len(means):
    layers.append(
      alt.Chart()
      .mark_point(**style.STAR_MARK)
      .encode(x=x, y=y, fill=style.colour(alt.Fill, ()), tooltip=_tooltip())
      .transform_filter(f"datum.kind=='{strips.MEAN}'")
    )
  return (
    alt.layer(*layers)
    .transform_filter(
      f"datum.measure=='{_RATE}'&&datum.source=='{style.STUDY}'"
    )
    .properties(
      title=alt.Title('Conversion of what neither gets right'), **_SIZE
    )
  )


def _axis(channel: type, column: str, title: str, drawn: pd.DataFrame) -> Any:
  prefix = '' if column == 'value' else f'{column}_'
  limits = frames.domain(
    drawn[column], drawn[f'{prefix}lower'], drawn[f'{prefix}upper']
  )
  return style.axis(channel, column, title, limits, ticks=6)


def _bars(
  x: alt.X, y: alt.Y, kind: str, side: str, *, width: int, opacity: float
) -> alt.Chart:
  prefix = 'error_inconsistency_' if side == 'x' else ''
  axes = {'x': x, 'y': y}
  axes[side] = axes[side].copy()
  axes[side].shorthand = f'{prefix}lower:Q'
  return (
    alt.Chart()
    .mark_rule(strokeWidth=width, opacity=opacity, clip=True)
    .encode(
      **axes,
      **{f'{side}2': f'{prefix}upper:Q'},
      stroke=style.colour(alt.Stroke, ()),
    )
    .transform_filter(f"datum.kind=='{kind}'&&isValid(datum.{prefix}lower)")
  )
