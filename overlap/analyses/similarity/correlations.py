"""Correlations of error inconsistency with representation similarity."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from overlap.analyses import stats
from overlap.analyses.pairs import Columns
from overlap.analyses.similarity.pairwise import MEASURES
from overlap.tables import schemas, table_io

Scope = tuple[str, Columns, np.ndarray]


def table(scopes: Sequence[Scope], *, confidence: float) -> pd.DataFrame:
  """Correlates error inconsistency with each similarity.

  Args:
    scopes: name, columns of its pairs, each `[pairs]`, and the models that vary
      among them, int `[pairs, 1 or 2]`.
    confidence: level of the intervals, which are jackknifed over models.

  Returns:
    The table 'similarity_correlations'. `n` is the number of pairs that have
    the similarity. `stronger` is the difference |r| - |r with CKA| of Pearson's
    correlations over the pairs that have both similarities.
  """
  name = 'similarity_correlations'
  rows: dict[str, list] = {column: [] for column in schemas.SCHEMAS[name]}
  for scope in scopes:
    for measure in MEASURES:
      for column, value in _row(scope, measure, confidence).items():
        rows[column].append(value)
  return table_io.typed(name, rows)


def _row(scope: Scope, measure: str, confidence: float) -> dict[str, object]:
  name, columns, members = scope
  x = np.asarray(columns['error_inconsistency'], np.float64)
  y = np.asarray(columns[measure], np.float64)
  known = np.isfinite(x + y)
  sides = x[known], y[known], members[known]
  found = {
    'pearson': stats.jackknife_pearson(*sides, confidence=confidence),
    'spearman': stats.jackknife_spearman(*sides, confidence=confidence),
    'stronger': (np.nan,) * 3,
  }
  if measure != 'cka':
    found['stronger'] = _stronger(columns, measure, members, confidence)
  return {
    'name': f'error_inconsistency_vs_{measure}',
    'scope': name,
    'n': int(known.sum()),
    **{
      f'{statistic}{end}': value
      for statistic, values in found.items()
      for end, value in zip(('', '_lower', '_upper'), values)
    },
  }


def _stronger(
  columns: Columns, measure: str, members: np.ndarray, confidence: float
) -> tuple[float, float, float]:
  """Difference of |r| to that of CKA, over pairs with both, with bounds."""
  x, one, other = (
    np.asarray(columns[name], np.float64)
    for name in ('error_inconsistency', measure, 'cka')
  )
  known = np.isfinite(x + one + other)
  x, one, other = x[known], one[known], other[known]

  def difference(keep: np.ndarray) -> float:
    mine, its = (
      abs(stats.pearson(x[keep], side[keep])) for side in (one, other)
    )
    return mine - its

  return stats.jackknife(difference, members[known], confidence=confidence)
