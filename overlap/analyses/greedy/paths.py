"""Greedy forward selection of ensemble members."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from overlap.analyses.greedy.compact import Scores
from overlap.analyses.greedy.scoring import Ensemble, score_additions


@dataclasses.dataclass(frozen=True)
class Plan:
  """The inputs of one greedy path.

  Attributes:
    start: index of the first member.
    pool: models that may be added, bool `[models]`.
    chosen_on: examples on which accuracies are compared, bool `[examples]`.
    costs: cost of each model, float64 `[models]`, NaN where unknown; None for a
      path without a budget.
    budget: largest sum of the members' costs.
  """

  start: int
  pool: np.ndarray
  chosen_on: np.ndarray
  costs: np.ndarray | None = None
  budget: float = np.inf

  def affords(self, members: Sequence[int]) -> bool:
    """Returns whether the cost is known and within the budget."""
    if self.costs is None:
      return True
    # A repeated model is computed only once.
    return bool(self.costs[list(set(members))].sum() <= self.budget)


@dataclasses.dataclass
class Path:
  """A greedy path: the ensembles after each step, beginning with the start.

  Attributes:
    members: indices of the models in the order of their addition, the start
      first.
    right: correctness of the first 1, 2, ... members, bool `[examples]` each.
  """

  members: list[int]
  right: list[np.ndarray]

  def best_prefix(self, chosen_on: np.ndarray) -> int:
    """Returns the best number of additions; the fewest in a tie."""
    return int(np.argmax([right[chosen_on].sum() for right in self.right]))


def take_paths(
  scores: Scores,
  names: Sequence[str],
  correct: np.ndarray,
  plans: Sequence[Plan],
  *,
  max_members: int,
  repetition: bool = False,
) -> tuple[list[Path], dict[int, np.ndarray]]:
  """Follows several greedy paths, with one pass over the scores per step.

  Each step adds the model that makes the ensemble most accurate on the plan's
  examples; the first name in alphabetical order wins ties.

  Args:
    scores: scores of the models.
    names: names of the models.
    correct: correctness of each model alone, bool `[models, examples]`.
    plans: inputs of each path.
    max_members: largest size of an ensemble.
    repetition: whether a model may be added more than once.

  Returns:
    The paths, and for each start its correctness together with each model, bool
    `[models, examples]`.
  """
  order = sorted(range(len(names)), key=names.__getitem__)
  paths = [Path([plan.start], [correct[plan.start]]) for plan in plans]
  first: dict[int, np.ndarray] = {}
  for step in range(1, max_members):
    open_ = [
      (plan, path, allowed)
      for plan, path in zip(plans, paths)
      if (allowed := _allowed(plan, path, order, repetition))
      and len(path.members) == step
    ]
    if not open_:
      break
    wanted: list[Ensemble] = [tuple(path.members) for _, path, _ in open_]
    added = score_additions(
      scores, wanted, what=f'greedy step {step} of {max_members - 1}'
    )
    for (plan, path, allowed), ensemble in zip(open_, wanted):
      right = added.right(ensemble)
      if step == 1:
        first[plan.start] = right
      counts = right[:, plan.chosen_on].sum(axis=1)
      best = max(allowed, key=counts.__getitem__)  # First in a tie.
      path.members.append(best)
      path.right.append(right[best].copy())
  return paths, first


def _allowed(
  plan: Plan, path: Path, order: Sequence[int], repetition: bool
) -> list[int]:
  return [
    model
    for model in order
    if plan.pool[model]
    and (repetition or model not in path.members)
    and plan.affords([*path.members, model])
  ]
