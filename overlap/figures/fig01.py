"""Fig. 1: the more different the training, the less the errors coincide.

Error inconsistency of every pair with the base, by category. Points are pairs,
filled stars are category means with their intervals, and outlined stars are
the means of the same categories in the paper's table 1.
"""

import altair as alt
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, strips, style

_COLUMNS = {
  'source': 'str',
  'kind': 'str',
  'model': 'str',
  'category': 'str',
  'in_window': 'str',
  'error_inconsistency': 'float',
  'lower': 'float',
  'upper': 'float',
  'pairs': 'int',
  'n': 'int',
  'accuracy': 'float',
}
_STARS = (
  'Filled star: mean and interval. Outlined star: the paper’s mean on'
  ' ImageNet.',
)


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: pairs with the base, our means, the paper's means."""
  bounds = {
    'error_inconsistency_lower': 'lower',
    'error_inconsistency_upper': 'upper',
  }
  pairs = frames.base_pairs(tables).rename(columns=bounds)
  means = frames.category_means(tables).rename(columns=bounds)
  paper = frames.paper_points().groupby('category')['error_inconsistency']
  paper = paper.agg(['mean', 'size']).reset_index()
  paper = paper.set_axis(
    ['category', 'error_inconsistency', 'pairs'], axis='columns'
  )
  paper = paper[paper['category'].isin(set(pairs['category']))]
  whole = frames.stack(
    [
      pairs.assign(source=style.STUDY, kind=strips.MODEL),
      means.assign(source=style.STUDY, kind=strips.MEAN),
      paper.assign(source=style.PAPER, kind=strips.MEAN),
    ],
    _COLUMNS,
  )
  return strips.placed(whole, 'error_inconsistency', ['category'])


def plot(tables: frames.Tables) -> tuple[alt.LayerChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there is no pair with the base.
  """
  drawn = rows(tables)
  base = frames.base_name(tables['models'])
  tooltip = [
    alt.Tooltip('label:N', title='Model'),
    alt.Tooltip('category:N', title='Category'),
    alt.Tooltip('text:N', title='Error inconsistency'),
    alt.Tooltip('accuracy_text:N', title='Accuracy'),
  ]
  chart = strips.strips(
    'error_inconsistency',
    drawn,
    tooltip=tooltip,
    title='Examples that only one of the two gets right (%)',
  ).transform_calculate(
    label=strips.LABEL,
    text=wording.percent_of('error_inconsistency', bounds=('lower', 'upper')),
    accuracy_text=wording.percent_of('accuracy', bounds=()),
  )
  chart = chart.properties(
    data=frames.as_data(drawn),
    width=520,
    height=320,
    title=alt.Title(
      f'Error inconsistency with the base, “{base}”',
      subtitle=[
        *_STARS[: int((drawn['kind'] == strips.MEAN).any())],
        *style.outside_note(drawn),
      ],
    ),
  )
  return style.themed(chart), drawn
