"""Data of the heat map of all pairs: orders of the models, and measures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses import seriation
from overlap.core import wording
from overlap.figures import frames, heatmap, style

# Column of `pairs.csv`, heading in the table of pairs, formatting function.
MEASURES = (
  ('error_inconsistency', 'Error inconsistency', wording.percent),
  ('kappa', 'Kappa', wording.decimal),
  ('ensemble_accuracy', 'Ensemble accuracy', wording.percent),
  ('gain', 'Gain (points)', wording.points),
  ('conversion_rate', 'Conversion rate', wording.percent),
)


def heat(tables: frames.Tables, pairs: pd.DataFrame) -> dict[str, Any]:
  """Returns the data of the heat map, ready for JSON.

  Args:
    tables: tables of the study.
    pairs: rows of `pairs.csv`, in the order of the page.

  Returns:
    `models`, their names; `categories`, one per model; `first` and `second`,
    the indices of each pair's models; `orders`, a permutation of the models by
    name of the order; `measures`, each with `heading`, `values` (one per pair)
    and the texts of the `low` and `high` end of its range. The order by
    clustering is absent if the error inconsistency of a pair is unknown.
  """
  models = tables['models']
  names = models['model'].tolist()
  place = {name: i for i, name in enumerate(names)}
  ends = [pairs[f'model_{side}'].map(place).tolist() for side in (1, 2)]
  by_category = heatmap.by_category(models)['model'].map(place).tolist()
  orders = {'category': by_category}
  distances = _distances(len(names), ends, pairs['error_inconsistency'])
  if len(names) > 2 and not np.isnan(distances).any():
    orders['clustering'] = seriation.order(distances)
  return {
    'models': names,
    'categories': models['category'].map(style.category_name).tolist(),
    'first': ends[0],
    'second': ends[1],
    'orders': orders,
    'measures': [
      _measure(pairs[column], heading, text)
      for column, heading, text in MEASURES
      if pairs[column].notna().any()
    ],
  }


def most_apart(pairs: pd.DataFrame) -> int:
  """Returns the row of the pair with the largest error inconsistency."""
  values = pairs['error_inconsistency'].to_numpy()
  return 0 if np.isnan(values).all() else int(np.nanargmax(values))


def _distances(
  models: int, ends: Sequence[Sequence[int]], values: pd.Series
) -> np.ndarray:
  distances = np.full((models, models), np.nan)
  np.fill_diagonal(distances, 0)
  first, second = ends
  distances[first, second] = distances[second, first] = values
  return distances


def _measure(values: pd.Series, heading: str, text: Any) -> dict[str, Any]:
  return {
    'heading': heading,
    'low': text(values.min()),
    'high': text(values.max()),
    'values': [
      None if wording.absent(value) else round(float(value), 5)
      for value in values
    ],
  }
