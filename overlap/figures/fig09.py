"""Fig. 9: theta compared with the difference of two confidences.

Above, both measures over the plane of confidences, with the lines beyond which
the more confident model's class always wins; below, histograms of both for
examples that only one model of the furthest pair gets right. Each line is a
single value of theta, but not of the difference.
"""

import altair as alt
import numpy as np
import pandas as pd

from overlap.analyses.specialisation import angle
from overlap.core import wording
from overlap.figures import frames, style, views

_CELLS = 32  # Cells along each side of the plane.
_MEASURES = {
  'theta': 'θ',
  'confidence_difference': 'confidence 1 − confidence 2',
}
_COLUMNS = {
  'kind': 'str',
  'measure': 'str',
  'category': 'str',
  'outcome': 'str',
  'panel': 'int',
  'x': 'float',
  'x2': 'float',
  'y': 'float',
  'y2': 'float',
  'value': 'float',
  'lower': 'float',
  'upper': 'float',
  'count': 'int',
  'n': 'int',
}


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: cells of both planes, lines, bins of one pair."""
  pair = furthest(tables)
  colours = views.right_categories(tables, pair)
  found = []
  for measure in _MEASURES:
    bins = views.histograms(tables, 'panel', measure)
    chosen = (bins['panel'] == pair['panel']) & (bins['group'] == '')
    bins = bins[chosen & bins['outcome'].isin(list(views.SIDES))]
    found.append(bins.assign(category=bins['outcome'].map(colours)))
  marks = [_cells(), _lines(), views.THRESHOLDS.assign(measure='theta')]
  return frames.stack([*marks, *found], _COLUMNS)


def furthest(tables: frames.Tables) -> pd.Series:
  """Returns the panels' pair of the furthest category, the last if tied.

  Raises:
    NotDrawableError: no pair has confidences.
  """
  chosen = views.pairs(tables, 'panel')
  ranks = chosen['category'].map(
    lambda name: -1 if name not in style.CATEGORIES else style.rank(name)
  )
  return chosen.iloc[int(np.flatnonzero(ranks == ranks.max())[-1])]


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no pair has confidences.
  """
  drawn, pair = rows(tables), furthest(tables)
  panels = [_plane(measure) for measure in _MEASURES]
  shown = views.alone_legend(tables, pair.to_frame().T)
  panels += [_histogram(measure, shown) for measure in _MEASURES]
  one, two = pair['model_1'], pair['model_2']
  n = wording.count(drawn.loc[drawn['kind'] == 'bin', 'n'].max())
  chart = alt.concat(*panels, columns=2, spacing=28).properties(
    data=frames.as_data(drawn),
    title=alt.Title(
      'Why θ: it is measured along the lines that decide',
      subtitle=[
        f'Below: of {n} examples, those that only “{one}” (model 1) or only'
        f' “{two}” (model 2) gets right.',
        views.DOTTED,
      ],
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def _cells() -> pd.DataFrame:
  """Returns both measures at the centre of each cell of the plane."""
  ends = np.linspace(0, 1, _CELLS + 1)
  middle = (ends[:-1] + ends[1:]) / 2
  one, two = (part.ravel() for part in np.meshgrid(middle, middle))
  half = 0.5 / _CELLS
  cells = pd.DataFrame(
    {'x': one - half, 'x2': one + half, 'y': two - half, 'y2': two + half}
  ).round(6)
  parts = [
    cells.assign(measure=name, value=np.round(values, 4))
    for name, values in angle.measures(one, two).items()
  ]
  whole = pd.concat(parts, ignore_index=True)
  return whole.assign(kind='cell', category=style.UNKNOWN)


def _lines() -> pd.DataFrame:
  corners = [('1', 0.5, 0), ('1', 1, 1), ('2', 0, 0.5), ('2', 1, 1)]
  lines = pd.DataFrame(corners, columns=['outcome', 'x', 'y'])
  return lines.assign(kind='line', category=style.UNKNOWN)


def _plane(measure: str) -> alt.LayerChart:
  x, y = (
    channel(
      f'{name}:Q',
      title=f'Confidence of model {number}',
      scale=alt.Scale(domain=[0, 1], nice=False),
      axis=alt.Axis(tickCount=5, grid=False),
    )
    for channel, name, number in ((alt.X, 'x', 1), (alt.Y, 'y', 2))
  )
  end = angle.MEASURES[measure]
  cells = (
    alt.Chart()
    .mark_rect(strokeWidth=0)
    .encode(
      x=x,
      x2='x2:Q',
      y=y,
      y2='y2:Q',
      color=alt.Color(
        'value:Q',
        scale=alt.Scale(scheme='purpleorange', domain=[-end, end]),
        legend=alt.Legend(
          title=None, orient='right', gradientLength=180, format='.1f'
        ),
      ),
    )
    .transform_filter(f"datum.kind=='cell'&&datum.measure=='{measure}'")
  )
  lines = (
    alt.Chart()
    .mark_line(color='#000000', strokeWidth=1.6, strokeDash=[1, 3])
    .encode(x=x, y=y, detail='outcome:N')
    .transform_filter("datum.kind=='line'")
  )
  return (
    alt.layer(cells, lines)
    .resolve_scale(color='independent')
    .properties(width=265, height=240, title=alt.Title(_title(measure)))
  )


def _histogram(measure: str, shown: list[str]) -> alt.LayerChart:
  end = angle.MEASURES[measure]
  x = alt.X(
    'x:Q',
    title='← model 2 · more confident · model 1 →',
    scale=alt.Scale(domain=[-end, end], nice=False),
    axis=alt.Axis(tickCount=7, format='.1f'),
  )
  y = alt.Y(
    'count:Q', title='Examples', scale=alt.Scale(domainMin=0),
    axis=alt.Axis(tickCount=5),
  )  # fmt: skip
  colour = [views.alone_colour(c, shown) for c in (alt.Fill, alt.Stroke)]
  layers = views.steps(x, y, colour, f"datum.measure=='{measure}'")
  if measure == 'theta':
    layers.append(views.threshold_rules(x))
  return alt.layer(*layers).properties(
    width=265, height=170, title=alt.Title(_title(measure))
  )


def _title(measure: str) -> str:
  text = _MEASURES[measure]
  return f'{text[:1].upper()}{text[1:]}' if len(text) > 1 else text
