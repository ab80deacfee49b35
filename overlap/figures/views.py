"""Parts shared by the figures of specialisation: pairs, colours, theta axes."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from overlap.analyses.specialisation import angle
from overlap.figures import frames, style

# Names of the outcomes of a pair in legends and tooltips.
OUTCOMES = {
  'both': 'both correct',
  'only_1': 'only model 1 correct',
  'only_2': 'only model 2 correct',
  'neither': 'neither correct',
}
END = angle.MEASURES['theta']
# Arrowheads point to the side on which the model is the more confident.
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
  """Returns the pairs of a view.

  Args:
    tables: tables of the study.
    view: 'panel' or 'contrast'.

  Returns:
    One row per pair with `panel`, `model_1`, `model_2`, `category` and
    `colour`, the category whose colour the pair has: its own if the categories
    of all pairs differ.

  Raises:
    NotDrawableError: the view has no pairs.
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
  """Returns the bins of a view over all classes and by group.

  Returns:
    The rows of 'theta' of that measure with `kind` 'bin', `x` (lower end of
    the bin), `pair`, and the pair's colour as `category`; and after the last
    bin of each histogram a row of `kind` 'end', where its outline stops.
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
  """Returns the names of pairs: 'base – CLIP-S'."""
  return rows['model_1'] + ' – ' + rows['model_2']


def legend(chosen: pd.DataFrame) -> list[str]:
  """Returns the categories of the legend; none if colours stand for pairs."""
  names = chosen['category'].map(style.category_name)
  return style.present(names) if (names == chosen['colour']).all() else []


def alone_legend(tables: frames.Tables, chosen: pd.DataFrame) -> list[str]:
  """Returns the categories in the legend of models that are right alone.

  The list is empty if both models of a pair have the same category, since
  colours then can't distinguish them.
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
  """Returns a colour channel of the category of the only model right."""
  return style.colour(
    channel, shown, title='Right alone:', titleOrient='left', titlePadding=16,
    symbolOpacity=1,
  )  # fmt: skip


def first_name(chosen: pd.DataFrame) -> str:
  """Returns model 1's name if all pairs share it, else 'model 1'."""
  names = set(chosen['model_1'])
  return f'“{names.pop()}”' if len(names) == 1 else 'model 1'


def right_categories(tables: frames.Tables, pair: pd.Series) -> dict[str, str]:
  """Returns the colours of examples that only one model of a pair gets right.

  Returns:
    Category whose colour is used, for 'only_1' and 'only_2': that of the
    model, or of two distinguishable categories if both models have the same.
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
  """Returns the horizontal axis of theta."""
  text = 'θ: ← model 2 · more confident · model 1 →' if title else None
  return alt.X(
    'x:Q',
    title=text,
    scale=alt.Scale(domain=[-END, END], nice=False),
    axis=alt.Axis(values=[-0.6, -0.3, 0, 0.3, 0.6], format='.1f', **axis),
  )


def threshold_rules(x: alt.X) -> alt.Chart:
  """Draws faint dotted lines beyond which one model's top class always wins."""
  return (
    alt.Chart()
    .mark_rule(strokeDash=[1, 3], strokeWidth=1.4)
    .encode(x=x)
    .transform_filter("datum.kind=='threshold'")
  )


def steps(
  x: alt.X, y: alt.Y, colour: Sequence[object], keep: str
) -> list[alt.Chart]:
  """Draws histograms as outlines over a faint fill, one for each colour.

  Args:
    x: channel of the lower ends of the bins.
    y: channel of the counts.
    colour: channels of fill and stroke.
    keep: Vega expression that selects the bins and ends to draw.
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
  """Returns even, deterministic offsets in (-0.4, 0.4) within each class."""
  order = labels.groupby(labels).cumcount().to_numpy()
  golden = (np.sqrt(5) - 1) / 2
  return 0.8 * ((order * golden + 0.5) % 1 - 0.5)
