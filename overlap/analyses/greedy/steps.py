"""The tables of greedy paths: every step, and the best prefix of each path."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overlap.analyses import stats
from overlap.analyses.context import Context
from overlap.analyses.greedy import paired
from overlap.analyses.greedy.choice import Choice
from overlap.analyses.greedy.halves import BOTH, Part
from overlap.analyses.greedy.paths import Path
from overlap.tables import schemas, table_io

Row = dict[str, Any]


class Taken(NamedTuple):
  """A greedy path with its start and the examples it was chosen on.

  Attributes:
    start: index of the first member.
    part: examples for choosing and for scoring.
    path: members in the order of their addition.
    budget: operations of the whole ensemble, in multiples of the start's.
  """

  start: int
  part: Part
  path: Path
  budget: float = np.inf


class Scored(NamedTuple):
  """The predictions of an ensemble, or of the two chosen on the halves.

  Attributes:
    members: one list of models, or one per half.
    right: correctness of each prediction, bool `[examples]`.
    scored_on: examples that are reported, bool `[examples]`.
    selection_accuracy: accuracy on the examples on which members were chosen, a
      fraction.
  """

  members: Sequence[Sequence[int]]
  right: np.ndarray
  scored_on: np.ndarray
  selection_accuracy: float


def tables_of(
  context: Context,
  choice: Choice,
  taken: Sequence[Taken],
  *,
  confidence: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
  """Returns the tables 'greedy' and 'greedy_best'.

  Args:
    context: inputs of the analysis.
    choice: models that take part.
    taken: greedy paths.
    confidence: level of all intervals.
  """
  every, best = [], []
  for group in groups(taken):
    head = _head(context, choice, group)
    chosen = [one.path.best_prefix(one.part.chosen_on) for one in group]
    scored = [
      _scored(group, [step] * len(group))
      for step in range(len(group[0].path.members))
    ]
    for step, now in enumerate(scored):
      before = scored[max(step - 1, 0)]
      every.append(
        head
        | {'step': step, 'size': step + 1}
        | _added(context, choice, group, step)
        | row_of(choice, now, confidence)
        | _gains(before, now, confidence, step)
        | _gains(scored[0], now, confidence, step, over='_over_start')
        | {'best_prefix': all(step == best for best in chosen)}
      )
    best.append(best_row(context, choice, group, chosen, confidence))
  return typed('greedy', every), typed('greedy_best', best)


def groups(taken: Sequence[Taken]) -> Iterator[list[Taken]]:
  """Yields each path alone, and then both paths of two halves together."""
  previous = None
  for one in taken:
    yield [one]
    if previous and _alike(previous) == _alike(one):
      yield [previous, one]
    previous = one


def _alike(one: Taken) -> tuple[int, str, float]:
  """Returns the key that the paths of two halves share."""
  return one.start, one.part.protocol, one.budget


def best_row(
  context: Context,
  choice: Choice,
  group: Sequence[Taken],
  steps: Sequence[int],
  confidence: float,
) -> Row:
  """Returns the columns of the best ensemble of a start.

  Args:
    context: inputs of the analysis.
    choice: models that take part.
    group: path of the start, or the paths of two halves.
    steps: number of additions on each path.
    confidence: level of all intervals.
  """
  start = _scored(group, [0] * len(group))
  final = _scored(group, steps)
  return (
    _head(context, choice, group)
    | {'size': steps[0] + 1 if len(set(steps)) == 1 else None}
    | row_of(choice, final, confidence)
    | {'start_accuracy': _accuracy(start)}
    | _gains(start, final, confidence, 1)
  )


def _head(context: Context, choice: Choice, group: Sequence[Taken]) -> Row:
  """Returns the columns of the start, the protocol and the half."""
  start, part = group[0].start, group[0].part
  return {
    'start': choice.names[start],
    'start_category': context.members[choice.index[start]].category,
    'protocol': part.protocol,
    'half': part.half if len(group) == 1 else BOTH,
  }


def _scored(group: Sequence[Taken], steps: Sequence[int]) -> Scored:
  """Scores the paths of a group after the given number of steps each."""
  right = np.zeros_like(group[0].path.right[0])
  scored_on = np.zeros_like(right)
  selected = total = 0
  for one, step in zip(group, steps):
    mine, part = one.path.right[step], one.part
    right |= mine & part.scored_on
    scored_on |= part.scored_on
    selected += int(mine[part.chosen_on].sum())
    total += int(part.chosen_on.sum())
  members = [one.path.members[: step + 1] for one, step in zip(group, steps)]
  return Scored(members, right, scored_on, share(selected, total))


def row_of(choice: Choice, scored: Scored, confidence: float) -> Row:
  """Returns an ensemble's members and accuracy as columns."""
  n = int(scored.scored_on.sum())
  correct = int(scored.right[scored.scored_on].sum())
  return {
    'members': members_text(choice.names, scored.members),
    'selection_accuracy': scored.selection_accuracy,
    **accuracy_columns(correct, n, confidence),
  }


def accuracy_columns(
  correct: int, n: int, confidence: float, prefix: str = ''
) -> Row:
  """Returns counts, accuracy and bounds; `n` only without a prefix."""
  lower, upper = stats.wilson(
    np.array(correct), np.array(n), confidence=confidence
  )
  row: Row = {
    f'{prefix}correct': correct,
    f'{prefix}accuracy': share(correct, n),
    f'{prefix}accuracy_lower': float(lower),
    f'{prefix}accuracy_upper': float(upper),
  }
  return row if prefix else {'n': n} | row


def members_text(names: Sequence[str], members: Sequence[Sequence[int]]) -> str:
  """JSON list of names; '' if the halves have different members."""
  if len({tuple(sorted(some)) for some in members}) > 1:
    return ''
  return json.dumps([names[i] for i in members[0]], ensure_ascii=False)


def typed(name: str, rows: Sequence[Row]) -> pd.DataFrame:
  """Returns a table of rows; absent columns are missing values."""
  return table_io.typed(
    name,
    {
      column: [row.get(column, '' if kind == 'str' else None) for row in rows]
      for column, kind in schemas.SCHEMAS[name].items()
    },
  )


def share(part: int, whole: int) -> float:
  """Fraction of two counts; NaN if the denominator is 0."""
  return part / whole if whole else float('nan')


def _accuracy(scored: Scored) -> float:
  counted = scored.right[scored.scored_on]
  return share(int(counted.sum()), len(counted))


def _gains(
  before: Scored, now: Scored, confidence: float, step: int, over: str = ''
) -> Row:
  """Returns the gain over `before` as columns; empty at the start itself."""
  if step == 0:
    return {}
  return gain_columns(
    paired.compare(
      before.right[now.scored_on],
      now.right[now.scored_on],
      confidence=confidence,
    ),
    over,
  )


def gain_columns(found: paired.Difference, over: str = '') -> Row:
  """Returns a difference as columns; counts and p only without `over`."""
  row: Row = {
    f'improvement{over}': float(found.estimate),
    f'improvement{over}_lower': float(found.lower),
    f'improvement{over}_upper': float(found.upper),
  }
  if over:
    return row
  return row | {
    'gained': int(found.gained),
    'lost': int(found.lost),
    'mcnemar_p': float(found.p),
  }


def _added(
  context: Context, choice: Choice, group: Sequence[Taken], step: int
) -> Row:
  """Returns the model that a step added; empty where the halves differ."""
  added = [one.path.members[step] for one in group] if step else []
  models = {choice.names[i] for i in added}
  kinds = {context.members[choice.index[i]].category for i in added}
  same = len(models) == 1
  return {
    'added': models.pop() if same else '',
    'added_category': kinds.pop() if len(kinds) == 1 else '',
    'added_accuracy': float(choice.accuracies[added[0]]) if same else None,
  }
