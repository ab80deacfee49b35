"""Fig. 7: features on another data set, of single models and pairs.

Left, the score of probes on each model's features against the model's accuracy
on its own (source) data set; centre, the error inconsistency of each pair on
the source; right, the scores of all single models and of pairs, whose features
are concatenated.
"""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames, style

MODEL, PAIR = 'model', 'pair'
_BOUNDED = ('score', 'source_accuracy', 'error_inconsistency', 'gain')
_COLUMNS = {
  'kind': 'str',
  'label': 'str',
  'model_1': 'str',
  'model_2': 'str',
  'category': 'str',
  'row': 'int',
  'pair_row': 'int',
  'best': 'str',
  **{
    f'{name}{end}': 'float'
    for name in _BOUNDED
    for end in ('', '_lower', '_upper')
  },
  'best_single': 'str',
  'p_value_holm': 'float',
  'width': 'int',
}
_TITLES = {'mAP': '11-point mAP', 'accuracy': 'Accuracy'}
_ROW = 20
_NAMES = 170  # Pixels for names beside rows.


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: one per model and pair, by descending score.

  Raises:
    NotDrawableError: there are no scores.
  """
  table = tables.get('transfer')
  if table is None or table['score'].isna().all():
    raise frames.NotDrawableError(
      'transfer.csv must hold scores on another data set, got none.'
    )
  drawn = table[table['score'].notna()].copy()
  alone = drawn['model_2'] == ''
  drawn['kind'] = np.where(alone, MODEL, PAIR)
  both = drawn['model_1'] + ' + ' + drawn['model_2']
  drawn['label'] = drawn['model_1'].where(alone, both)
  drawn['source_accuracy'] = drawn['source_accuracy_1'].where(alone)
  drawn = _bounded(drawn, tables)
  order = drawn['score'].rank(ascending=False, method='first')
  drawn['row'] = order.astype(int) - 1
  apart = drawn['error_inconsistency'].rank(ascending=False, method='first')
  drawn['pair_row'] = (apart - 1).astype('Int64')
  drawn['best'] = np.where(drawn['row'] == 0, 'yes', 'no')
  return frames.stack([drawn.sort_values('row')], _COLUMNS)


def _bounded(drawn: pd.DataFrame, tables: frames.Tables) -> pd.DataFrame:
  """Adds intervals of the measures on the source, from the other tables."""
  models = tables['models'].set_index('model')
  pairs = tables['pairs']
  known = {}
  for row in pairs.to_dict('records'):
    known[row['model_1'], row['model_2']] = row
    known[row['model_2'], row['model_1']] = row
  for end in ('_lower', '_upper'):
    bound = drawn['model_1'].map(models[f'accuracy{end}'])
    drawn[f'source_accuracy{end}'] = bound.where(drawn['kind'] == MODEL)
    drawn[f'error_inconsistency{end}'] = [
      known.get(key, {}).get(f'error_inconsistency{end}', np.nan)
      for key in zip(drawn['model_1'], drawn['model_2'])
    ]
  return drawn


def plot(tables: frames.Tables) -> tuple[alt.HConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there are no scores on another data set.
  """
  drawn = rows(tables)
  title = _TITLES[str(tables['transfer']['metric'].iloc[0])]
  panels: list[Any] = [_left(drawn, title)]
  if drawn['error_inconsistency'].notna().any():
    panels.append(_centre(drawn))
  panels.append(_right(drawn, title))
  chart = alt.hconcat(*panels, spacing=24).transform_calculate(
    score_text=wording.percent_of('score'),
    source_text=wording.percent_of('source_accuracy'),
    inconsistency_text=wording.percent_of('error_inconsistency'),
    gain_text=wording.points_of('gain'),
  )
  name = tables['transfer']['dataset'].iloc[0]
  return style.themed(
    chart.properties(
      data=frames.as_data(drawn),
      title=alt.Title(
        f'Features on another data set: {name}',
        subtitle=_notes(tables, drawn),
        frame='bounds',
        fontSize=14,
      ),
    )
  ), drawn


def _notes(tables: frames.Tables, drawn: pd.DataFrame) -> list[str]:
  table = tables['transfer']
  examples, labels = (int(table[c].max()) for c in ('n', 'labels'))
  several = table['metric'].iloc[0] == 'mAP'
  pairs = bool((drawn['kind'] == PAIR).any())
  what = (
    f'{labels} labels, several an image' if several else f'{labels} classes'
  )
  said = [
    f'Linear probes on frozen features, scored on {wording.count(examples)}'
    f' test examples ({what}); bars: intervals over these, with the probes as'
    ' they are.'
  ]
  if pairs:
    said.append(
      'Filled: two models’ features side by side; outlined: one model. Star:'
      ' the highest score. Colours: a model’s category, or a pair’s.'
    )
  (best, score), *_ = sorted(
    published.VOC_PAIRS.items(), key=lambda item: -item[1]
  )
  said.append(
    f'The paper, on Pascal VOC 2007: {" + ".join(best)} best, with'
    f' {wording.percent(score, digits=2)}; the best single model has'
    f' {wording.percent(published.VOC_BEST_SINGLE)}.'
  )
  return said


def _axis(channel: type, column: str, title: str, drawn: pd.DataFrame) -> Any:
  ends = drawn[[column, f'{column}_lower', f'{column}_upper']]
  low, high = float(ends.min().min()), float(ends.max().max())
  margin = 0.05 * max(high - low, 0.002)
  limits = [low - margin, high + margin]
  return style.axis(channel, column, title, limits)


def _tooltip() -> list[alt.Tooltip]:
  titles = {
    'label': 'Features of',
    'category': 'Category',
    'score_text': 'Score',
    'source_text': 'Source accuracy',
    'inconsistency_text': 'Error inconsistency',
    'gain_text': 'Gain over the better (points)',
    'best_single': 'The better alone',
  }
  return [alt.Tooltip(f'{k}:N', title=title) for k, title in titles.items()]


def _span(channel: Any, column: str, end: str) -> Any:
  """Returns a copy of a channel for an end of its intervals."""
  other = channel.copy()
  other.shorthand = f'{column}_{end}:Q'
  return other


def _left(drawn: pd.DataFrame, title: str) -> alt.LayerChart:
  """Draws scores of single models against their accuracies on the source."""
  mine = drawn[drawn['kind'] == MODEL]
  x = _axis(alt.X, 'source_accuracy', 'Accuracy on the source (%)', mine)
  y = _axis(alt.Y, 'score', f'{title} (%)', mine)
  # Names are drawn towards the middle.
  ends = mine['source_accuracy'].agg(['min', 'max'])
  middle = float(ends.mean())
  base = alt.Chart().transform_filter(f"datum.kind=='{MODEL}'")
  shown = style.present(drawn['category'])
  stroke = style.colour(alt.Stroke, shown)
  layers: list[alt.Chart] = []
  if mine['score_lower'].notna().any():
    layers.append(
      base.mark_rule(strokeWidth=1.6, clip=True).encode(
        x=x, y=_span(y, 'score', 'lower'), y2='score_upper:Q', stroke=stroke
      )
    )
  if mine['source_accuracy_lower'].notna().any():
    layers.append(
      base.mark_rule(strokeWidth=1.6, clip=True).encode(
        x=_span(x, 'source_accuracy', 'lower'),
        x2='source_accuracy_upper:Q',
        y=y,
        stroke=stroke,
      )
    )
  layers.append(
    base.mark_point(size=style.POINT, filled=True, opacity=1).encode(
      x=x,
      y=y,
      fill=style.colour(alt.Fill, shown),
      shape=style.shape(shown),
      tooltip=_tooltip(),
    )
  )
  for align, side, dx in (('left', '<=', 7), ('right', '>', -7)):
    layers.append(
      base.transform_filter(f'datum.source_accuracy{side}{middle!r}')
      .mark_text(align=align, baseline='bottom', dx=dx, dy=-4, limit=110)
      .encode(x=x, y=y, text='label:N')
    )
  return alt.layer(*layers).properties(
    width=230,
    height=max(200, _ROW * len(drawn)),
    title=alt.Title('Models alone', subtitle='Score against source accuracy.'),
  )


def _rows(
  drawn: pd.DataFrame,
  row: str,
  value: str,
  axis: str,
  keep: str,
  pointed: str = 'true',
) -> alt.LayerChart:
  """Draws names, intervals and points in rows.

  Args:
    drawn: rows of the figure.
    row: column of the row positions.
    value: column of the values.
    axis: title of the axis.
    keep: Vega expression that selects the rows of this panel.
    pointed: Vega expression that selects the rows with a point.
  """
  mine = drawn[drawn[row].notna() & drawn[value].notna()]
  x = _axis(alt.X, value, axis, mine)
  y = alt.Y(
    f'{row}:O',
    axis=None,
    scale=alt.Scale(domain=sorted(int(i) for i in mine[row]), padding=0),
  )
  base = alt.Chart().encode(y=y).transform_filter(keep)
  shown = style.present(drawn['category'])
  stroke = style.colour(alt.Stroke, shown)
  outlined = alt.condition(f"datum.kind=='{MODEL}'", alt.value(0), alt.value(1))
  layers: list[alt.Chart] = []
  if mine[f'{value}_lower'].notna().any():
    layers.append(
      base.mark_rule(strokeWidth=1.6, clip=True).encode(
        x=_span(x, value, 'lower'), x2=f'{value}_upper:Q', stroke=stroke
      )
    )
  layers.append(
    base.mark_point(size=style.POINT, filled=True, opacity=1)
    .transform_filter(pointed)
    .encode(
      x=x,
      stroke=stroke,
      fill=style.colour(alt.Fill, shown),
      shape=style.shape(shown),
      fillOpacity=outlined,
      tooltip=_tooltip(),
    )
  )
  layers.append(
    base.mark_text(align='right', baseline='middle', limit=_NAMES).encode(
      x=alt.value(-8), text='label:N'
    )
  )
  return alt.layer(*layers).properties(
    width=210, height=max(_ROW * len(mine), _ROW)
  )


def _centre(drawn: pd.DataFrame) -> alt.LayerChart:
  chart = _rows(
    drawn,
    'pair_row',
    'error_inconsistency',
    'Error inconsistency (%)',
    f"datum.kind=='{PAIR}'&&isValid(datum.error_inconsistency)",
  )
  return chart.properties(
    title=alt.Title(
      'How differently two err', subtitle='On the source’s test examples.'
    )
  )


def _right(drawn: pd.DataFrame, title: str) -> alt.LayerChart:
  chart = _rows(
    drawn, 'row', 'score', f'{title} (%)', 'true', "datum.best=='no'"
  )
  shown = style.present(drawn['category'])
  star = (
    alt.Chart()
    .mark_point(**style.STAR_MARK)
    .encode(
      x=_axis(alt.X, 'score', f'{title} (%)', drawn),
      y=alt.Y('row:O', axis=None),
      fill=style.colour(alt.Fill, shown),
      tooltip=_tooltip(),
    )
    .transform_filter("datum.best=='yes'")
  )
  return alt.layer(*chart.layer, star).properties(
    width=chart.width,
    height=chart.height,
    title=alt.Title('Together', subtitle='The same score, of all.'),
  )
