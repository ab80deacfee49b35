"""Means by category and correlations, over pairs of models."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from overlap import tables
from overlap.analyses import clusters
from overlap.analyses.clusters import Summaries
from overlap.analyses.pairs import Columns, take
from overlap.catalog.categories import CATEGORIES

JACKKNIFE = clusters.summaries('jackknife', resamples=0, seed=0)
# Each against error inconsistency.
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
    columns: of the pairs with the base, each `[pairs]`, the base first in
      each pair.
    others: int `[pairs]`, the other model's index.
    confidence: level of the intervals.
    intervals: how they vary the models.

  Returns:
    The table 'categories', one row for each category that has pairs. Shares
    and rates are fractions; a mean is over the pairs that have the value.
  """
  derived = {
    'both_correct': columns['both_correct'] / columns['n'],
    'neither': columns['neither'] / columns['n'],
    'gain_over_base': columns['ensemble_accuracy'] - columns['accuracy_1'],
  }
  values = columns | derived
  rows: dict[str, list] = {name: [] for name in tables.SCHEMAS['categories']}
  for category in CATEGORIES:
    chosen = np.asarray(columns['category']) == category
    if not chosen.any():
      continue
    rows['category'].append(category)
    rows['models'].append(len(np.unique(others[chosen])))
    rows['pairs'].append(int(chosen.sum()))
    for name in tables.CATEGORY_MEANS:
      found = intervals.mean(
        values[name][chosen], others[chosen, np.newaxis], confidence=confidence
      )
      for end, value in zip(('', '_lower', '_upper'), found):
        rows[f'{name}{end}'].append(value)
  return tables.typed('categories', rows)


def correlation_table(
  scopes: Sequence[tuple[str, Columns, np.ndarray]],
  *,
  confidence: float,
  intervals: Summaries = JACKKNIFE,
) -> pd.DataFrame:
  """Correlations of error inconsistency with what ensembles make of it.

  Args:
    scopes: a name, the columns of its pairs, each `[pairs]`, and the models
      that vary among them, int `[pairs, 1 or 2]`.
    confidence: level of the intervals.
    intervals: how they vary the models.

  Returns:
    The table 'correlations'; `n` is the number of pairs.
  """
  rows: dict[str, list] = {name: [] for name in tables.SCHEMAS['correlations']}
  for scope, columns, members in scopes:
    for other in _AGAINST:
      known = np.isfinite(columns['error_inconsistency'] + columns[other])
      chosen = take(columns, known)
      sides = chosen['error_inconsistency'], chosen[other], members[known]
      pearson = intervals.pearson(*sides, confidence=confidence)
      slope = intervals.slope(*sides, confidence=confidence)
      row = {
        'name': f'error_inconsistency_vs_{other}',
        'scope': scope,
        **dict(zip(('pearson', 'lower', 'upper'), pearson)),
        **dict(zip(('slope', 'slope_lower', 'slope_upper'), slope)),
        'n': int(known.sum()),
      }
      for name, value in row.items():
        rows[name].append(value)
  return tables.typed('correlations', rows)
