"""Greedy selection and exact search of ensembles of more than two models.

Members are chosen on one half of the examples and the ensemble is scored on the
other, in both directions; the halves are drawn by a hash of the examples' ids.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from overlap.analyses import calibration, costs
from overlap.analyses.context import Context
from overlap.analyses.greedy import best, budgets, first, paths, steps
from overlap.analyses.greedy.choice import Choice, choose
from overlap.analyses.greedy.compact import Scores
from overlap.analyses.greedy.halves import Part, parts
from overlap.analyses.greedy.steps import Taken

_STEPS = ('greedy', 'greedy_best', 'first_additions')


class _Wanted(NamedTuple):
  """The start, examples and budget of one greedy path."""

  start: int
  part: Part
  budget: float = np.inf


def measure_greedy(context: Context) -> dict[str, pd.DataFrame]:
  """Follows the greedy paths and searches the subsets.

  Returns:
    'greedy' (every step from every start), 'greedy_best' (the best ensemble of
    each path), 'first_additions' (each model added to each start), 'subsets'
    (the best subset of each size) and 'greedy_budgets' (the best ensemble
    within each budget of operations).

  Raises:
    UsageError: the options name a model that is unknown or has no logits.
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
  tables, flops = set(context.options.tables), costs.flops(context)
  flops = flops[choice.index]
  free, bound = [], []
  if tables & set(_STEPS):
    free = [_Wanted(start, part) for start in choice.starts for part in asked]
  if 'greedy_budgets' in tables:
    bound = _bound(context, choice, asked, flops)
  taken, additions = _take(context, choice, scores, free + bound, flops)
  made = {
    'first_additions': first.table(
      context, choice, additions, confidence=level
    ),
    'greedy_budgets': budgets.table(
      context, choice, taken[len(free) :], flops, confidence=level
    ),
  }
  made['greedy'], made['greedy_best'] = steps.tables_of(
    context, choice, taken[: len(free)], confidence=level
  )
  if 'subsets' in tables:
    made['subsets'] = best.table(
      choice,
      scores,
      halves,
      asked,
      max_members=options.max_members,
      confidence=level,
    )
  return made


def _bound(
  context: Context, choice: Choice, asked: list[Part], flops: np.ndarray
) -> list[_Wanted]:
  """Returns paths with budgets; for each start, smaller budgets first."""
  options = context.options.greedy
  return [
    _Wanted(start, part, budget)
    for start in choice.starts
    for budget in budgets.offered(
      flops, start, choice.pool(start, options), options.max_members
    )
    for part in asked
  ]


def _take(
  context: Context,
  choice: Choice,
  scores: Scores,
  wanted: list[_Wanted],
  flops: np.ndarray,
) -> tuple[list[Taken], dict[int, np.ndarray]]:
  options = context.options.greedy
  taken, additions = paths.take_paths(
    scores,
    choice.names,
    choice.correct,
    [
      paths.Plan(
        start,
        choice.pool(start, options),
        part.chosen_on,
        *((flops, budget * flops[start]) if np.isfinite(budget) else ()),
      )
      for start, part, budget in wanted
    ],
    max_members=options.max_members,
    repetition=options.repetition,
  )
  found = [
    Taken(start, part, path, budget)
    for (start, part, budget), path in zip(wanted, taken)
  ]
  return found, additions
