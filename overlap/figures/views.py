"""Parts shared by the figures of specialisation: pairs, colours, theta axes."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from overlap.analyses.specialisation import angle
from overlap.figures import frames, style

# As legends and pointers call the outcomes of a pair.
OUTCOMES = {
  'both': 'both correct',
  'only_1': 'only model 1 correct',
  'only_2': 'only model 2 correct',
  'neither': 'neither correct',
}
END = angle.MEASURES['theta']
# An arrow's head points to the side on which the model is the more confident.
SIDES = {'only_1': 'triangle-right', 'only_2': 'triangle-left'}
DOTTED = (
  'Dotted: beyond, under the mean of probabilities, the more confident'
  ' model’s class wins for certain.'
)

THRESHOLDS = pd.DataFrame(
  {
    'kind': 'threshold',
    'x': [-angle.THRESHOLD, angle.THRESHOLD],
    'category': style.UNKNOWN,
  }
)


def pairs(tables: frames.Tables, view: str) -> pd.DataFrame:
  """The pairs of a view.

  Args:
    tables: tables of the study.
    view: 'panel' or 'contrast'.

  Returns:
    `panel`, `model_1`, `model_2`, `category` and `colour`, one row a pair:
    `colour` is the category whose colour the pair has, its own where all are
    of different ones.

  Raises:
    NotDrawableError: there are none.
  """
  table = tables.get('theta')
  columns = ['panel', 'model_1', 'model_2', 'category']
  if table is None or not (table['view'] == view).any():
    what = {
      'panel': 'pairs of models with confidences',
      'contrast': 'a pair of a FRAMEWORK and a DATASET model with confidences,'
      ' or one that is asked for',
    }[view]
    raise frames.NotDrawableError(
      f'theta.csv must hold {what}, got none of the view {view!r}.'
    )
  found = table.loc[table['view'] == view, columns].drop_duplicates('panel')
  found = found.reset_index(drop=True)
  names = found['category'].map(style.category_name)
  apart = names.nunique() == len(names)
  others = [style.ORDER[i % len(style.ORDER)] for i in range(len(names))]
  return found.assign(colour=names if apart else others)


def histograms(
  tables: frames.Tables, view: str, measure: str = 'theta'
) -> pd.DataFrame:
  """The bins of a view over all classes and by group, coloured by pair.

  Returns:
    The rows of 'theta' of that measure as `kind` 'bin', with `x`, the lower
    end, `pair`, and the pair's colour as `category`; and after the last bin
    of each histogram one of `kind` 'end', where its outline stops.
  """
  chosen = pairs(tables, view)
  table = tables['theta']
  rows = table[(table['view'] == view) & (table['measure'] == measure)]
  ends = rows[rows['bin'] == rows['bin'].max()]
  ends = ends.assign(kind='end', lower=ends['upper'], ensemble_correct=None)
  rows = pd.concat([rows.assign(kind='bin'), ends], ignore_index=True)
  colours = dict(zip(chosen['panel'], chosen['colour']))
  return rows.assign(
    x=rows['lower'],
    pair=label(rows),
    category=rows['panel'].map(colours),
  )


def label(rows: pd.DataFrame) -> pd.Series:
  """The names of pairs: 'base – CLIP-S'."""
  return rows['model_1'] + ' – ' + rows['model_2']


def legend(chosen: pd.DataFrame) -> list[str]:
  """The categories to explain; none where colours stand for pairs instead."""
  names = chosen['category'].map(style.category_name)
  return style.present(names) if (names == chosen['colour']).all() else []


def alone_legend(tables: frames.Tables, chosen: pd.DataFrame) -> list[str]:
  """The categories of models that are right alone, as colours have them.

  None where two models of a pair are of the same, which colours can't tell.
  """
  models = tables['models'].set_index('model')['category']
  found = [
    [style.category_name(models.get(name)) for name in pair]
    for pair in zip(chosen['model_1'], chosen['model_2'])
  ]
  if any(one == two for one, two in found):
    return []
  return style.present([name for pair in found for name in pair])


def alone_colour(channel: type, shown: Sequence[str]) -> Any:
  """`channel` of the category of the model that is right alone."""
  return style.colour(
    channel, shown, title='Right alone:', titleOrient='left', titlePadding=16,
    symbolOpacity=1,
  )  # fmt: skip


def first_name(chosen: pd.DataFrame) -> str:
  """Model 1's name where all pairs have the same, else 'model 1'."""
  names = set(chosen['model_1'])
  return f'“{names.pop()}”' if len(names) == 1 else 'model 1'


def right_categories(tables: frames.Tables, pair: pd.Series) -> dict[str, str]:
  """Whose colour an example has that only one of a pair gets right.

  Returns:
    From 'only_1' and 'only_2' to the category of that model; where both have
    the same, of two that can be told apart.
  """
  models = tables['models'].set_index('model')['category']
  found = [
    style.category_name(models.get(pair[name]))
    for name in ('model_1', 'model_2')
  ]
  if found[0] == found[1]:
    found = [style.BASE, next(c for c in style.ORDER if c != style.BASE)]
  return dict(zip(('only_1', 'only_2'), found))


def theta_axis(title: bool = True, **axis: object) -> alt.X:
  """The horizontal axis of theta."""
  text = 'θ: ← model 2 · more confident · model 1 →' if title else None
  return alt.X(
    'x:Q',
    title=text,
    scale=alt.Scale(domain=[-END, END], nice=False),
    axis=alt.Axis(values=[-0.6, -0.3, 0, 0.3, 0.6], format='.1f', **axis),
  )


def threshold_rules(x: alt.X) -> alt.Chart:
  """Faint dotted lines where a top class surely wins."""
  return (
    alt.Chart()
    .mark_rule(strokeDash=[1, 3], strokeWidth=1.4)
    .encode(x=x)
    .transform_filter("datum.kind=='threshold'")
  )


def steps(
  x: alt.X, y: alt.Y, colour: Sequence[object], keep: str
) -> list[alt.Chart]:
  """Histograms as outlines over a faint fill, one for each colour.

  Args:
    x: lower ends of the bins.
    y: counts.
    colour: the channels fill and stroke.
    keep: a Vega expression of the rows to draw, among bins and ends.
  """
  fill, stroke = colour
  keep = f"(datum.kind=='bin'||datum.kind=='end')&&{keep}"
  area = (
    alt.Chart()
    .mark_area(interpolate='step-after', fillOpacity=0.16)
    .encode(x=x, y=y.copy().stack(None), fill=fill)
    .transform_filter(keep)
  )
  line = (
    alt.Chart()
    .mark_line(interpolate='step-after', strokeWidth=1.8)
    .encode(x=x, y=y, stroke=stroke)
    .transform_filter(keep)
  )
  return [area, line]


def spread(labels: pd.Series) -> np.ndarray:
  """Places in (-0.4, 0.4) within each class, even and the same every time."""
  order = labels.groupby(labels).cumcount().to_numpy()
  golden = (np.sqrt(5) - 1) / 2
  return 0.8 * ((order * golden + 0.5) % 1 - 0.5)
