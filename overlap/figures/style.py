"""Style of every figure: colours, shapes, sizes, fonts, category order.

The colours have a contrast of at least 3:1 against their background and remain
distinguishable under simulated protanopia, deuteranopia and tritanopia; shapes
encode the same categories, so that no figure depends on colour alone.
"""

import copy
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from overlap.catalog import categories

BASE = categories.BASE
CATEGORIES = categories.CATEGORIES
# Name of the category of models without a category in the tables.
UNKNOWN = 'unknown'
ORDER = (*CATEGORIES, BASE, UNKNOWN)

# One colour per category, in the order of `ORDER`.
COLOURS = {
  'light': (
    '#1b2f7a', '#3a9ad9', '#00805a', '#d07c00', '#c03a8c', '#666666', '#8f8f8f',
  ),
  'dark': (
    '#6a7dff', '#8edcff', '#1fae7c', '#ffc24d', '#f06cb4', '#a8adb7', '#7d828c',
  ),
}  # fmt: skip
SHAPES = (
  'circle', 'square', 'triangle-up', 'diamond', 'triangle-down', 'cross',
  'triangle-right',
)  # fmt: skip
# A five-pointed star in Vega's symbol coordinates, [-1, 1] x [-1, 1].
STAR = (
  'M0,-1L0.276,-0.38L0.951,-0.309L0.447,0.145L0.588,0.809'
  'L0,0.47L-0.588,0.809L-0.447,0.145L-0.951,-0.309L-0.276,-0.38Z'
)

_INK = {'light': '#1c1e22', 'dark': '#e8eaed'}
_MUTED = {'light': '#5b6068', 'dark': '#a8adb7'}
_GRID = {'light': '#e6e8eb', 'dark': '#30343c'}
_STRIPE = {'light': '#f3f4f6', 'dark': '#1f232b'}
BACKGROUND = {'light': '#ffffff', 'dark': '#15181e'}

POINT = 60
STAR_SIZE = 320
# A category's mean: a star that stands out from the points below it.
STAR_MARK = {
  'size': STAR_SIZE,
  'shape': STAR,
  'opacity': 1,
  'filled': True,
  'strokeWidth': 1,
  'style': 'halo',
}
# Names of the two sources of points in the legends.
STUDY = 'this study'
PAPER = 'paper (ImageNet)'


def config(theme: str = 'light') -> dict[str, Any]:
  """Returns the Vega-Lite config of a theme, 'light' or 'dark'."""
  ink, muted, grid = _INK[theme], _MUTED[theme], _GRID[theme]
  text = {'labelColor': muted, 'titleColor': ink}
  return {
    'background': BACKGROUND[theme],
    'font': 'Arial, Helvetica, sans-serif',
    'padding': 8,
    'range': {'category': list(COLOURS[theme])},
    'axis': {
      **text,
      'labelFontSize': 11,
      'titleFontSize': 12,
      'titleFontWeight': 'normal',
      'titlePadding': 8,
      'gridColor': grid,
      'domainColor': muted,
      'tickColor': muted,
    },
    'legend': {
      **text,
      'labelFontSize': 11,
      'titleFontSize': 11,
      'labelLimit': 260,
      'symbolSize': 70,
    },
    'title': {
      'color': ink,
      'subtitleColor': muted,
      'fontSize': 13,
      'subtitleFontSize': 11,
      'subtitlePadding': 4,
      'anchor': 'start',
      'frame': 'group',
      'offset': 10,
    },
    'view': {'stroke': None},
    'text': {'color': ink, 'fontSize': 11},
    'rule': {'color': muted},
    'style': {
      'halo': {'stroke': BACKGROUND[theme]},
      'stripe': {'color': _STRIPE[theme]},
    },
  }


def themed(chart: Any, theme: str = 'light') -> Any:
  """Returns a copy of an Altair chart with the theme's config."""
  chart = copy.copy(chart)
  chart.config = alt.Config.from_dict(config(theme), validate=False)
  return chart


def present(values: Sequence[str]) -> list[str]:
  """Returns the categories among `values`, in the order of `ORDER`."""
  found = set(values)
  return [category for category in ORDER if category in found]


def category_name(category: Any) -> str:
  """Returns the category if it is in `ORDER`, else 'unknown'."""
  return category if category in ORDER else UNKNOWN


def rank(category: Any) -> int:
  """Returns the position of a category in `ORDER`."""
  return ORDER.index(category_name(category))


def category_scale() -> alt.Scale:
  """Returns the scale that gives a category the same colour in all figures."""
  return alt.Scale(domain=list(ORDER))


def axis(
  channel: type,
  column: str,
  title: str,
  limits: Sequence[float],
  *,
  ticks: int = 5,
  scale: int = 100,
  **more: Any,
) -> Any:
  """Returns a numeric position channel, with labels multiplied by `scale`.

  Args:
    channel: alt.X or alt.Y.
    column: column of the numbers.
    title: title of the axis, with the unit.
    limits: ends of the axis, in the units of the column.
    ticks: approximate number of ticks.
    scale: factor of the labels, 100 for fractions in per cent.
    **more: further properties of the Vega-Lite scale.
  """
  return channel(
    f'{column}:Q',
    title=title,
    axis=alt.Axis(
      labelExpr=f"format(datum.value*{scale},'~f')", tickCount=ticks
    ),
    scale=alt.Scale(domain=limits, nice=False, **more),
  )


def colour(channel: type, shown: Sequence[str], **legend: Any) -> Any:
  """Returns a colour channel (alt.Fill, alt.Color …) of a row's category."""
  return channel(
    'category:N', scale=category_scale(), legend=key(shown, **legend)
  )


def shape(shown: Sequence[str], **legend: Any) -> alt.Shape:
  """Returns the shape channel of a row's category."""
  scale = alt.Scale(domain=list(ORDER), range=list(SHAPES))
  return alt.Shape('category:N', scale=scale, legend=key(shown, **legend))


def key(shown: Sequence[str], **legend: Any) -> alt.Legend | None:
  """Returns the legend of the categories `shown`; None without any."""
  if not shown:
    return None
  defaults = {
    'title': None,
    'orient': 'bottom',
    'direction': 'horizontal',
    'values': list(shown),
  }
  return alt.Legend(**(defaults | legend))


def solid_inside() -> Any:
  """Returns an opacity that outlines points outside the accuracy window."""
  outside = "datum.in_window=='no'"
  return alt.condition(outside, alt.value(0), alt.value(0.85))


def outside_note(drawn: pd.DataFrame) -> list[str]:
  """Returns a line that explains outlined points, if there are any."""
  outside = (drawn['in_window'] == 'no').any()
  return ['Outlined points: outside the accuracy window.'] if outside else []
