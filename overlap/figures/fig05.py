"""Fig. 5: gains from adding less accurate models (Sec. 4.5).

Left, the accuracy of ensembles that grow by greedy forward selection from each
start; right, the best first additions to each start. If the tables have
cross-fitted results, members are selected on one half of the examples and
scored on the other, both ways; else both use the same examples, as in the
paper.
"""

import altair as alt
import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames, style

PATH, FIRST, START = 'path', 'first addition', 'start'
_COLUMNS = {
  'panel': 'str',
  'start': 'str',
  'protocol': 'str',
  'members': 'int',
  'added': 'str',
  'category': 'str',
  'shape': 'str',
  'best_prefix': 'str',
  'rank': 'int',
  'row': 'int',
  'accuracy': 'float',
  'accuracy_lower': 'float',
  'accuracy_upper': 'float',
  'start_accuracy': 'float',
  'added_accuracy': 'float',
  'improvement': 'float',
  'improvement_lower': 'float',
  'improvement_upper': 'float',
  'mcnemar_p': 'float',
}
# First additions shown per start.
_SHOWN = 4
_ROW_HEIGHT = 16
# Steps at which the halves add models of different categories: a small dot.
_DIFFERENT = 'differs between the halves'
_DOT = 'M0.5,0A0.5,0.5,0,1,1,-0.5,0A0.5,0.5,0,1,1,0.5,0Z'
# Protocols, the unbiased one first, and the half whose rows are drawn.
_PROTOCOLS = {'cross_fitted': 'both', 'optimistic': 'all'}
_SAID = {
  'cross_fitted': (
    'Members chosen on one half of the examples, the ensemble scored on the'
    ' other, both ways.'
  ),
  'optimistic': (
    'Optimistic: members chosen on the very examples the ensemble is scored on.'
  ),
}


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: steps of each path, then best first additions."""
  steps = tables.get('greedy')
  if steps is None or not (steps['step'] > 0).any():
    raise frames.NotDrawableError(
      'greedy.csv must hold ensembles of at least two models, got none.'
    )
  return frames.stack([_paths(steps), _first(tables)], _COLUMNS)


def _paths(steps: pd.DataFrame) -> pd.DataFrame:
  """Returns the steps of the least biased protocol in the table."""
  protocol = next(p for p in _PROTOCOLS if (steps['protocol'] == p).any())
  of_protocol = steps[steps['protocol'] == protocol]
  drawn = of_protocol[of_protocol['half'] == _PROTOCOLS[protocol]].copy()
  by_step = {
    key: ' / '.join(dict.fromkeys(group['added']))
    for key, group in of_protocol[of_protocol['added'] != ''].groupby(
      ['start', 'step']
    )
  }
  differs = (drawn['step'] > 0) & (drawn['added'] == '')
  differs &= drawn['added_category'] == ''
  keys = list(zip(drawn['start'], drawn['step']))
  drawn['added'] = [by_step.get(key, '') for key in keys]
  drawn['category'] = drawn['added_category'].where(
    drawn['step'] > 0, drawn['start_category']
  )
  drawn['shape'] = drawn['category'].map(style.category_name)
  drawn.loc[differs, 'shape'] = _DIFFERENT
  drawn['best_prefix'] = drawn['best_prefix'].map({True: 'yes', False: 'no'})
  return drawn.assign(panel=PATH, members=drawn['size'])


def _first(tables: frames.Tables) -> pd.DataFrame:
  """Returns a heading and the best first additions for each start."""
  table = tables.get('first_additions')
  if table is None or table.empty:
    return pd.DataFrame()
  parts, row = [], 0
  for start, additions in table.groupby('start', sort=False):
    best = additions[additions['rank'] <= _SHOWN].copy()
    accuracy = best['start_accuracy'].iloc[0]
    heading = {
      'panel': START, 'start': start, 'row': row, 'start_accuracy': accuracy,
      'category': best['start_category'].iloc[0], 'protocol': '',
    }  # fmt: skip
    best['category'] = best['added_category']
    best['shape'] = best['added_category'].map(style.category_name)
    best['row'] = range(row + 1, row + 1 + len(best))
    parts += [pd.DataFrame([heading]), best.assign(panel=FIRST, members=2)]
    row += len(best) + 1
  return frames.stack(parts, _COLUMNS)


def plot(tables: frames.Tables) -> tuple[alt.HConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there is no ensemble of at least two models.
  """
  drawn = rows(tables)
  starts = list(dict.fromkeys(drawn['start']))
  colour = alt.Color(
    'start:N',
    scale=alt.Scale(domain=starts),
    legend=alt.Legend(title='Start', orient='bottom', columns=3),
  )
  panels = [_left(drawn, colour)]
  if (drawn['panel'] == FIRST).any():
    panels.append(_right(drawn, colour))
  chart = alt.hconcat(*panels, spacing=30).transform_calculate(
    accuracy_text=wording.percent_of('accuracy'),
    start_text=wording.percent_of('start_accuracy', bounds=()),
    added_text=wording.percent_of('added_accuracy', bounds=()),
    improvement_text=wording.points_of('improvement'),
    heading="datum.start+' ('+format(datum.start_accuracy*100,'.1f')+' %)'",
    label="datum.added+' ('+format(datum.added_accuracy*100,'.1f')+' %)'",
  )
  return style.themed(
    chart.properties(
      data=frames.as_data(drawn),
      title=alt.Title(
        'What less accurate models add to more accurate ones',
        subtitle=_notes(tables, drawn),
        frame='bounds',
        fontSize=14,
      ),
    )
  ), drawn


def _notes(tables: frames.Tables, drawn: pd.DataFrame) -> list[str]:
  examples = wording.count(tables['models']['n'].max())
  protocol = drawn.loc[drawn['panel'] == PATH, 'protocol'].iloc[0]
  name, before, after, bound = published.GREEDY
  return [
    f'{examples} examples. {_SAID[protocol]}',
    f'The paper, on ImageNet: {name} from {wording.percent(before, digits=2)}'
    f' to {wording.percent(after, digits=2)} with members of at most'
    f' {wording.percent(bound, digits=2)}, chosen on the examples it was'
    ' scored on.',
  ]


def _shape(shown: pd.DataFrame) -> alt.Shape:
  """Returns the shape channel of added models, with a legend."""
  names = [*style.ORDER, _DIFFERENT]
  return alt.Shape(
    'shape:N',
    scale=alt.Scale(domain=names, range=[*style.SHAPES, _DOT]),
    legend=style.key(
      [name for name in names if (shown['shape'] == name).any()],
      title='Category of what is added',
      columns=3,
    ),
  )


def _accuracy(values: pd.Series, title: str) -> dict[str, object]:
  """Returns the scale and axis of accuracies."""
  low, high = float(values.min()), float(values.max())
  margin = 0.06 * max(high - low, 0.002)
  return {
    'title': title,
    'scale': alt.Scale(domain=[low - margin, high + margin], nice=False),
    'axis': alt.Axis(labelExpr="format(datum.value*100,'~f')", tickCount=6),
  }


def _left(drawn: pd.DataFrame, colour: alt.Color) -> alt.LayerChart:
  mine = drawn[drawn['panel'] == PATH]
  most = int(mine['members'].max())
  base = (
    alt.Chart()
    .encode(
      x=alt.X(
        'members:Q',
        title='Members of the ensemble',
        scale=alt.Scale(domain=[0.7, most + 0.3], nice=False),
        axis=alt.Axis(values=list(range(1, most + 1)), format='d', grid=False),
      ),
      y=alt.Y('accuracy:Q', **_accuracy(mine['accuracy'], 'Accuracy (%)')),
      color=colour,
    )
    .transform_filter(f"datum.panel=='{PATH}'")
  )
  tooltip = {
    'start': 'Start',
    'members': 'Members',
    'added': 'Added',
    'category': 'Its category',
    'accuracy_text': 'Accuracy',
    'improvement_text': 'More than before (points)',
    'best_prefix': 'Best prefix',
  }
  points = base.mark_point(size=70, filled=True, opacity=1).encode(
    shape=_shape(drawn),
    tooltip=[alt.Tooltip(f'{k}:N', title=t) for k, t in tooltip.items()],
  )
  return alt.layer(base.mark_line(strokeWidth=1.6), points).properties(
    width=390,
    height=380,
    title=alt.Title(
      'Greedy ensembles',
      subtitle='Each step adds the model that helps most.',
    ),
  )


def _right(drawn: pd.DataFrame, colour: alt.Color) -> alt.LayerChart:
  mine = drawn[drawn['panel'] == FIRST]
  total = int(drawn['row'].max()) + 1
  ends = pd.concat(
    [mine['accuracy_lower'], mine['accuracy_upper'], mine['start_accuracy']]
  )
  scale = _accuracy(ends, 'Accuracy of the ensemble of the two (%)')
  y = alt.Y(
    'row:O',
    axis=None,
    scale=alt.Scale(domain=list(range(total)), padding=0),
  )
  first = f"datum.panel=='{FIRST}'"
  tooltip = {
    'start': 'Start',
    'start_text': 'Its accuracy',
    'added': 'Added',
    'category': 'Its category',
    'added_text': 'Its accuracy',
    'accuracy_text': 'Accuracy of the two',
    'improvement_text': 'More than the start (points)',
  }
  tips = [alt.Tooltip(f'{k}:N', title=t) for k, t in tooltip.items()]
  base = alt.Chart().encode(y=y)
  alone = (
    base.mark_tick(size=_ROW_HEIGHT, thickness=1.2, opacity=0.8)
    .encode(x=alt.X('start_accuracy:Q', **scale), color=colour)
    .transform_filter(first)
  )
  interval = (
    base.mark_rule(strokeWidth=1.6)
    .encode(
      x=alt.X('accuracy_lower:Q', **scale),
      x2='accuracy_upper:Q',
      color=colour,
    )
    .transform_filter(first)
  )
  point = (
    base.mark_point(size=55, filled=True, opacity=1)
    .encode(
      x=alt.X('accuracy:Q', **scale),
      color=colour,
      shape=_shape(drawn),
      tooltip=tips,
    )
    .transform_filter(first)
  )
  label = (
    base.mark_text(align='right', baseline='middle', limit=190)
    .encode(x=alt.value(-8), text='label:N')
    .transform_filter(first)
  )
  heading = (
    base.mark_text(
      align='left', baseline='middle', limit=190, fontWeight='bold'
    )
    .encode(x=alt.value(-198), text='heading:N', color=colour)
    .transform_filter(f"datum.panel=='{START}'")
  )
  return alt.layer(alone, interval, point, label, heading).properties(
    width=300,
    height=_ROW_HEIGHT * total,
    title=alt.Title(
      'Best first additions', subtitle='Vertical lines: the start alone.'
    ),
  )
