"""Fig. 8: examples that only one, both or neither of a pair gets right.

Shares of the examples for the pairs with the base, by category; the counts are
in the CSV file and the tooltips. Stars are category means.
"""

import altair as alt
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, strips, style

# Column of each outcome's share in categories.csv.
_OUTCOMES = {
  'only one correct': 'error_inconsistency',
  'both correct': 'both_correct',
  'neither correct': 'neither',
}
_COLUMNS = {
  'outcome': 'str',
  'source': 'str',
  'kind': 'str',
  'model': 'str',
  'category': 'str',
  'in_window': 'str',
  'share': 'float',
  'lower': 'float',
  'upper': 'float',
  'count': 'int',
  'n': 'int',
  'pairs': 'int',
}


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: each pair and mean, in each of three panels."""
  pairs = frames.base_pairs(tables)
  pairs['error_inconsistency_count'] = pairs['only_1'] + pairs['only_2']
  means = frames.category_means(tables)
  parts = []
  for outcome, column in _OUTCOMES.items():
    counts = pairs[
      'error_inconsistency_count' if column not in _COUNTED else column
    ]
    parts.append(
      pairs.assign(
        outcome=outcome,
        source=style.STUDY,
        kind=strips.MODEL,
        count=counts,
        share=counts / pairs['n'],
        lower=pairs.get(f'{column}_lower'),
        upper=pairs.get(f'{column}_upper'),
      )
    )
    if len(means):
      parts.append(
        means.assign(
          outcome=outcome,
          source=style.STUDY,
          kind=strips.MEAN,
          share=means[column],
          lower=means.get(f'{column}_lower'),
          upper=means.get(f'{column}_upper'),
        )
      )
  whole = frames.stack(parts, _COLUMNS)
  return strips.placed(whole, 'share', ['outcome', 'category'])


# In pairs.csv these columns are counts; in categories.csv, shares.
_COUNTED = ('both_correct', 'neither')


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there is no pair with the base.
  """
  drawn = rows(tables)
  panels = [
    _panel(outcome, drawn[drawn['outcome'] == outcome]) for outcome in _OUTCOMES
  ]
  chart = alt.concat(*panels, columns=3, spacing=28).transform_calculate(
    label=strips.LABEL,
    share_text=wording.percent_of('share', bounds=('lower', 'upper')),
    count_text="isValid(datum.count)?format(datum.count,',')+' of '"
    "+format(datum.n,','):''",
  )
  base = frames.base_name(tables['models'])
  examples = wording.count(tables['models']['n'].max())
  means = (drawn['kind'] == strips.MEAN).any()
  stars = ' Stars: category means with their intervals.' if means else ''
  chart = chart.properties(
    data=frames.as_data(drawn),
    title=alt.Title(
      f'Who is right: each model with the base, “{base}”',
      subtitle=[
        f'Shares of {examples} examples.{stars}',
        *style.outside_note(drawn),
      ],
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn


def _panel(outcome: str, drawn: pd.DataFrame) -> alt.LayerChart:
  tooltip = {
    'label': 'Model',
    'category': 'Category',
    'share_text': outcome.capitalize(),
    'count_text': 'Examples',
  }
  chart = strips.strips(
    'share',
    drawn,
    tooltip=[alt.Tooltip(f'{k}:N', title=t) for k, t in tooltip.items()],
    title='Share of the examples (%)',
  )
  return chart.transform_filter(f"datum.outcome=='{outcome}'").properties(
    width=265, height=250, title=alt.Title(outcome.capitalize())
  )
