"""Fig. 12: specialisation of two very different models other than the base.

The contrast is a pair such as the paper's CLIP-S and SimCLR. Left, its
examples by class against theta; right, histograms over theta of the examples
that only one of the two gets right, on all classes and on two groups of them.
"""

import altair as alt
import pandas as pd

from overlap.figures import frames, scatter, scatter_panels, style, views


def rows(tables: frames.Tables) -> pd.DataFrame:
  """Returns rows to draw: points, bands and bins of the contrast."""
  found = scatter.rows(tables, 'contrast')
  bins = found['kind'].isin(['bin', 'end'])
  both = bins & ~found['outcome'].isin(list(views.SIDES))
  return found[~both].reset_index(drop=True)


def plot(tables: frames.Tables) -> tuple[alt.ConcatChart, pd.DataFrame]:
  """Draws the figure.

  Returns:
    The chart and the rows drawn.

  Raises:
    NotDrawableError: there is no contrast, or the tables have no examples to
      draw as points.
  """
  drawn, chosen = rows(tables), views.pairs(tables, 'contrast')
  pair, shown = chosen.iloc[0], views.alone_legend(tables, chosen)
  one, two = f'“{pair["model_1"]}”', f'“{pair["model_2"]}”'
  panels = [
    scatter_panels.panel(drawn, 1, shown).properties(
      title=alt.Title('All examples')
    ),
    *(
      scatter_panels.detail(drawn, 1, '', shown, [side], height=300).properties(
        title=alt.Title(f'Only {name} correct')
      )
      for side, name in (('only_1', one), ('only_2', two))
    ),
  ]
  groups = drawn.loc[drawn['kind'] == 'bin', 'group'].drop_duplicates()
  panels += [
    scatter_panels.detail(drawn, 1, group, shown, height=150).properties(
      title=alt.Title(f'{group[:1].upper()}{group[1:]}')
    )
    for group in groups
    if group
  ]
  chart = alt.concat(*panels, columns=3, spacing=28).properties(
    data=frames.as_data(drawn),
    usermeta=scatter_panels.ROOM,
    title=alt.Title(
      f'Specialisation of {one} (model 1) and {two} (model 2)',
      subtitle=scatter.explained(tables, drawn, 'contrast'),
      frame='bounds',
      fontSize=14,
    ),
  )
  return style.themed(chart), drawn
