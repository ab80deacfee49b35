"""Fig. 2: the less the errors coincide, the more an ensemble gains.

For each pair with the base, three measures against error inconsistency: left,
the ensemble's gain over the mean of its two members; centre, its accuracy;
right, the share of the inconsistent examples that it gets right. Stars are
category means. The paper's own points (its table 1, which has no conversion
rates) are drawn faintly. Since accuracies on ImageNet and on other data are
not comparable, the centre panel shows gains over the base on other data.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, strips, style, trends

_BOUNDED = (
  'error_inconsistency', 'gain', 'ensemble_accuracy', 'gain_over_base',
  'conversion_rate',
)  # fmt: skip
_COLUMNS = {
  'source': 'str',
  'kind': 'str',
  'model': 'str',
  'category': 'str',
  'in_window': 'str',
  **{
    f'{name}{end}': 'float'
    for name in _BOUNDED
    for end in ('', '_lower', '_upper')
  },
  'accuracy': 'float',
  'pairs': 'int',
  'n': 'int',
}


_X_TITLE = 'Error inconsistency (%)'
Axes = Mapping[str, Any]


class Panel(NamedTuple):
  """Panel that shows a column against error inconsistency."""

  value: str
  title: str
  axis: str
  correlation: str


_GAIN = Panel('gain', 'Gain', 'Ensemble − mean of its members (points)', 'gain')
_ABSOLUTE = Panel(
  'ensemble_accuracy',
  'Accuracy of the ensemble',
  'Ensemble accuracy (%)',
  'ensemble_accuracy',
)
_OVER_BASE = Panel(
  'gain_over_base',
  'Gain over the base',
  'Ensemble − base (points)',
  'ensemble_accuracy',
)
_CONVERSION = Panel(
  'conversion_rate',
  'Conversion of inconsistent examples',
  'Share the ensemble gets right (%)',
  'conversion_rate',
)


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: pairs with the base, our means, the paper's pairs."""
  pairs = frames.base_pairs(tables)
  pairs['gain_over_base'] = pairs['ensemble_accuracy'] - pairs['base_accuracy']
  return frames.stack(
    [
      frames.paper_points().assign(source=style.PAPER, kind=strips.MODEL),
      pairs.assign(source=style.STUDY, kind=strips.MODEL),
      _means(tables, pairs).assign(source=style.STUDY, kind=strips.MEAN),
    ],
    _COLUMNS,
  )


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there is no pair with the base.
  """
  drawn = rows(tables)
  ours = drawn[drawn['source'] == style.STUDY]
  if ours['gain'].isna().all():
    raise frames.NotDrawableError(
      'Fig. 2 must have ensembles, got none: no pair with the base has the'
      ' logits of both models.'
    )
  centre = _ABSOLUTE if _on_imagenet(tables) else _OVER_BASE
  shown = [
    panel
    for panel in (_GAIN, centre, _CONVERSION)
    if ours[panel.value].notna().any()
  ]
  found = {panel: _correlation(tables, panel.correlation) for panel in shown}
  panels = [_panel(panel, drawn, _r(row)) for panel, row in found.items()]
  chart = alt.concat(*panels, columns=3, spacing=28).transform_calculate(
    label=strips.LABEL,
    x_text=wording.percent_of('error_inconsistency'),
    gain_text=wording.points_of('gain'),
    over_base_text=wording.points_of('gain_over_base'),
    ensemble_text=wording.percent_of('ensemble_accuracy'),
    conversion_text=wording.percent_of('conversion_rate'),
  )
  base = frames.base_name(tables['models'])
  chart = chart.properties(
    data=frames.as_data(drawn),
    title=alt.Title(
      f'Ensembles of two: each model with the base, “{base}”',
      subtitle=[
        'Stars: category means with their intervals.',
        *_too_few(found[_GAIN]),
        *style.outside_note(drawn),
      ],
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def _means(tables: frames.Tables, pairs: pd.DataFrame) -> pd.DataFrame:
  means = frames.category_means(tables)
  if means.empty:
    return means
  inside = pairs[pairs['in_window'] == 'yes'].groupby('category')
  for name in ('ensemble_accuracy', 'gain_over_base'):
    if name not in means:
      means[name] = means['category'].map(inside[name].mean())
  return means


def _on_imagenet(tables: frames.Tables) -> bool:
  return str(tables['models']['dataset'].iloc[0]).startswith('imagenet')


def _correlation(tables: frames.Tables, name: str) -> trends.Row | None:
  table = tables.get('correlations')
  if table is None or table.empty:
    return None
  chosen = table[
    (table['name'] == f'error_inconsistency_vs_{name}')
    & (table['scope'] == 'base')
  ]
  if chosen.empty or wording.absent(chosen['pearson'].iloc[0]):
    return None
  return chosen.iloc[0]


def _r(row: trends.Row | None) -> str:
  return trends.r(row) if row is not None and trends.enough(row) else ''


def _too_few(row: trends.Row | None) -> list[str]:
  """Returns a note for the whole figure if there are too few pairs."""
  if row is None or trends.enough(row):
    return []
  return [f'r: {trends.too_few(row)}.']


def _panel(
  panel: Panel, drawn: pd.DataFrame, correlation: str
) -> alt.LayerChart:
  shown = style.present(drawn['category'])
  drawn = drawn[drawn[panel.value].notna()]
  means = drawn[drawn['kind'] == strips.MEAN]
  axes = {
    'x': _axis(alt.X, 'error_inconsistency', _X_TITLE, drawn),
    'y': _axis(alt.Y, panel.value, panel.axis, drawn),
  }
  layers = [_points(panel, axes, shown)]
  for side, column in (('x', 'error_inconsistency'), ('y', panel.value)):
    if means[f'{column}_lower'].notna().any():
      layers.append(_bar(panel, axes, shown, side))
  if len(means):
    layers.append(_stars(panel, axes, shown))
  return alt.layer(*layers).properties(
    width=265,
    height=250,
    title=alt.Title(panel.title, subtitle=[correlation] if correlation else []),
  )


def _axis(channel: type, column: str, title: str, drawn: pd.DataFrame) -> Any:
  means = drawn[drawn['kind'] == strips.MEAN]
  limits = frames.domain(
    drawn[column], means[f'{column}_lower'], means[f'{column}_upper']
  )
  return style.axis(channel, column, title, limits)


def _tooltip() -> list[alt.Tooltip]:
  titles = {
    'label': 'Model',
    'category': 'Category',
    'source': 'Source',
    'x_text': 'Error inconsistency',
    'gain_text': 'Gain (points)',
    'over_base_text': 'Over the base (points)',
    'ensemble_text': 'Ensemble accuracy',
    'conversion_text': 'Conversion rate',
  }
  return [alt.Tooltip(f'{k}:N', title=title) for k, title in titles.items()]


def _points(panel: Panel, axes: Axes, shown: list[str]) -> alt.Chart:
  sources_order = [style.STUDY, style.PAPER]
  sources = alt.Scale(domain=sources_order, range=[0.9, 0.3])
  legend = alt.Legend(
    title=None,
    orient='bottom',
    direction='horizontal',
    symbolFillColor='#808080',
    symbolStrokeWidth=0,
  )
  return (
    alt.Chart()
    .mark_point(size=style.POINT, filled=True, strokeWidth=1.2)
    .encode(
      **axes,
      fill=style.colour(alt.Fill, shown),
      stroke=style.colour(alt.Stroke, shown),
      shape=style.shape(shown),
      opacity=alt.Opacity(
        'source:N', scale=sources, legend=legend, sort=sources_order
      ),
      fillOpacity=style.solid_inside(),
      tooltip=_tooltip(),
    )
    .transform_filter(
      f"datum.kind=='{strips.MODEL}'&&isValid(datum.{panel.value})"
    )
  )


def _bar(panel: Panel, axes: Axes, shown: list[str], side: str) -> alt.Chart:
  column = 'error_inconsistency' if side == 'x' else panel.value
  span = axes[side].copy()
  span.shorthand = f'{column}_lower:Q'
  ends = {side: span, f'{side}2': f'{column}_upper:Q'}
  return (
    alt.Chart()
    .mark_rule(strokeWidth=2, clip=True)
    .encode(**(dict(axes) | ends), stroke=style.colour(alt.Stroke, shown))
    .transform_filter(
      f"datum.kind=='{strips.MEAN}'&&isValid(datum.{panel.value})"
      f'&&isValid(datum.{column}_lower)'
    )
  )


def _stars(panel: Panel, axes: Axes, shown: list[str]) -> alt.Chart:
  return (
    alt.Chart()
    .mark_point(**style.STAR_MARK)
    .encode(**axes, fill=style.colour(alt.Fill, shown), tooltip=_tooltip())
    .transform_filter(
      f"datum.kind=='{strips.MEAN}'&&isValid(datum.{panel.value})"
    )
  )
