"""Strips of points by category, with means beside them (Fig. 1, 8 and 10)."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from overlap.figures import frames, style

MODEL, MEAN = 'model', 'category mean'
_OUR_MEAN = f"datum.kind=='{MEAN}'&&datum.source=='{style.STUDY}'"
# Names of marks in tooltips, read from the data, since names must not be pasted
# into expressions.
LABEL = (
  f"datum.kind=='{MODEL}'?datum.model:"
  "'mean of '+datum.pairs+(datum.pairs==1?' pair, ':' pairs, ')+datum.source"
)
# Offsets within a category's band: points, then our mean and the paper's.
_POINTS_WIDTH = 0.5
_MEAN_PLACE, _PAPER_PLACE = 0.72, -0.78


def placed(rows: pd.DataFrame, value: str, by: Sequence[str]) -> pd.DataFrame:
  """Adds a column `offset`, the sideways position in the category's band.

  Args:
    rows: rows with `kind`, `source`, `category` and the columns of `by`.
    value: column that the strips show.
    by: columns that identify a strip.
  """
  rows = rows.reset_index(drop=True)
  offset = np.where(rows['source'] == style.STUDY, _MEAN_PLACE, _PAPER_PLACE)
  panels = [name for name in by if name != 'category']
  groups = rows.groupby(panels, sort=False) if panels else [('', rows)]
  for _, panel in groups:
    # A point covers about a fortieth of the panel's height.
    height = (panel[value].max() - panel[value].min()) / 40
    points = panel[panel['kind'] == MODEL]
    for _, strip in points.groupby('category', sort=False):
      spread = frames.offsets(strip[value], height=max(height, 1e-9))
      offset[strip.index] = _POINTS_WIDTH * spread
  rows['offset'] = offset
  return rows


def strips(
  value: str, drawn: pd.DataFrame, *, tooltip: list[alt.Tooltip], title: str
) -> alt.LayerChart:
  """Draws points, means with their intervals, and the paper's means.

  Args:
    value: column that the strips show; its interval is in `lower`, `upper`.
    drawn: rows of this panel from `placed`.
    tooltip: fields of the tooltip.
    title: title of the axis.
  """
  ours = drawn[(drawn['kind'] == MEAN) & (drawn['source'] == style.STUDY)]
  limits = frames.domain(drawn[value], ours['lower'], ours['upper'])
  y = style.axis(alt.Y, value, title, limits, ticks=6)
  places = _places(style.present(drawn['category']))
  # A layer without rows would leave its scales without a domain.
  layers = [_points(places, y, tooltip)]
  if ours['lower'].notna().any():
    layers.append(_bars(places, y))
  if len(ours):
    layers.append(_means(places, y, tooltip))
  if (drawn['source'] == style.PAPER).any():
    layers.append(_paper_means(places, y, tooltip))
  return alt.layer(*layers)


def _places(shown: Sequence[str]) -> dict[str, Any]:
  """Returns the position of each mark along the categories."""
  axis = alt.Axis(
    labelAngle=0,
    labelOverlap=False,
    labelFontSize=10,
    labelExpr="datum.label=='FRAMEWORK'?['FRAME-','WORK']:datum.label",
  )
  scale = alt.Scale(domain=list(shown), padding=0.1)
  return {
    'x': alt.X(
      'category:N', title=None, sort=list(shown), scale=scale, axis=axis
    ),
    'xOffset': alt.XOffset('offset:Q', scale=alt.Scale(domain=[-1, 1])),
  }


def _points(
  places: dict[str, Any], y: alt.Y, tooltip: list[alt.Tooltip]
) -> alt.Chart:
  return (
    alt.Chart()
    .mark_point(size=style.POINT, filled=True, strokeWidth=1.2)
    .encode(
      **places,
      y=y,
      fill=style.colour(alt.Fill, ()),
      stroke=style.colour(alt.Stroke, ()),
      shape=style.shape(()),
      fillOpacity=style.solid_inside(),
      tooltip=tooltip,
    )
    .transform_filter(f"datum.kind=='{MODEL}'")
  )


def _bars(places: dict[str, Any], y: alt.Y) -> alt.Chart:
  lower = y.copy()
  lower.shorthand = 'lower:Q'
  return (
    alt.Chart()
    .mark_rule(strokeWidth=2, clip=True)
    .encode(
      **places, y=lower, y2='upper:Q', stroke=style.colour(alt.Stroke, ())
    )
    .transform_filter(f'{_OUR_MEAN}&&isValid(datum.lower)')
  )


def _means(
  places: dict[str, Any], y: alt.Y, tooltip: list[alt.Tooltip]
) -> alt.Chart:
  return (
    alt.Chart()
    .mark_point(**style.STAR_MARK)
    .encode(**places, y=y, fill=style.colour(alt.Fill, ()), tooltip=tooltip)
    .transform_filter(_OUR_MEAN)
  )


def _paper_means(
  places: dict[str, Any], y: alt.Y, tooltip: list[alt.Tooltip]
) -> alt.Chart:
  return (
    alt.Chart()
    .mark_point(
      size=style.STAR_SIZE * 0.6, shape=style.STAR, filled=False, opacity=0.7
    )
    .encode(**places, y=y, stroke=style.colour(alt.Stroke, ()), tooltip=tooltip)
    .transform_filter(f"datum.source=='{style.PAPER}'")
  )
