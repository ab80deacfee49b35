"""Panels of Fig. 4 and Fig. 12: points by class, and histograms by group.

They draw the rows of `scatter`.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from overlap.figures import views

_ALONE = "indexof(['only_1','only_2'],datum.outcome)>=0"
_POINT = 18
# Width of the names on both sides on the page, in pixels.
ROOM = {'margin': 130}


def panel(
  drawn: pd.DataFrame, number: int, shown: Sequence[str], *, height: int = 300
) -> alt.LayerChart:
  """Draws class against theta for one pair, coloured by which model is right.

  Args:
    drawn: rows of the figure.
    number: number of the pair.
    shown: categories of the legend, the same in all panels of a figure.
    height: height of the panel, in pixels.
  """
  named = bool((drawn['kind'] == 'class').any())
  x, y = views.theta_axis(), _class_axis(drawn, named)
  layers = [_band_layer(x, y)] if (drawn['kind'] == 'band').any() else []
  layers.append(views.threshold_rules(x))
  layers += [_points(x, y, number, alone, shown) for alone in (False, True)]
  if (drawn['kind'] == 'group').any():
    layers.append(_texts('group', 'upper', y, angle=90, dy=-10))
  if named:
    layers.append(_texts('class_name', 'x', y, align='right', dx=-6))
  return alt.layer(*layers).properties(width=265, height=height)


def _class_axis(drawn: pd.DataFrame, named: bool) -> alt.Y:
  """Returns an axis of class indices from below, or of names from above."""
  shown = drawn['kind'].isin(['point', 'class', 'band'])
  places = drawn.loc[shown, ['y', 'y2']]
  domain = [float(places.min(axis=None)), float(places.max(axis=None))]
  if named:
    axis = alt.Axis(labels=False, ticks=False, grid=False, zindex=1)
  else:
    axis = alt.Axis(tickCount=6, grid=False, tickMinStep=1, zindex=1)
  return alt.Y(
    'y:Q',
    title=None if named else 'Class index',
    scale=alt.Scale(domain=domain, nice=False, zero=False, reverse=named),
    axis=axis,
  )


def _band_layer(x: alt.X, y: alt.Y) -> alt.Chart:
  bands = alt.Chart().transform_filter("datum.kind=='band'")
  return bands.mark_rect(style='stripe').encode(
    x=x, x2='upper:Q', y=y, y2='y2:Q'
  )


def _texts(text: str, x: str, y: alt.Y, **mark: Any) -> alt.Chart:
  """Draws names of classes or groups, without pasting them into expressions."""
  kind = {'group': 'group', 'class_name': 'class'}[text]
  return (
    alt.Chart()
    .mark_text(baseline='middle', opacity=0.8, **mark)
    .encode(x=f'{x}:Q', y=y, text=f'{text}:N')
    .transform_filter(f"datum.kind=='{kind}'")
  )


def _points(
  x: alt.X, y: alt.Y, number: int, alone: bool, shown: Sequence[str]
) -> alt.Chart:
  """Draws the points; small and pale where both models or neither is right."""
  size, opacity = (_POINT, 0.75) if alone else (7, 0.3)
  shapes = {'both': 'circle', 'neither': 'circle'} | views.SIDES
  return (
    alt.Chart()
    .mark_point(filled=True, size=size, opacity=opacity)
    .encode(
      x=x,
      y=y,
      fill=views.alone_colour(alt.Fill, shown),
      shape=alt.Shape(
        'outcome:N',
        scale=alt.Scale(domain=list(shapes), range=list(shapes.values())),
        legend=None,
      ),
      tooltip=[
        alt.Tooltip('id:N', title='Example'),
        alt.Tooltip('class_name:N', title='Class'),
        alt.Tooltip('outcome:N', title='Correct'),
        alt.Tooltip('confidence_1:Q', title='Confidence 1', format='.3f'),
        alt.Tooltip('confidence_2:Q', title='Confidence 2', format='.3f'),
        alt.Tooltip('x:Q', title='θ', format='.2f'),
        alt.Tooltip('ensemble_correct:N', title='Ensemble correct'),
      ],
    )
    .transform_filter(
      f"datum.kind=='point'&&datum.panel=={number}"
      f'&&{"" if alone else "!"}({_ALONE})'
    )
  )


def detail(
  drawn: pd.DataFrame,
  number: int,
  group: str,
  shown: Sequence[str],
  outcomes: Sequence[str] = tuple(views.SIDES),
  *,
  height: int = 110,
) -> alt.LayerChart:
  """Draws one pair's histograms over theta by which model is right.

  Args:
    drawn: rows of the figure.
    number: number of the pair.
    group: group of classes; '' for all.
    shown: categories of the legend.
    outcomes: outcomes with a histogram.
    height: height of the panel, in pixels.
  """
  mine = drawn[(drawn['kind'] == 'bin') & (drawn['group'] == group)]
  mine = mine[mine['outcome'].isin(list(outcomes))]
  x = views.theta_axis()
  y = alt.Y(
    'count:Q',
    title='Examples',
    axis=alt.Axis(tickCount=4, tickMinStep=1),
    # The same scale in the panels of all pairs.
    scale=alt.Scale(domain=[0, float(max(1, mine['count'].max()))]),
  )
  wanted = ','.join(f"'{outcome}'" for outcome in outcomes)
  keep = f'datum.panel=={number}&&indexof([{wanted}],datum.outcome)>=0'
  colour = [views.alone_colour(c, shown) for c in (alt.Fill, alt.Stroke)]
  inside = alt.FieldEqualPredicate(field='group', equal=group)
  layers = [
    layer.transform_filter(inside if group else '!datum.group')
    for layer in views.steps(x, y, colour, keep)
  ]
  return alt.layer(*layers, views.threshold_rules(x)).properties(
    width=265, height=height
  )
