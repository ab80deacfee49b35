"""The tables of specialisation.

Hard-label models take part in the counts, and those with stored confidences in
everything that has a theta.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from overlap.analyses import correctness, ensembles
from overlap.analyses.context import Context
from overlap.analyses.members import Member
from overlap.analyses.specialisation import (
  classes,
  groups,
  panels,
  separation,
  views,
)
from overlap.analyses.specialisation.views import PairOfModels, View
from overlap.catalog import categories

# Logits of two models in memory at a time: 32 MB in float32.
_BLOCK = 2**22


def measure_specialisation(context: Context) -> dict[str, pd.DataFrame]:
  """Makes all tables of specialisation; some need confidences for rows."""
  options, level = context.options.specialisation, context.options.confidence
  members, labels = context.members, context.split.labels
  chosen = panels.choose(members, context.in_window, options)
  grouped = groups.resolve(options, context.class_names)
  pairs = [_pair(members[i], members[j]) for i, j in chosen.unique]
  seen = _views(context, chosen)
  confident = [pair.has_confidences for pair in pairs]
  table = separation.specialisation_table(
    [pair for pair, known in zip(pairs, confident) if known], confidence=level
  )
  in_trend = [
    known and i == 0 and bool(context.in_window[j])
    for (i, j), known in zip(chosen.unique, confident)
  ]
  return {
    'theta': views.theta_table(seen, labels, grouped, bins=options.bins),
    'theta_examples': views.examples_table(
      seen,
      context.ids,
      labels,
      context.class_names,
      max_examples=options.max_examples,
      seed=context.options.seed,
    ),
    **classes.tables_of(
      pairs, labels, context.class_names, grouped, confidence=level
    ),
    'specialisation': table,
    'specialisation_correlations': separation.correlations_table(
      table[np.array(in_trend, bool)[np.array(confident, bool)]],
      confidence=level,
    ),
  }


def _pair(
  one: Member, two: Member, ensemble: np.ndarray | None = None
) -> PairOfModels:
  return PairOfModels(
    one.name,
    two.name,
    categories.pair_category(one.axes, two.axes, one.category, two.category),
    one.correct,
    two.correct,
    one.confidence,
    two.confidence,
    ensemble,
  )


def _views(context: Context, chosen: panels.Chosen) -> list[View]:
  """Returns the views with pairs, and the correctness of their ensembles."""
  asked: dict[str, Sequence[panels.Index]] = {
    'panel': chosen.panels,
    'contrast': [chosen.contrast] if chosen.contrast else [],
  }
  return [
    View(
      name,
      [
        _pair(
          context.members[i],
          context.members[j],
          ensemble_correct(context, context.members[i], context.members[j]),
        )
        for i, j in pairs
      ],
    )
    for name, pairs in asked.items()
    if pairs
  ]


def ensemble_correct(
  context: Context, one: Member, two: Member
) -> np.ndarray | None:
  """Correctness of the ensemble of two models.

  Returns:
    A mask, bool `[examples]`, by the first of the requested methods; None if a
    model has no logits.
  """
  if one.temperatures is None or two.temperatures is None:
    return None
  first, second = context.calibrated(one), context.calibrated(two)
  labels = context.split.labels
  right = np.empty(len(labels), bool)
  step = max(1, _BLOCK // max(1, first.shape[1]))
  for start in range(0, len(labels), step):
    rows = slice(start, min(start + step, len(labels)))
    scores = [np.asarray(m[rows], np.float32) for m in (first, second)]
    if context.options.methods[0] == 'probs':
      scores = [ensembles.softmax(block) for block in scores]
    with np.errstate(invalid='ignore', over='ignore'):
      right[rows] = correctness.correct(scores[0] + scores[1], labels[rows])
  return right
