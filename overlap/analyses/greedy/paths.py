"""Greedy forward selection: from a start, whatever helps most, one by one."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from overlap.analyses.greedy.compact import Scores
from overlap.analyses.greedy.scoring import Ensemble, score_additions


@dataclasses.dataclass(frozen=True)
class Plan:
  """A path to take.

  Attributes:
    start: the model to begin with, by index.
    pool: bool `[models]`, which may be added.
    chosen_on: bool `[examples]`, on which the accuracy is compared.
    costs: of each model, float64 `[models]`, NaN where unknown; None for a
      path without a budget.
    budget: what the costs of all members may add up to.
  """

  start: int
  pool: np.ndarray
  chosen_on: np.ndarray
  costs: np.ndarray | None = None
  budget: float = np.inf

  def affords(self, members: Sequence[int]) -> bool:
    """Whether an ensemble is within the budget; never if a cost is unknown."""
    if self.costs is None:
      return True
    # A model that is there twice is computed once.
    return bool(self.costs[list(set(members))].sum() <= self.budget)


@dataclasses.dataclass
class Path:
  """A path taken: the ensembles after each step, from the start alone.

  Attributes:
    members: the models in the order of their addition, the start first.
    right: of the first 1, 2, ... members, bool `[examples]` each.
  """

  members: list[int]
  right: list[np.ndarray]

  def best_prefix(self, chosen_on: np.ndarray) -> int:
    """How many additions are best by the given examples, the fewest of ties."""
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
  """Takes many paths at once: each step is one pass over the scores.

  At every step the model is added with which the ensemble is right most often
  on the plan's examples; the first name in alphabetical order wins ties.

  Args:
    scores: of the models.
    names: of the models.
    correct: bool `[models, examples]`, what each model alone gets right.
    plans: the paths to take.
    max_members: of an ensemble.
    repetition: whether a model may be added more than once.

  Returns:
    The paths, and for each start what it gets right together with every other
    model, bool `[models, examples]`.
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
      best = max(allowed, key=counts.__getitem__)  # The first of ties.
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
