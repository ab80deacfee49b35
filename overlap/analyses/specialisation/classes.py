"""The tables 'class_groups' and 'classes': accuracy by class of two models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses import stats
from overlap.analyses.specialisation import groups as groups_lib
from overlap.analyses.specialisation import paired
from overlap.analyses.specialisation.groups import Groups
from overlap.analyses.specialisation.views import PairOfModels
from overlap.tables import table_io

_COUNTS = ('both_correct', 'only_1', 'only_2', 'neither')


def class_counts(
  outcomes: np.ndarray, labels: np.ndarray, classes: int
) -> np.ndarray:
  """Counts the outcomes of a pair in each class.

  Args:
    outcomes: positions in `angle.OUTCOMES`, `[examples]`.
    labels: labels `[examples]` in 0 ... classes - 1.
    classes: number of classes.

  Returns:
    Counts, int64 `[classes, 4]`: both, only 1, only 2, neither.
  """
  cells = np.bincount(labels * 4 + outcomes, minlength=4 * classes)
  return cells.reshape(classes, 4)


def tables_of(
  pairs: Sequence[PairOfModels],
  labels: np.ndarray,
  class_names: Sequence[str],
  groups: Groups,
  *,
  confidence: float,
) -> dict[str, pd.DataFrame]:
  """Returns the tables 'class_groups' and 'classes'.

  `mcnemar_p_holm` of 'class_groups' is corrected for all its rows; in
  'classes', it and the false discovery rate `q` are corrected for the classes
  of one pair.

  Args:
    pairs: pairs of models, each once.
    labels: labels, int `[examples]`.
    class_names: names of the classes, `[classes]`.
    groups: mapping from names to class indices; no rows if empty.
    confidence: level of the intervals.
  """
  by_class = [
    class_counts(pair.outcomes, labels, len(class_names)) for pair in pairs
  ]
  return {
    'class_groups': _groups_table(pairs, by_class, labels, groups, confidence),
    'classes': _classes_table(pairs, by_class, class_names, confidence),
  }


def _compared(counts: np.ndarray, confidence: float) -> dict[str, Any]:
  """Returns the columns computed from outcome counts int `[rows, 4]`."""
  both, only_1, only_2, _ = counts.T
  total = counts.sum(axis=1)
  filled = np.where(total == 0, np.nan, total)
  found = paired.difference(only_1, only_2, total, confidence=confidence)
  names = ('difference', 'difference_lower', 'difference_upper')
  return {
    'n': total,
    **dict(zip(_COUNTS, counts.T)),
    'accuracy_1': (both + only_1) / filled,
    'accuracy_2': (both + only_2) / filled,
    **dict(zip(names, found)),
    'mcnemar_p': np.where(total == 0, np.nan, stats.mcnemar(only_1, only_2)),
  }


def _groups_table(
  pairs: Sequence[PairOfModels],
  by_class: Sequence[np.ndarray],
  labels: np.ndarray,
  groups: Groups,
  confidence: float,
) -> pd.DataFrame:
  counts, thetas = [], []
  members = [np.isin(labels, classes) for classes in groups.values()]
  for pair, table in zip(pairs, by_class):
    theta = pair.measures()['theta'] if pair.has_confidences else None
    for inside, classes in zip(members, groups.values()):
      counts.append(table[classes].sum(axis=0))
      values = np.array([]) if theta is None else theta[inside]
      thetas.append(paired.mean(values, confidence=confidence))
  columns = _compared(np.reshape(counts, (-1, 4)).astype(np.int64), confidence)
  columns['mcnemar_p_holm'] = stats.holm(columns['mcnemar_p'])
  ends = ('theta', 'theta_lower', 'theta_upper')
  columns |= dict(zip(ends, np.reshape(thetas, (-1, 3)).T))
  columns |= _repeated(pairs, len(groups))
  columns['group'] = list(groups) * len(pairs)
  columns['classes'] = [
    groups_lib.as_text(classes) for classes in groups.values()
  ] * len(pairs)
  return table_io.typed('class_groups', columns)


def _classes_table(
  pairs: Sequence[PairOfModels],
  by_class: Sequence[np.ndarray],
  class_names: Sequence[str],
  confidence: float,
) -> pd.DataFrame:
  number = len(class_names)
  columns = _compared(
    np.concatenate([*by_class, np.zeros((0, 4), np.int64)]), confidence
  )
  filled = np.where(columns['n'] == 0, np.nan, columns['n'])
  columns['only_1_rate'] = columns['only_1'] / filled
  columns['only_2_rate'] = columns['only_2'] / filled
  # Each pair is a family of tests of its own.
  families = np.reshape(columns['mcnemar_p'], (len(pairs), number))
  for name, correct in (
    ('mcnemar_p_holm', stats.holm),
    ('q', paired.benjamini_hochberg),
  ):
    columns[name] = np.array([correct(p) for p in families]).reshape(-1)
  columns |= _repeated(pairs, number)
  columns['label'] = np.tile(np.arange(number), len(pairs))
  columns['class_name'] = [str(name) for name in class_names] * len(pairs)
  return table_io.typed('classes', columns)


def _repeated(pairs: Sequence[PairOfModels], times: int) -> dict[str, list]:
  """Returns the names of the pairs, repeated for each of their rows."""
  return {
    name: [pair.identity[name] for pair in pairs for _ in range(times)]
    for name in ('model_1', 'model_2', 'category')
  }
