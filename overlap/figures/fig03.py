"""Fig. 3: differently trained models are confident where they are right.

Top left, the plane of two confidences with the angle theta; the other panels
are histograms over theta of the examples on which at least one of the pairs
is inconsistent, by who is right. Bottom left, where the mean of theta lies
when only one of the two is right. Dotted: beyond, under the mean of
probabilities, the more confident model's top class wins for certain.
"""

import altair as alt
import pandas as pd

from overlap.figures import frames, style, views, wording

# Where which class can win under the mean of probabilities, as areas over
# model 1's confidence: (x, lower, upper) corner by corner.
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
_COLUMNS = {
  'kind': 'str',
  'pair': 'str',
  'panel': 'int',
  'category': 'str',
  'outcome': 'str',
  'x': 'float',
  'lower': 'float',
  'upper': 'float',
  'count': 'int',
  'ensemble_correct': 'int',
  'n': 'int',
  'region': 'str',
}
_TITLES = {
  'both': 'Both models correct',
  'neither': 'Neither model correct',
  'only_2': 'Only model 2 correct',
  'only_1': 'Only model 1 correct',
}


def rows(tables: frames.Tables) -> pd.DataFrame:
  """What is drawn: bins, means, thresholds, and the plane's regions."""
  bins = views.histograms(tables, 'panel')
  bins = bins[bins['group'] == '']
  return frames.stack(
    [_plane(), views.THRESHOLDS, _means(tables), bins], _COLUMNS
  )


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no pair with confidences.
  """
  drawn, chosen = rows(tables), views.pairs(tables, 'panel')
  order = views.label(chosen).tolist()
  shown = views.legend(chosen)
  panels = [plane(), _panel('both', shown), _panel('neither', shown)]
  if (drawn['kind'] == 'mean').any():
    panels.append(_means_panel(order, shown))
  panels += [_panel('only_2', shown), _panel('only_1', shown)]
  n = drawn.loc[drawn['kind'] == 'bin', 'n'].max()
  name = views.first_name(chosen)
  chart = alt.concat(*panels, columns=3, spacing=28).properties(
    data=frames.as_data(drawn),
    title=alt.Title(
      f'Specialisation: model 1 is {name}, model 2 of each pair as coloured',
      subtitle=[
        f'Histograms of the {wording.count(n)} examples on which at least one'
        f' of the pairs is inconsistent: {"; ".join(order)}.',
        views.DOTTED,
      ],
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def _plane() -> pd.DataFrame:
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


def _means(tables: frames.Tables) -> pd.DataFrame:
  """Means of theta where only one of the two is right, with intervals."""
  table, chosen = tables.get('specialisation'), views.pairs(tables, 'panel')
  if table is None or table.empty:
    return pd.DataFrame()
  found = chosen.drop(columns='category').merge(
    table, on=['model_1', 'model_2'], how='inner'
  )
  parts = [
    found.assign(
      kind='mean',
      pair=views.label(found),
      category=found['colour'],
      outcome=side,
      x=found[f'theta_{side}'],
      lower=found[f'theta_{side}_lower'],
      upper=found[f'theta_{side}_upper'],
      count=found[side],
    )
    for side in ('only_1', 'only_2')
  ]
  whole = pd.concat(parts, ignore_index=True)
  return whole[whole['x'].notna()]


def plane() -> alt.LayerChart:
  """The plane of confidences: who wins where, and what theta measures."""
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


def _panel(outcome: str, shown: list[str]) -> alt.LayerChart:
  x = views.theta_axis()
  y = alt.Y(
    'count:Q',
    title='Examples',
    axis=alt.Axis(tickCount=5),
    scale=alt.Scale(domainMin=0),
  )
  colour = style.colour(alt.Fill, shown), style.colour(alt.Stroke, shown)
  keep = f"datum.outcome=='{outcome}'"
  pointer = (
    alt.Chart()
    .mark_bar(fillOpacity=0)
    .encode(
      x=alt.X('lower:Q'),
      x2='upper:Q',
      y=y.copy().stack(None),
      tooltip=[
        alt.Tooltip('pair:N', title='Pair'),
        alt.Tooltip('lower:Q', title='θ from', format='.2f'),
        alt.Tooltip('upper:Q', title='to', format='.2f'),
        alt.Tooltip('count:Q', title='Examples', format=','),
        alt.Tooltip('ensemble_correct:Q', title='Ensemble correct', format=','),
      ],
    )
    .transform_filter(f"datum.kind=='bin'&&{keep}")
  )
  return alt.layer(
    *views.steps(x, y, colour, keep), views.threshold_rules(x), pointer
  ).properties(width=265, height=220, title=alt.Title(_TITLES[outcome]))


def _means_panel(order: list[str], shown: list[str]) -> alt.LayerChart:
  x = views.theta_axis()
  y = alt.Y(
    'pair:N',
    title=None,
    sort=order,
    axis=alt.Axis(
      orient='left', labelAlign='left', labelBaseline='bottom', labelOffset=-14,
      labelPadding=-4, labelLimit=255, ticks=False, domain=False,
      zindex=1, labelFontSize=11,
    ),
  )  # fmt: skip
  means = alt.Chart().transform_filter("datum.kind=='mean'")
  bars = means.mark_rule(strokeWidth=2).encode(
    x=views.theta_axis().copy(),
    x2='upper:Q',
    y=y,
    stroke=style.colour(alt.Stroke, shown),
  )
  bars.encoding.x.shorthand = 'lower:Q'
  points = means.mark_point(size=70, filled=True, opacity=1).encode(
    x=x,
    y=y,
    fill=style.colour(alt.Fill, shown),
    shape=alt.Shape(
      'outcome:N',
      scale=alt.Scale(
        domain=list(views.SIDES), range=list(views.SIDES.values())
      ),
      legend=None,
    ),
    tooltip=[
      alt.Tooltip('pair:N', title='Pair'),
      alt.Tooltip('outcome:N', title='Correct'),
      alt.Tooltip('x:Q', title='Mean θ', format='.3f'),
      alt.Tooltip('lower:Q', title='from', format='.3f'),
      alt.Tooltip('upper:Q', title='to', format='.3f'),
      alt.Tooltip('count:Q', title='Examples', format=','),
    ],
  )
  return alt.layer(bars, points, views.threshold_rules(x)).properties(
    width=265,
    height=220,
    title=alt.Title(
      'Mean θ where only one is correct',
      subtitle='→ only model 1, ← only model 2; with intervals',
    ),
  )
