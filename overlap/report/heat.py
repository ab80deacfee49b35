"""The heat map of all pairs: orders of the models, and what cells may show."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses import seriation
from overlap.figures import frames, heatmap, style, wording

# A column of the pairs, what the table of pairs calls it, how it is written.
MEASURES = (
  ('error_inconsistency', 'Error inconsistency', wording.percent),
  ('kappa', 'Kappa', wording.decimal),
  ('ensemble_accuracy', 'Ensemble accuracy', wording.percent),
  ('gain', 'Gain (points)', wording.points),
  ('conversion_rate', 'Conversion rate', wording.percent),
)


def heat(tables: frames.Tables, pairs: pd.DataFrame) -> dict[str, Any]:
  """Returns the data of the heat map, as JSON.

  Args:
    tables: tables of the study.
    pairs: rows of its pairs, in the order of the page.

  Returns:
    `models`; `categories`, one each; `first` and `second`, the places of each
    pair's models among them; `orders`, name -> places; `measures`: each with
    `values`, one a pair, and the texts of its `low` and `high` end. The order
    by clustering is there where every pair has its error inconsistency.
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
  """The row of the pair that errs most differently: shown at first."""
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
