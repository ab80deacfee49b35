"""Fig. 3: differently trained models are confident where they are right.

Top left, the plane of two confidences with the angle theta; the other panels
are histograms over theta of the examples on which at least one of the pairs
is inconsistent, by which model is right. Bottom left, the means of theta when
only one of the two is right. Beyond the dotted lines, the more confident
model's top class always wins under the mean of probabilities.
"""

import altair as alt
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, plane, style, views

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
  """Returns rows to draw: bins, means, thresholds, the plane's regions."""
  bins = views.histograms(tables, 'panel')
  bins = bins[bins['group'] == '']
  return frames.stack(
    [plane.rows(), views.THRESHOLDS, _means(tables), bins], _COLUMNS
  )


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no pair has confidences.
  """
  drawn, chosen = rows(tables), views.pairs(tables, 'panel')
  order = views.label(chosen).tolist()
  shown = views.legend(chosen)
  panels = [plane.chart(), _panel('both', shown), _panel('neither', shown)]
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


def _means(tables: frames.Tables) -> pd.DataFrame:
  """Returns means of theta where only one model is right, with intervals."""
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
