"""The tables of all models and pairs, and what sums them up."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap import tables
from overlap.analyses import pairs as pairs_lib
from overlap.analyses import stats, summaries
from overlap.analyses.context import Context, Pairs
from overlap.analyses.members import Member

TABLES = ('models', 'pairs', 'categories', 'correlations')


def measure(context: Context) -> dict[str, pd.DataFrame]:
  """Measures all models and all pairs asked for.

  Returns:
    'models' and 'pairs' have every model and pair; 'categories' (means over
    pairs with the base) and 'correlations' keep to the accuracy window.
  """
  # Pairs with the base are measured in any case: the other tables need them.
  wanted = _pair_index(context.pairs, context.names)
  of_base = _pair_index('base', context.names)
  index = np.unique(np.r_[of_base, wanted], axis=0)
  code = np.array([len(context.members), 1])
  listed = np.isin(index @ code, wanted @ code)
  columns = pairs_lib.measure(
    context.split,
    context.members,
    index,
    classes=len(context.class_names),
    options=context.options,
    checkpoint=context.checkpoint(),
  )
  return _tables(context, index, columns, listed)


def _pair_index(pairs: Pairs, names: Sequence[str]) -> np.ndarray:
  """Pairs as indices of models, int `[pairs, 2]`, the lower index first."""
  if pairs == 'base':
    chosen = [(0, other) for other in range(1, len(names))]
  elif pairs == 'all':
    chosen = list(itertools.combinations(range(len(names)), 2))
  else:
    place = {name: i for i, name in enumerate(names)}
    chosen = [
      (min(place[one], place[two]), max(place[one], place[two]))
      for one, two in pairs
    ]
  return np.array(chosen, np.int64).reshape(-1, 2)


def _tables(
  context: Context,
  index: np.ndarray,
  columns: pairs_lib.Columns,
  listed: np.ndarray,
) -> dict[str, pd.DataFrame]:
  """All tables.

  Args:
    context: of the analysis.
    index: int `[pairs, 2]`, all pairs that were measured.
    columns: of these pairs.
    listed: bool `[pairs]`, those asked for.
  """
  inside, level = context.in_window, context.options.confidence
  with_base = index[:, 0] == 0
  of_base = pairs_lib.take(columns, with_base)
  of_list = pairs_lib.take(columns, listed)
  of_list['mcnemar_p_holm'] = stats.holm(of_list['mcnemar_p'])
  # The base stays in its own pairs wherever the window is.
  kept = inside[index[with_base, 1]]
  kept_base = pairs_lib.take(of_base, kept)
  others = index[with_base][kept, 1]
  scopes = [('base', kept_base, others[:, np.newaxis])]
  if not np.array_equal(listed, with_base):
    both = listed & inside[index].all(axis=1)
    scopes.append(('all', pairs_lib.take(columns, both), index[both]))
  return {
    'models': _models_table(context.members, inside, of_base, level),
    'pairs': tables.typed('pairs', of_list),
    'categories': summaries.category_table(kept_base, others, confidence=level),
    'correlations': summaries.correlation_table(scopes, confidence=level),
  }


def _models_table(
  found: Sequence[Member],
  inside: np.ndarray,
  of_base: pairs_lib.Columns,
  confidence: float,
) -> pd.DataFrame:
  """One row a model; what is of a pair is of that with the base."""
  columns: dict[str, Any] = {
    name: [member.columns[name] for member in found]
    for name in found[0].columns
  }
  total = np.array(columns['n'])
  right = np.array([member.correct.sum() for member in found])
  # Each model's pair with the base stands where the model does, which is
  # after the base.
  for name in (
    'error_inconsistency', 'error_inconsistency_lower',
    'error_inconsistency_upper', 'ensemble_accuracy',
  ):  # fmt: skip
    columns[name] = np.r_[np.nan, of_base[name]]
  together = np.rint(columns['ensemble_accuracy'] * total)
  for name, successes in (
    ('accuracy', right),
    ('ensemble_accuracy', together),
  ):
    bounds = stats.wilson(successes, total, confidence=confidence)
    columns[f'{name}_lower'], columns[f'{name}_upper'] = bounds
  columns['in_window'] = inside
  return tables.typed('models', columns)
