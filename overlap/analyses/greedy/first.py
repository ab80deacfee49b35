"""The accuracy of each start with each model added (Fig. 5, right)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from overlap.analyses import stats
from overlap.analyses.context import Context
from overlap.analyses.greedy import paired, steps
from overlap.analyses.greedy.choice import Choice


def table(
  context: Context,
  choice: Choice,
  additions: Mapping[int, np.ndarray],
  *,
  confidence: float,
) -> pd.DataFrame:
  """Returns the table 'first_additions', computed over all examples.

  No model is selected here, so each row is an unbiased estimate for its pair.
  The first of a ranking is selected, so its estimate is optimistic: see the
  table 'greedy'.

  Args:
    context: inputs of the analysis.
    choice: models that take part.
    additions: for each start, the examples that it gets right together with
      each model, bool `[models, examples]`.
    confidence: level of all intervals.
  """
  rows: list[steps.Row] = []
  for start, right in additions.items():
    rows += _rows(context, choice, start, right, confidence)
  return steps.typed('first_additions', rows)


def _rows(
  context: Context,
  choice: Choice,
  start: int,
  right: np.ndarray,
  confidence: float,
) -> list[steps.Row]:
  pool = np.flatnonzero(choice.pool(start, context.options.greedy)).tolist()
  counts = right.sum(axis=1)
  ranked = sorted(pool, key=lambda i: (-counts[i], choice.names[i]))
  alone, n = choice.correct[start], right.shape[1]
  gains = [
    paired.compare(alone, right[model], confidence=confidence)
    for model in ranked
  ]
  adjusted = stats.holm(np.array([gain.p for gain in gains]))
  return [
    {
      'start': choice.names[start],
      'start_category': context.members[choice.index[start]].category,
      'rank': rank,
      'added': choice.names[model],
      'added_category': context.members[choice.index[model]].category,
      'start_accuracy': float(choice.accuracies[start]),
      'added_accuracy': float(choice.accuracies[model]),
      'mcnemar_p_holm': float(adjusted[rank - 1]),
      **steps.accuracy_columns(int(counts[model]), n, confidence),
      **steps.gain_columns(gains[rank - 1]),
    }
    for rank, model in enumerate(ranked, 1)
  ]
