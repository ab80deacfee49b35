"""Plane of two confidences: definition of theta, and classes that can win."""

import altair as alt
import pandas as pd

from overlap.figures import style

# Regions by the classes that can win under the mean of probabilities, as areas
# over model 1's confidence: corners (x, lower, upper).
REGIONS = {
  'model 1': ((0.5, 0, 0), (1, 0, 1)),
  'model 2': ((0, 0.5, 1), (1, 1, 1)),
  'one of the two': (
    (0.5, 0.75, 0.75), (2 / 3, 2 / 3, 5 / 6), (0.75, 0.5, 0.875), (1, 1, 1),
  ),
  'any class': (
    (0, 0, 0.5), (0.5, 0, 0.75), (2 / 3, 1 / 3, 2 / 3), (0.75, 0.5, 0.5),
  ),
}  # fmt: skip
_TEXTS = {
  'model 1’s\nclass wins': (0.84, 0.25),
  'model 2’s\nclass wins': (0.25, 0.84),
  'one of\nthe two': (0.76, 0.63),
  'any class\ncan win': (0.4, 0.2),
}
_SHADES = {
  'model 1': 0.4, 'model 2': 0.4, 'one of the two': 0.2, 'any class': 0.07,
}  # fmt: skip


def rows() -> pd.DataFrame:
  """Returns rows to draw: regions, lines of theta, and their labels."""
  parts = [
    pd.DataFrame(corners, columns=['x', 'lower', 'upper']).assign(
      kind='region', region=name
    )
    for name, corners in REGIONS.items()
  ]
  texts = pd.DataFrame(
    [(text, x, y) for text, (x, y) in _TEXTS.items()],
    columns=['region', 'x', 'lower'],
  ).assign(kind='text')
  # theta is 0 on the diagonal, and at the thresholds on the dotted lines.
  lines = pd.DataFrame(
    [
      ('0', 0, 0), ('0', 1, 1), ('1', 0.5, 0), ('1', 1, 1),
      ('2', 0, 0.5), ('2', 1, 1),
    ],
    columns=['region', 'x', 'lower'],
  ).assign(kind='line')  # fmt: skip
  angles = pd.DataFrame(
    [
      ('θ = 0', 0.02, 0.14),
      ('θ = 0.32', 0.56, 0.05),
      ('θ = −0.32', 0.02, 0.44),
    ],
    columns=['region', 'x', 'lower'],
  ).assign(kind='angle')
  whole = pd.concat([*parts, texts, lines, angles], ignore_index=True)
  return whole.assign(category=style.UNKNOWN)


def chart() -> alt.LayerChart:
  """Draws the plane of confidences, with winning classes and theta."""
  x = alt.X(
    'x:Q',
    title='Confidence of model 1',
    scale=alt.Scale(domain=[0, 1]),
    axis=alt.Axis(tickCount=5, grid=False),
  )
  y = alt.Y(
    'lower:Q',
    title='Confidence of model 2',
    scale=alt.Scale(domain=[0, 1]),
    axis=alt.Axis(tickCount=5, grid=False),
  )
  areas = [
    alt.Chart()
    .mark_area(color='#808080', opacity=shade)
    .encode(x=x, y=y, y2='upper:Q')
    .transform_filter(f"datum.kind=='region'&&datum.region=='{name}'")
    for name, shade in _SHADES.items()
  ]
  lines = (
    alt.Chart()
    .mark_line(strokeWidth=1.4, color='#808080')
    .encode(
      x=x,
      y=y,
      detail='region:N',
      strokeDash=alt.condition(
        "datum.region=='0'", alt.value([1, 0]), alt.value([1, 3])
      ),
    )
    .transform_filter("datum.kind=='line'")
  )
  texts = (
    alt.Chart()
    .mark_text(lineBreak='\n', lineHeight=13, baseline='middle')
    .encode(x=x, y=y, text='region:N')
    .transform_filter("datum.kind=='text'")
  )
  angles = (
    alt.Chart()
    .mark_text(align='left', fontStyle='italic')
    .encode(x=x, y=y, text='region:N')
    .transform_filter("datum.kind=='angle'")
  )
  return alt.layer(*areas, lines, texts, angles).properties(
    width=265, height=220, title=alt.Title('Confidences and θ')
  )
