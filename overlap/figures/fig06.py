"""Fig. 6: probes on the joined features of two models.

Left, accuracy by the share of the features from each model, at constant width;
centre, the gain of half of each over the better model alone; right, accuracy
by the number of joined dimensions that are kept.
"""

import altair as alt
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, style, trends

_COLUMNS = {
  'kind': 'str',
  'model': 'str',
  'category': 'str',
  'ranking': 'str',
  'percent': 'float',
  'kept': 'int',
  'accuracy': 'float',
  'error_inconsistency': 'float',
  'half_gain': 'float',
  'half_gain_lower': 'float',
  'half_gain_upper': 'float',
  'pairs': 'int',
  'n': 'int',
}
CONTROL = 'random'
_RANKED = {
  'correlation': 'least correlated first',
  'variance': 'most variance first',
  'cholesky': 'pivoted Cholesky',
  CONTROL: 'random order',
}
_DASHES = ([1, 0], [2, 3])
_SIZE = 250


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: means by category, and each pair's gain.

  Raises:
    NotDrawableError: no features were joined.
  """
  joined, pairs = tables.get('joined'), tables.get('joined_pairs')
  if joined is None or pairs is None or pairs.empty:
    raise frames.NotDrawableError(
      'joined.csv must hold probes on joined features, got none: they need '
      'features on splits to probe (config.data.splits.probe_train).'
    )
  parts = [
    _means(joined[~_wide(joined)], 'joined', 'percent'),
    pairs.assign(kind='gain', model=pairs['model_2']),
  ]
  compressed = tables.get('compression')
  if compressed is not None and len(compressed):
    shown = compressed['ranking'].isin(_rankings(compressed))
    parts.append(_means(compressed[shown], 'compressed', 'kept'))
  return frames.stack(parts, _COLUMNS)


def _wide(joined: pd.DataFrame) -> pd.Series:
  """Returns a mask of probes on all features of a model wider than the base."""
  own = joined.groupby('model_2')['dims_1'].transform('max')
  return joined['whole'].astype(bool) & (joined['dims_2'] > own)


def _rankings(compressed: pd.DataFrame) -> list[str]:
  """Returns the first ranking other than the random control, then the control.

  Either is left out if the table does not have it.
  """
  held = list(dict.fromkeys(compressed['ranking']))
  chosen = [name for name in held if name != CONTROL][:1]
  return [*chosen, *(name for name in held if name == CONTROL)]


def _means(table: pd.DataFrame, kind: str, along: str) -> pd.DataFrame:
  """Returns accuracies averaged over a pair's draws, then over pairs."""
  ranking = ['ranking'] if 'ranking' in table else []
  of_pair = table.groupby(
    ['category', 'model_2', *ranking, along], as_index=False
  )['accuracy'].mean()
  keys = ['category', *ranking, along]
  grouped = of_pair.groupby(keys, as_index=False)
  found = grouped['accuracy'].mean()
  found['pairs'] = grouped.size()['size']
  # Means over fewer pairs than their neighbours' would make the curve jump.
  most = found.groupby(['category', *ranking])['pairs'].transform('max')
  return found[found['pairs'] == most].assign(kind=kind)


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no features were joined.
  """
  drawn = rows(tables)
  shown = style.present(drawn['category'])
  panels = [_shares(drawn, shown), _gains(tables, drawn, shown)]
  if (drawn['kind'] == 'compressed').any():
    panels.append(_kept(tables, drawn, shown))
  chart = alt.concat(*panels, columns=3, spacing=32)
  chart = chart.transform_calculate(
    accuracy_text=wording.percent_of('accuracy', bounds=()),
    gain_text=wording.points_of('half_gain'),
    x_text=wording.percent_of('error_inconsistency', bounds=()),
  ).properties(
    data=frames.as_data(drawn),
    title=alt.Title(
      'Do two models’ features together tell more than either alone?',
      subtitle=_notes(tables),
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def _notes(tables: frames.Tables) -> list[str]:
  pairs = tables['joined_pairs']
  base, n = pairs['model_1'].iloc[0], wording.count(pairs['n'].max())
  draws = wording.count(pairs['seeds'].max())
  return [
    f'Linear probes on the features of “{base}” joined with another model’s;'
    f' accuracy on {n} examples, means over {draws} draws of dimensions.',
    'The paper, on ImageNet: half of each beats both, the more so the'
    ' more differently the models are trained.',
  ]


def _accuracy(drawn: pd.DataFrame, kind: str) -> alt.Y:
  nothing = pd.Series(dtype=float)
  own = drawn.loc[drawn['kind'] == kind, 'accuracy']
  limits = frames.domain(own, nothing, nothing)
  title = 'Accuracy of the probe (%)'
  return style.axis(alt.Y, 'accuracy', title, limits, ticks=6, zero=False)


def _shares(drawn: pd.DataFrame, shown: list[str]) -> alt.LayerChart:
  x = alt.X(
    'percent:Q',
    title='Part of the base’s dimensions (%)',
    axis=alt.Axis(values=sorted(drawn['percent'].dropna().unique())),
  )
  base = alt.Chart().transform_filter("datum.kind=='joined'")
  y = _accuracy(drawn, 'joined')
  lines = base.mark_line(strokeWidth=1.8).encode(
    x=x, y=y, stroke=style.colour(alt.Stroke, shown)
  )
  points = base.mark_point(filled=True, size=style.POINT, opacity=1).encode(
    x=x,
    y=y,
    fill=style.colour(alt.Fill, shown),
    shape=style.shape(shown),
    tooltip=[
      alt.Tooltip('category:N', title='Category'),
      alt.Tooltip('pairs:Q', title='Pairs'),
      alt.Tooltip('percent:Q', title='Part of the base (%)'),
      alt.Tooltip('accuracy_text:N', title='Accuracy'),
    ],
  )
  return alt.layer(lines, points).properties(
    width=_SIZE,
    height=_SIZE,
    title=alt.Title(
      'At the base’s width',
      subtitle=['The rest is the other model’s; means by category'],
    ),
  )


def _gains(
  tables: frames.Tables, drawn: pd.DataFrame, shown: list[str]
) -> alt.LayerChart:
  own = drawn[drawn['kind'] == 'gain']
  nothing = pd.Series(dtype=float)
  column = 'error_inconsistency'
  x = style.axis(
    alt.X, column, 'Error inconsistency (%)',
    frames.domain(own[column], nothing, nothing),
  )  # fmt: skip
  limits = frames.domain(
    own['half_gain'], own['half_gain_lower'], own['half_gain_upper']
  )
  title = 'Gain of half of each (points)'
  y = style.axis(alt.Y, 'half_gain', title, limits, ticks=6)
  base = alt.Chart().transform_filter("datum.kind=='gain'")
  zero = (
    alt.Chart(alt.InlineData(values=[{'y': 0}]))
    .mark_rule(strokeDash=[1, 3], strokeWidth=1.4)
    .encode(y=alt.Y('y:Q'))
  )
  spans = base.mark_rule(strokeWidth=1.2, opacity=0.6, clip=True).encode(
    x=x,
    y=alt.Y('half_gain_lower:Q'),
    y2='half_gain_upper:Q',
    stroke=style.colour(alt.Stroke, shown),
  )
  points = base.mark_point(filled=True, size=style.POINT, opacity=1).encode(
    x=x,
    y=y,
    fill=style.colour(alt.Fill, shown),
    shape=style.shape(shown),
    tooltip=[
      alt.Tooltip('model:N', title='Model'),
      alt.Tooltip('category:N', title='Category'),
      alt.Tooltip('x_text:N', title='Error inconsistency'),
      alt.Tooltip('gain_text:N', title='Gain (points)'),
    ],
  )
  layers = [zero] if limits[0] < 0 < limits[1] else []
  return alt.layer(*layers, spans, points).properties(
    width=_SIZE,
    height=_SIZE,
    title=alt.Title(
      'Half of each against the better alone', subtitle=_correlation(tables)
    ),
  )


def _correlation(tables: frames.Tables) -> list[str]:
  table = tables.get('joined_correlations')
  if table is None or table.empty or pd.isna(table['pearson'].iloc[0]):
    return ['A point a pair']
  return [f'A point a pair; {trends.r(table.iloc[0])}']


def _kept(
  tables: frames.Tables, drawn: pd.DataFrame, shown: list[str]
) -> alt.LayerChart:
  names = _rankings(tables['compression'])
  labels = [_RANKED.get(name, name) for name in names]
  own = drawn[drawn['kind'] == 'compressed']
  x = alt.X(
    'kept:Q',
    title='Dimensions kept of both',
    scale=alt.Scale(type='log', base=2, nice=False),
    axis=alt.Axis(values=sorted(int(k) for k in own['kept'].unique())),
  )
  y = _accuracy(drawn, 'compressed')
  base = alt.Chart().transform_filter("datum.kind=='compressed'")
  base = base.transform_calculate(
    order=f'indexof({names!r},datum.ranking)',
    ranked=f'{labels!r}[indexof({names!r},datum.ranking)]',
  )
  dash = alt.StrokeDash(
    'ranked:N',
    scale=alt.Scale(domain=labels, range=list(_DASHES[-len(labels) :])),
    legend=alt.Legend(title=None, symbolStrokeWidth=1.8, orient='bottom'),
  )
  lines = base.mark_line(strokeWidth=1.8).encode(
    x=x, y=y, stroke=style.colour(alt.Stroke, shown), strokeDash=dash
  )
  points = base.mark_point(filled=True, size=30, opacity=1).encode(
    x=x,
    y=y,
    fill=style.colour(alt.Fill, shown),
    tooltip=[
      alt.Tooltip('category:N', title='Category'),
      alt.Tooltip('ranked:N', title='Kept'),
      alt.Tooltip('kept:Q', title='Dimensions'),
      alt.Tooltip('accuracy_text:N', title='Accuracy'),
    ],
  )
  return alt.layer(lines, points).properties(
    width=_SIZE,
    height=_SIZE,
    title=alt.Title(
      'Cut down', subtitle=['Means by category; dashed: the control']
    ),
  )
