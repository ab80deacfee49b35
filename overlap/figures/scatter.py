"""Rows of scatter plots of classes against theta, by which model is right.

Shared by Fig. 4 and Fig. 12. Up to `_FEW` classes are named bands within which
points are spread; more classes are an axis of class indices.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from overlap.core import wording
from overlap.figures import frames, style, views

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
_FEW = 24  # Most class names on an axis.
_REACH = 0.46  # Half the height of a class's band.


def rows(tables: frames.Tables, view: str) -> pd.DataFrame:
  """Returns points, class names if few, group bands, bins and thresholds.

  Args:
    tables: tables of the study.
    view: 'panel' or 'contrast'.

  Returns:
    Rows to draw; `category` is the category whose colour a row has.

  Raises:
    NotDrawableError: the view has no pairs, or no examples to draw as points.
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
  # More digits would be invisible, and there are thousands of points.
  fine = ['x', 'y', 'confidence_1', 'confidence_2']
  points[fine] = points[fine].round(4)
  coloured = _coloured(pd.concat([points, bins]), tables, chosen)
  marks = [_bands(runs, place), _name_marks(tables, points, place)]
  return frames.stack([*marks, views.THRESHOLDS, coloured], COLUMNS)


def _spread(points: pd.DataFrame) -> np.ndarray:
  """Returns offsets within classes, the same for an example in every panel."""
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
  """Returns up to two groups of classes, those with the most examples.

  Returns:
    Names of the groups, in the order of 'class_groups'.
  """
  sizes = bins[bins['group'] != ''].drop_duplicates('group')
  sizes = sizes.sort_values('n', ascending=False, kind='stable')
  kept = set(sizes['group'].head(2))
  return [name for name in dict.fromkeys(bins['group']) if name in kept]


def _runs(
  tables: frames.Tables, names: Sequence[str]
) -> list[tuple[str, int, int]]:
  """Returns runs of adjacent classes of groups: name, first, last class."""
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
  """Returns all classes with a name in the tables: `label`, `class_name`."""
  table = tables.get('classes')
  table = points if table is None or table.empty else table
  return table.drop_duplicates('label')[['label', 'class_name']]


def _order(
  names: pd.DataFrame, runs: Sequence[tuple[str, int, int]]
) -> dict[int, float]:
  """Returns positions of classes: by group if there are few, else by index."""
  labels = sorted(int(label) for label in names['label'])
  if len(labels) > _FEW:
    return {label: float(label) for label in labels}
  grouped = [i for _, low, high in runs for i in range(low, high + 1)]
  order = dict.fromkeys([i for i in grouped if i in labels] + labels)
  return {label: float(place) for place, label in enumerate(order)}


def _bands(
  runs: Sequence[tuple[str, int, int]], place: Mapping[int, float]
) -> pd.DataFrame:
  """Returns one row per run of a group's adjacent classes, and group names."""
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
  """Returns rows with the names of classes, if there are few."""
  if len(place) > _FEW:
    return pd.DataFrame()
  found = _names(tables, points)
  return found.assign(
    kind='class', y=found['label'].map(place), category=style.UNKNOWN,
    x=-views.END,
  )  # fmt: skip


def explained(
  tables: frames.Tables, drawn: pd.DataFrame, view: str
) -> list[str]:
  """Returns a caption that explains the examples, arrows and lines.

  Args:
    tables: tables of the study.
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
