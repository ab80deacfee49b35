"""Classes against theta: where each of two models is alone in being right.

Shared by Fig. 4 and Fig. 12. Few classes are bands with names, among which
points are spread; many are an axis of class indices.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from overlap.figures import frames, style, views, wording

COLUMNS = {
  'kind': 'str',
  'panel': 'int',
  'model_1': 'str',
  'model_2': 'str',
  'category': 'str',
  'group': 'str',
  'outcome': 'str',
  'id': 'str',
  'label': 'int',
  'class_name': 'str',
  'x': 'float',
  'y': 'float',
  'y2': 'float',
  'confidence_1': 'float',
  'confidence_2': 'float',
  'ensemble_correct': 'str',
  'lower': 'float',
  'upper': 'float',
  'count': 'int',
  'n': 'int',
}
_ALONE = "indexof(['only_1','only_2'],datum.outcome)>=0"
_FEW = 24  # So many class names are told apart on an axis.
_POINT = 18
# What names to both sides take of the width on the page, in pixels.
ROOM = {'margin': 130}
_REACH = 0.46  # Of a class's band to either side.


def rows(tables: frames.Tables, view: str) -> pd.DataFrame:
  """Points, names of few classes, bands of groups, bins and thresholds.

  Args:
    tables: of the study.
    view: 'panel' or 'contrast'.

  Returns:
    `category` is that of the model whose colour a row has.

  Raises:
    NotDrawableError: the view has no pairs, or no examples as points.
  """
  chosen = views.pairs(tables, view)
  examples = tables.get('theta_examples')
  if examples is None or not (examples['view'] == view).any():
    raise frames.NotDrawableError(
      f'theta_examples.csv must hold examples of the view {view!r}, got none.'
    )
  bins = views.histograms(tables, view)
  bins = bins[bins['group'].isin(['', *group_names(bins)])]
  runs = _runs(tables, group_names(bins))
  points = examples[examples['view'] == view].reset_index(drop=True)
  place = _order(_names(tables, points), runs)
  points = points.assign(
    kind='point',
    x=points['theta'],
    y=points['label'].map(place) + _spread(points),
    ensemble_correct=points['ensemble_correct'].map({True: 'yes', False: 'no'}),
  )
  # Nobody sees more digits, and there are thousands of points.
  fine = ['x', 'y', 'confidence_1', 'confidence_2']
  points[fine] = points[fine].round(4)
  coloured = _coloured(pd.concat([points, bins]), tables, chosen)
  marks = [_bands(runs, place), _name_marks(tables, points, place)]
  return frames.stack([*marks, views.THRESHOLDS, coloured], COLUMNS)


def _spread(points: pd.DataFrame) -> np.ndarray:
  """The same place for the same example in every panel."""
  ids = points.drop_duplicates('id')
  place = dict(zip(ids['id'], views.spread(ids['label'])))
  return points['id'].map(place).to_numpy(float)


def _coloured(
  found: pd.DataFrame, tables: frames.Tables, chosen: pd.DataFrame
) -> pd.DataFrame:
  colours = {
    (int(pair['panel']), outcome): category
    for _, pair in chosen.iterrows()
    for outcome, category in views.right_categories(tables, pair).items()
  }
  keys = zip(found['panel'], found['outcome'])
  return found.assign(
    category=[colours.get(key, style.UNKNOWN) for key in keys]
  )


def group_names(bins: pd.DataFrame) -> list[str]:
  """Two groups of classes at most, those with the most of the examples.

  Returns:
    In the order of their classes, as 'class_groups' has them.
  """
  sizes = bins[bins['group'] != ''].drop_duplicates('group')
  sizes = sizes.sort_values('n', ascending=False, kind='stable')
  kept = set(sizes['group'].head(2))
  return [name for name in dict.fromkeys(bins['group']) if name in kept]


def _runs(
  tables: frames.Tables, names: Sequence[str]
) -> list[tuple[str, int, int]]:
  """The runs of neighbouring classes of groups: name, first, last."""
  table = tables.get('class_groups')
  if table is None:
    return []
  texts = dict(zip(table['group'], table['classes']))
  runs = [
    (name, *run.partition('-')[::2])
    for name in names
    for run in texts.get(name, '').split(',')
    if run
  ]
  return [(name, int(low), int(high or low)) for name, low, high in runs]


def _names(tables: frames.Tables, points: pd.DataFrame) -> pd.DataFrame:
  """All classes that the tables name: `label` and `class_name`."""
  table = tables.get('classes')
  table = points if table is None or table.empty else table
  return table.drop_duplicates('label')[['label', 'class_name']]


def _order(
  names: pd.DataFrame, runs: Sequence[tuple[str, int, int]]
) -> dict[int, float]:
  """Where classes stand: few by their groups, many at their index."""
  labels = sorted(int(label) for label in names['label'])
  if len(labels) > _FEW:
    return {label: float(label) for label in labels}
  grouped = [i for _, low, high in runs for i in range(low, high + 1)]
  order = dict.fromkeys([i for i in grouped if i in labels] + labels)
  return {label: float(place) for place, label in enumerate(order)}


def _bands(
  runs: Sequence[tuple[str, int, int]], place: Mapping[int, float]
) -> pd.DataFrame:
  """The classes of groups, one row a run of neighbours, and their names."""
  found: list[tuple[str, float, float]] = []
  for name, first, last in runs:
    places = [place[i] for i in range(first, last + 1) if i in place]
    for value in places:
      if found and found[-1][0] == name and found[-1][2] + 1 == value:
        found[-1] = (name, found[-1][1], value)
      else:
        found.append((name, value, value))
  bands = pd.DataFrame(found, columns=['group', 'y', 'y2'])
  texts = bands.drop_duplicates('group').assign(kind='group')
  texts = texts.assign(y=(texts['y'] + texts['y2']) / 2, y2=np.nan)
  bands = bands.assign(kind='band', y=bands['y'] - _REACH)
  bands['y2'] += _REACH
  both = pd.concat([bands, texts], ignore_index=True)
  return both.assign(category=style.UNKNOWN, x=-views.END, upper=views.END)


def _name_marks(
  tables: frames.Tables, points: pd.DataFrame, place: Mapping[int, float]
) -> pd.DataFrame:
  """The names of classes, where there are few."""
  if len(place) > _FEW:
    return pd.DataFrame()
  found = _names(tables, points)
  return found.assign(
    kind='class', y=found['label'].map(place), category=style.UNKNOWN,
    x=-views.END,
  )  # fmt: skip


def panel(
  drawn: pd.DataFrame, number: int, shown: Sequence[str], *, height: int = 300
) -> alt.LayerChart:
  """One pair: class against theta, coloured by who alone is right.

  Args:
    drawn: rows of the figure.
    number: of the pair.
    shown: the categories of the legend, the same in all panels of a figure.
    height: of the panel, in pixels.
  """
  named = bool((drawn['kind'] == 'class').any())
  x, y = views.theta_axis(), _class_axis(drawn, named)
  layers = [_band_layer(x, y)] if (drawn['kind'] == 'band').any() else []
  layers.append(views.threshold_rules(x))
  layers += [_points(x, y, number, alone, shown) for alone in (False, True)]
  if (drawn['kind'] == 'group').any():
    layers.append(_texts('group', 'upper', y, angle=90, dy=-10))
  if named:
    layers.append(_texts('class_name', 'x', y, align='right', dx=-6))
  return alt.layer(*layers).properties(width=265, height=height)


def _class_axis(drawn: pd.DataFrame, named: bool) -> alt.Y:
  """Class indices from below, or names from above."""
  shown = drawn['kind'].isin(['point', 'class', 'band'])
  places = drawn.loc[shown, ['y', 'y2']]
  domain = [float(places.min(axis=None)), float(places.max(axis=None))]
  if named:
    axis = alt.Axis(labels=False, ticks=False, grid=False, zindex=1)
  else:
    axis = alt.Axis(tickCount=6, grid=False, tickMinStep=1, zindex=1)
  return alt.Y(
    'y:Q',
    title=None if named else 'Class index',
    scale=alt.Scale(domain=domain, nice=False, zero=False, reverse=named),
    axis=axis,
  )


def _band_layer(x: alt.X, y: alt.Y) -> alt.Chart:
  bands = alt.Chart().transform_filter("datum.kind=='band'")
  return bands.mark_rect(style='stripe').encode(
    x=x, x2='upper:Q', y=y, y2='y2:Q'
  )


def _texts(text: str, x: str, y: alt.Y, **mark: Any) -> alt.Chart:
  """Names of classes or of groups: never through an expression."""
  kind = {'group': 'group', 'class_name': 'class'}[text]
  return (
    alt.Chart()
    .mark_text(baseline='middle', opacity=0.8, **mark)
    .encode(x=f'{x}:Q', y=y, text=f'{text}:N')
    .transform_filter(f"datum.kind=='{kind}'")
  )


def _points(
  x: alt.X, y: alt.Y, number: int, alone: bool, shown: Sequence[str]
) -> alt.Chart:
  """Where one alone is right, or, small and pale, where both or neither is."""
  size, opacity = (_POINT, 0.75) if alone else (7, 0.3)
  shapes = {'both': 'circle', 'neither': 'circle'} | views.SIDES
  return (
    alt.Chart()
    .mark_point(filled=True, size=size, opacity=opacity)
    .encode(
      x=x,
      y=y,
      fill=views.alone_colour(alt.Fill, shown),
      shape=alt.Shape(
        'outcome:N',
        scale=alt.Scale(domain=list(shapes), range=list(shapes.values())),
        legend=None,
      ),
      tooltip=[
        alt.Tooltip('id:N', title='Example'),
        alt.Tooltip('class_name:N', title='Class'),
        alt.Tooltip('outcome:N', title='Correct'),
        alt.Tooltip('confidence_1:Q', title='Confidence 1', format='.3f'),
        alt.Tooltip('confidence_2:Q', title='Confidence 2', format='.3f'),
        alt.Tooltip('x:Q', title='θ', format='.2f'),
        alt.Tooltip('ensemble_correct:N', title='Ensemble correct'),
      ],
    )
    .transform_filter(
      f"datum.kind=='point'&&datum.panel=={number}"
      f'&&{"" if alone else "!"}({_ALONE})'
    )
  )


def detail(
  drawn: pd.DataFrame,
  number: int,
  group: str,
  shown: Sequence[str],
  outcomes: Sequence[str] = tuple(views.SIDES),
  *,
  height: int = 110,
) -> alt.LayerChart:
  """One pair on some classes: histograms over theta of who is right.

  Args:
    drawn: rows of the figure.
    number: of the pair.
    group: of classes; '' for all.
    shown: the categories of the legend.
    outcomes: of which there is a histogram.
    height: of the panel, in pixels.
  """
  mine = drawn[(drawn['kind'] == 'bin') & (drawn['group'] == group)]
  mine = mine[mine['outcome'].isin(list(outcomes))]
  x = views.theta_axis()
  y = alt.Y(
    'count:Q',
    title='Examples',
    axis=alt.Axis(tickCount=4, tickMinStep=1),
    # As high in the panels of all pairs, so that they compare.
    scale=alt.Scale(domain=[0, float(max(1, mine['count'].max()))]),
  )
  wanted = ','.join(f"'{outcome}'" for outcome in outcomes)
  keep = f'datum.panel=={number}&&indexof([{wanted}],datum.outcome)>=0'
  colour = [views.alone_colour(c, shown) for c in (alt.Fill, alt.Stroke)]
  inside = alt.FieldEqualPredicate(field='group', equal=group)
  layers = [
    layer.transform_filter(inside if group else '!datum.group')
    for layer in views.steps(x, y, colour, keep)
  ]
  return alt.layer(*layers, views.threshold_rules(x)).properties(
    width=265, height=height
  )


def explained(
  tables: frames.Tables, drawn: pd.DataFrame, view: str
) -> list[str]:
  """Which examples these are, and what arrows and lines say.

  Args:
    tables: of the study.
    drawn: rows of the figure.
    view: 'panel' or 'contrast'.

  Returns:
    Lines of a subtitle.
  """
  chosen, table = views.pairs(tables, view), tables['theta']
  all_examples = int(table.loc[table['view'] == view, 'n'].max())
  shown = drawn.loc[drawn['kind'] == 'point', 'id'].nunique()
  part = '' if shown >= all_examples else f' ({wording.count(shown)} as points)'
  which = 'at least one of the pairs is' if len(chosen) > 1 else 'the two are'
  two = 'model 2' if len(chosen) > 1 else f'“{chosen["model_2"].iloc[0]}”'
  pale = '; pale dots: both or neither' if len(chosen) > 1 else ''
  return [
    f'The {wording.count(all_examples)} examples{part} on which {which}'
    f' inconsistent. → only {views.first_name(chosen)} correct, ← only {two}'
    f' correct{pale}.',
    views.DOTTED,
  ]
