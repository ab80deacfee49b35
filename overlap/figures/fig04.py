"""Fig. 4: the kinds of examples that a model specialises to.

The examples of Fig. 3 by class, against theta, one panel per pair; below, on
two groups of classes, histograms of the examples that only one of the two
gets right.
"""

import altair as alt
import pandas as pd

from overlap.figures import frames, scatter, scatter_panels, style, views


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: points, bands and bins of the panels' pairs."""
  found = scatter.rows(tables, 'panel')
  bins = found['kind'].isin(['bin', 'end']) & (
    (found['group'] == '') | ~found['outcome'].isin(list(views.SIDES))
  )
  return found[~bins].reset_index(drop=True)


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: no pair has confidences, or the tables have no examples
      to draw as points.
  """
  drawn, chosen = rows(tables), views.pairs(tables, 'panel')
  pairs = list(chosen.to_dict('records'))
  shown = views.alone_legend(tables, chosen)
  panels = [
    scatter_panels.panel(drawn, pair['panel'], shown).properties(
      title=alt.Title(
        style.category_name(pair['category']),
        subtitle=f'{pair["model_1"]} – {pair["model_2"]}',
      )
    )
    for pair in pairs
  ]
  groups = drawn.loc[drawn['kind'] == 'bin', 'group'].drop_duplicates()
  panels += [
    scatter_panels.detail(drawn, pair['panel'], group, shown).properties(
      title=alt.Title(
        f'{group[:1].upper()}{group[1:]}',
        subtitle=f'{pair["model_1"]} – {pair["model_2"]}',
        fontSize=12,
      )
    )
    for group in groups
    for pair in pairs
  ]
  chart = alt.concat(
    *panels, columns=min(3, len(pairs)), spacing=28
  ).properties(
    data=frames.as_data(drawn),
    usermeta=scatter_panels.ROOM,
    title=alt.Title(
      'Specialisation by class',
      subtitle=scatter.explained(tables, drawn, 'panel'),
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn
