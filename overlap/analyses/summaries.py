"""Means by category and correlations, over pairs of models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses import clusters
from overlap.analyses.clusters import Summaries
from overlap.analyses.pairs import Columns, take
from overlap.catalog.categories import CATEGORIES
from overlap.tables import schemas, table_io

JACKKNIFE = clusters.summaries('jackknife', resamples=0, seed=0)
# Columns to correlate with error inconsistency.
_AGAINST = ('gain', 'ensemble_accuracy', 'conversion_rate')


def category_table(
  columns: Columns,
  others: np.ndarray,
  *,
  confidence: float,
  intervals: Summaries = JACKKNIFE,
) -> pd.DataFrame:
  """Means over the pairs with the base, by category.

  Args:
    columns: columns of the pairs with the base, each `[pairs]`, the base first
      in each pair.
    others: index of the other model, int `[pairs]`.
    confidence: level of the intervals.
    intervals: interval methods, which resample the models.

  Returns:
    The table 'categories', one row for each category with pairs. Shares and
    rates are fractions; a mean is over the pairs that have the value.
  """
  derived = {
    'both_correct': columns['both_correct'] / columns['n'],
    'neither': columns['neither'] / columns['n'],
    'gain_over_base': columns['ensemble_accuracy'] - columns['accuracy_1'],
  }
  values = columns | derived
  rows: dict[str, list] = {name: [] for name in schemas.SCHEMAS['categories']}
  for category in CATEGORIES:
    chosen = np.asarray(columns['category']) == category
    if not chosen.any():
      continue
    rows['category'].append(category)
    rows['models'].append(len(np.unique(others[chosen])))
    rows['pairs'].append(int(chosen.sum()))
    for name in schemas.CATEGORY_MEANS:
      found = intervals.mean(
        values[name][chosen], others[chosen, np.newaxis], confidence=confidence
      )
      for end, value in zip(('', '_lower', '_upper'), found):
        rows[f'{name}{end}'].append(value)
  return table_io.typed('categories', rows)


def correlation_table(
  scopes: Sequence[tuple[str, Columns, np.ndarray]],
  *,
  confidence: float,
  intervals: Summaries = JACKKNIFE,
) -> pd.DataFrame:
  """Correlations of error inconsistency with gains of ensembles.

  Args:
    scopes: name, columns of its pairs, each `[pairs]`, and the models that vary
      among them, int `[pairs, 1 or 2]`.
    confidence: level of the intervals.
    intervals: interval methods, which resample the models.

  Returns:
    The table 'correlations'; `n` is the number of pairs.
  """
  rows: dict[str, list] = {name: [] for name in schemas.SCHEMAS['correlations']}
  for scope, columns, members in scopes:
    for other in _AGAINST:
      known = np.isfinite(columns['error_inconsistency'] + columns[other])
      chosen = take(columns, known)
      row = correlation_row(
        other, scope, chosen['error_inconsistency'], chosen[other],
        members[known], confidence=confidence, intervals=intervals,
      )  # fmt: skip
      for name, value in row.items():
        rows[name].append(value)
  return table_io.typed('correlations', rows)


def correlation_row(
  against: str,
  scope: str,
  inconsistency: np.ndarray,
  values: np.ndarray,
  members: np.ndarray,
  *,
  confidence: float,
  intervals: Summaries = JACKKNIFE,
) -> dict[str, Any]:
  """Returns a row of a table such as 'correlations'.

  Args:
    against: column that is correlated with error inconsistency.
    scope: name of the set of pairs.
    inconsistency: error inconsistency without NaN, `[pairs]`.
    values: values of the column without NaN, `[pairs]`.
    members: models that vary, int `[pairs, 1 or 2]`.
    confidence: level of the intervals.
    intervals: interval methods, which resample the models.
  """
  sides = inconsistency, values, members
  pearson = intervals.pearson(*sides, confidence=confidence)
  slope = intervals.slope(*sides, confidence=confidence)
  return {
    'name': f'error_inconsistency_vs_{against}',
    'scope': scope,
    **dict(zip(('pearson', 'lower', 'upper'), pearson)),
    **dict(zip(('slope', 'slope_lower', 'slope_upper'), slope)),
    'n': len(members),
  }
