"""Conversion of the study's tables to the rows that a figure draws."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from overlap.catalog import paper
from overlap.catalog.paper import published
from overlap.core import errors
from overlap.figures import style

Tables = Mapping[str, pd.DataFrame]
_DTYPES = {'float': 'float64', 'int': 'Int64'}


class NotDrawableError(errors.DataError):
  """Raised if the tables are valid but have no data for a figure."""


def base_name(models: pd.DataFrame) -> str:
  """Returns the name of the model that the others are compared with.

  Raises:
    NotDrawableError: the number of models of category 'BASE' is not one.
  """
  names = models.loc[models['category'] == style.BASE, 'model']
  if len(names) != 1:
    raise NotDrawableError(
      'models.csv must have one model of category BASE, got'
      f' {len(names)}: run `overlap analyse` with --base=MODEL.'
    )
  return str(names.iloc[0])


def base_pairs(tables: Tables) -> pd.DataFrame:
  """Returns the pairs with the base, one row per other model.

  Returns:
    The columns of `pairs.csv` that do not refer to model 1 or 2; `model`, the
    other model; `accuracy`, the other model's; `base_accuracy`; `in_window`
    ('yes' or 'no'; 'yes' if absent from `models.csv`);
    `ensemble_accuracy_lower` and `_upper` (from `models.csv`). Rows are in
    the order of the categories, then of `models.csv`.

  Raises:
    NotDrawableError: there is no base, or no pair with it.
  """
  models, pairs = tables['models'], tables['pairs']
  base = base_name(models)
  second = pairs['model_2'] == base
  rows = pairs[(pairs['model_1'] == base) | second].copy()
  if rows.empty:
    raise NotDrawableError(
      f'pairs.csv must hold pairs with the base {base!r}, got none: a study'
      ' of one model has no pairs.'
    )
  second = second[rows.index]
  sides = {
    'model': ('model_1', 'model_2'),
    'accuracy': ('accuracy_1', 'accuracy_2'),
    'base_accuracy': ('accuracy_2', 'accuracy_1'),
  }
  for name, (swapped, straight) in sides.items():
    rows[name] = np.where(second, rows[swapped], rows[straight])
  extra = models.assign(in_window=flag(models, 'in_window', default=True))
  columns = ['ensemble_accuracy_lower', 'ensemble_accuracy_upper', 'in_window']
  extra = extra.set_index('model').reindex(rows['model'])
  extra = extra.reindex(columns=columns)
  rows[columns] = extra.to_numpy()
  rows['category'] = rows['category'].map(style.category_name)
  rows['in_window'] = rows['in_window'].map({True: 'yes', False: 'no'})
  place = {name: i for i, name in enumerate(models['model'])}
  return in_order(rows, place)


def in_order(rows: pd.DataFrame, place: Mapping[str, int]) -> pd.DataFrame:
  """Returns rows sorted by category, then by the position of their model."""
  categories = rows['category'].map(style.rank)
  places = rows['model'].map(place)
  order = np.lexsort((places, categories))
  return rows.iloc[order].reset_index(drop=True)


def flag(frame: pd.DataFrame, name: str, *, default: bool) -> pd.Series:
  """Returns a boolean column; `default` where it is absent or empty."""
  if name not in frame:
    return pd.Series(default, index=frame.index)
  values = frame[name].map(lambda value: str(value).strip().lower())
  known = {'true': True, '1': True, '1.0': True}
  known |= {'false': False, '0': False, '0.0': False}
  return values.map(lambda value: known.get(value, default)).astype(bool)


def category_means(tables: Tables) -> pd.DataFrame:
  """Returns `categories.csv` in the order of the categories, without the base.

  The result is empty if the table is absent.
  """
  table = tables.get('categories')
  if table is None or table.empty:
    return pd.DataFrame({'category': pd.Series(dtype=str)})
  table = table[table['category'].isin(style.CATEGORIES)]
  order = table['category'].map(style.rank)
  return table.iloc[np.argsort(order, kind='stable')].reset_index(drop=True)


def paper_points() -> pd.DataFrame:
  """Returns the paper's table 1 in fractions, the data of its Fig. 2.

  Returns:
    `model`, `category`, `accuracy`, `error_inconsistency`,
    `ensemble_accuracy`, `gain` (over the mean of the two members) and
    `gain_over_base` (ResNet-50 at 76.5 %), one row per model.
  """
  table = paper.table(1)
  accuracy = table['accuracy'].astype(float) / 100
  ensemble = table['ensemble_accuracy'].astype(float) / 100
  return pd.DataFrame(
    {
      'model': table['model'].astype(str),
      'category': table['category'].astype(str),
      'accuracy': accuracy,
      'error_inconsistency': table['error_inconsistency'].astype(float),
      'ensemble_accuracy': ensemble,
      'gain': ensemble - (accuracy + published.BASE_ACCURACY) / 2,
      'gain_over_base': ensemble - published.BASE_ACCURACY,
    }
  )


def offsets(values: Sequence[float], *, height: float) -> np.ndarray:
  """Returns sideways offsets in [-1, 1] that keep a strip's points apart.

  Points are placed from the lowest up, each at the free offset nearest the
  middle. This is deterministic, unlike jitter.

  Args:
    values: positions of the points along the strip.
    height: height of a point, in the units of `values`.
  """
  along = np.asarray(values, dtype=float)
  slots = [0.0]
  for step in range(1, 4):
    slots += [-step / 3, step / 3]
  result = np.zeros(len(along))
  last = dict.fromkeys(slots, -np.inf)
  for i in np.argsort(along, kind='stable'):
    free = [s for s in slots if along[i] - last[s] >= height]
    result[i] = free[0] if free else min(slots, key=lambda s: last[s])
    last[float(result[i])] = along[i]
  return result


def domain(
  values: pd.Series, lower: pd.Series, upper: pd.Series
) -> list[float]:
  """Returns the ends of an axis that shows all values and most intervals.

  The interval of a mean over two models can be so wide that all points would
  coincide, so the axis extends to at most a quarter of the values' span beyond
  them, and intervals are cut off there.
  """
  low, high = float(values.min()), float(values.max())
  span = max(high - low, 0.01)
  ends = [low, high]
  if lower.notna().any():
    ends = [
      max(min(low, float(lower.min())), low - span / 4),
      min(max(high, float(upper.max())), high + span / 4),
    ]
  margin = 0.05 * (ends[1] - ends[0]) or span / 2
  return [ends[0] - margin, ends[1] + margin]


def to_csv(frame: pd.DataFrame) -> str:
  """Returns the text of `figures/<name>.csv`, floats as shortest reprs."""
  buffer = io.StringIO()
  frame.to_csv(buffer, index=False, lineterminator='\n')
  return buffer.getvalue()


def as_data(frame: pd.DataFrame) -> alt.InlineData:
  """Returns the frame as a chart's data, in the same text as its CSV file."""
  parse = {name: _kind(column) for name, column in frame.items()}
  return alt.InlineData(
    values=to_csv(frame), format=alt.CsvDataFormat(type='csv', parse=parse)
  )


def _kind(column: pd.Series) -> str:
  return 'number' if pd.api.types.is_numeric_dtype(column) else 'string'


def stack(
  parts: Iterable[pd.DataFrame], columns: Mapping[str, Any]
) -> pd.DataFrame:
  """Concatenates frames and selects columns.

  Args:
    parts: frames, which may be empty or lack columns.
    columns: dtype ('str', 'float', 'int') of each column of the result;
      `category` is required.
  """
  frames = [part.reindex(columns=list(columns)) for part in parts if len(part)]
  rows: list[dict[str, Any]] = []
  for frame in frames:
    rows += frame.astype(object).to_dict('records')
  whole = pd.DataFrame(rows, columns=list(columns), dtype=object)
  whole['category'] = whole['category'].map(style.category_name)
  for name, dtype in columns.items():
    if dtype == 'str':
      whole[name] = whole[name].map(lambda v: '' if _missing(v) else str(v))
    else:
      whole[name] = pd.to_numeric(whole[name]).astype(_DTYPES[dtype])
  return whole


def _missing(value: Any) -> bool:
  return value is None or value is pd.NA or value != value
