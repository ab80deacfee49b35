"""The best ensembles within a budget of operations.

A budget covers the whole ensemble, in multiples of the operations of its start:
2 doubles them. Each step adds the model that helps most among those that still
fit the budget.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from overlap.analyses.context import Context
from overlap.analyses.greedy import steps
from overlap.analyses.greedy.choice import Choice
from overlap.analyses.greedy.paths import Path
from overlap.analyses.greedy.steps import Taken

BUDGETS = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0)


def offered(
  flops: np.ndarray, start: int, pool: np.ndarray, max_members: int
) -> list[float]:
  """Budgets that matter: from the first addition that fits until all fit.

  Args:
    flops: operations of each model, float64 `[models]`, NaN where unknown.
    start: index of the first member.
    pool: models that may be added, bool `[models]`.
    max_members: largest size of an ensemble.

  Returns:
    Values from `BUDGETS`, ascending; empty if the operations of the start, or
    of all models that may be added, are unknown.
  """
  pool = pool.copy()
  pool[start] = False
  others = flops[pool] / flops[start]
  others = np.sort(others[np.isfinite(others)])
  if not len(others) or max_members < 2:
    return []
  least, most = 1 + others[0], 1 + others[1 - max_members :].sum()
  able = [budget for budget in BUDGETS if budget >= least]
  needed = sum(budget < most for budget in able)
  return able[: needed + 1]


def table(
  context: Context,
  choice: Choice,
  taken: Sequence[Taken],
  flops: np.ndarray,
  *,
  confidence: float,
) -> pd.DataFrame:
  """Returns the table 'greedy_budgets'.

  Args:
    context: inputs of the analysis.
    choice: models that take part.
    taken: greedy paths; for each start, smaller budgets first.
    flops: operations of the models that take part, float64 `[models]`.
    confidence: level of all intervals.
  """
  rows = []
  for group in steps.groups(list(_best(taken))):
    ends = [len(one.path.members) - 1 for one in group]
    members = {frozenset(one.path.members) for one in group}
    total = None
    if len(members) == 1:
      total = int(flops[list(members.pop())].sum())
    rows.append(
      steps.best_row(context, choice, group, ends, confidence)
      | {'budget': group[0].budget, 'flops': total}
    )
  return steps.typed('greedy_budgets', rows)


def _best(taken: Sequence[Taken]) -> Iterator[Taken]:
  """Yields each path, cut after its best step on its selection examples.

  A smaller budget's path replaces it if that is at least as accurate on these
  examples, because greedy selection may do worse with a larger budget.
  """
  kept: dict[tuple[int, str, str], Path] = {}
  for one in taken:
    chosen_on = one.part.chosen_on
    size = one.path.best_prefix(chosen_on) + 1
    best = Path(one.path.members[:size], one.path.right[:size])
    key = one.start, one.part.protocol, one.part.half
    before = kept.setdefault(key, best)
    if best.right[-1][chosen_on].sum() > before.right[-1][chosen_on].sum():
      kept[key] = best
    yield one._replace(path=kept[key])
