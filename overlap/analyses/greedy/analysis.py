"""The tables of ensembles of more than two: greedy selection, best subsets.

Members are chosen on one half of the examples and the ensemble is scored on
the other, both ways; the halves are drawn by a hash of the examples' ids.
"""

import numpy as np
import pandas as pd

from overlap.analyses import calibration
from overlap.analyses.context import Context
from overlap.analyses.greedy import best, first, paths, steps
from overlap.analyses.greedy.choice import Choice, choose
from overlap.analyses.greedy.compact import Scores
from overlap.analyses.greedy.halves import Part, parts

TABLES = ('greedy', 'greedy_best', 'first_additions', 'subsets')


def measure(context: Context) -> dict[str, pd.DataFrame]:
  """Takes the greedy paths and searches the subsets.

  Returns:
    'greedy' (every step from every start), 'greedy_best' (the best ensemble
    of each path), 'first_additions' (what each model adds to each start) and
    'subsets' (the best of each size).

  Raises:
    UsageError: the options name a model that is not there or has no logits.
  """
  options, level = context.options.greedy, context.options.confidence
  choice = choose(context)
  halves = calibration.folds_from_ids(context.ids, 2, context.options.seed)
  asked = parts(halves, options.protocols)
  scores = Scores(
    [context.calibrated(context.members[i]) for i in choice.index],
    context.split.labels,
    max_members=max(options.max_members, len(choice.candidates)),
    method=options.method,
  )
  made: dict[str, pd.DataFrame] = {}
  if set(TABLES[:3]) & set(context.options.tables):
    taken, additions = _take(context, choice, scores, asked)
    made['greedy'], made['greedy_best'] = steps.tables_of(
      context, choice, taken, confidence=level
    )
    made['first_additions'] = first.table(
      context, choice, additions, confidence=level
    )
  if 'subsets' in context.options.tables:
    made['subsets'] = best.table(
      choice,
      scores,
      halves,
      asked,
      max_members=options.max_members,
      confidence=level,
    )
  return made


def _take(
  context: Context, choice: Choice, scores: Scores, asked: list[Part]
) -> tuple[list[steps.Taken], dict[int, np.ndarray]]:
  options = context.options.greedy
  wanted = [(start, part) for start in choice.starts for part in asked]
  taken, additions = paths.take_paths(
    scores,
    choice.names,
    choice.correct,
    [
      paths.Plan(start, choice.pool(start, options), part.chosen_on)
      for start, part in wanted
    ],
    max_members=options.max_members,
    repetition=options.repetition,
  )
  found = [
    steps.Taken(start, part, path) for (start, part), path in zip(wanted, taken)
  ]
  return found, additions
