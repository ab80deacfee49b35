"""The best subset of every size, compared with greedy selection."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from overlap.analyses.greedy import steps, subsets
from overlap.analyses.greedy.choice import Choice
from overlap.analyses.greedy.compact import Scores
from overlap.analyses.greedy.halves import BOTH, Part


def table(
  choice: Choice,
  scores: Scores,
  halves: np.ndarray,
  asked: Sequence[Part],
  *,
  max_members: int,
  confidence: float,
) -> pd.DataFrame:
  """Returns the table 'subsets'.

  Both searches use the same candidates and start from the empty set. Ties go to
  the first subset in the alphabetical order of the members.

  Args:
    choice: models that take part.
    scores: scores of these models.
    halves: half of each example, int `[examples]`, 0 or 1.
    asked: examples for choosing and for scoring.
    max_members: largest size of a subset.
    confidence: level of all intervals.
  """
  candidates = np.array(choice.candidates, np.int64)
  tree = subsets.tree(len(candidates), max_members)
  counts = subsets.count_right(
    scores, tree, halves, num_groups=2, chosen=candidates
  )
  found = [_Search(part, halves, tree, counts) for part in asked]
  rows: list[steps.Row] = []
  for place, one in enumerate(found):
    groups = [[one]]
    if place and found[place - 1].part.protocol == one.part.protocol:
      groups.append([found[place - 1], one])
    for group in groups:
      for size in range(1, int(tree.size.max(initial=0)) + 1):
        rows.append(_row(choice, tree, group, size, confidence))
  return steps.typed('subsets', rows)


class _Search:
  """The best subsets on the selection examples, with both scores."""

  def __init__(
    self,
    part: Part,
    halves: np.ndarray,
    tree: subsets.Tree,
    counts: np.ndarray,
  ):
    """Takes counts per half, int `[2, subsets]`."""
    self.part = part
    sizes = np.array([(halves == half).sum() for half in range(2)])
    chosen, scored = (
      np.array([mask[halves == half].any() for half in range(2)])
      for mask in (part.chosen_on, part.scored_on)
    )
    self.chosen, self.scored = counts[chosen].sum(0), counts[scored].sum(0)
    self.chosen_total, self.total = sizes[chosen].sum(), sizes[scored].sum()
    self.best = [
      int(np.argmax(np.where(tree.size == size, self.chosen, -1)))
      for size in range(1, int(tree.size.max(initial=0)) + 1)
    ]
    self.greedy = greedy(tree, self.chosen)


def greedy(tree: subsets.Tree, counts: np.ndarray) -> list[int]:
  """Greedy forward selection of subsets of 1, 2, ... models.

  Each subset is the best one that contains the previous subset.

  Args:
    tree: all subsets.
    counts: number of examples that each subset gets right, int `[subsets]`.
  """
  if not len(counts):
    return []
  place = {tree.members(i): i for i in range(len(counts))}
  models = [i for i in range(len(counts)) if tree.size[i] == 1]
  names = tree.last[models]
  path: list[int] = []
  members: tuple[int, ...] = ()
  for _ in range(int(tree.size.max())):
    options = [
      place[tuple(sorted((*members, model)))]
      for model in names
      if model not in members
    ]
    path.append(max(options, key=counts.__getitem__))
    members = tree.members(path[-1])
  return path


def _row(
  choice: Choice,
  tree: subsets.Tree,
  group: Sequence[_Search],
  size: int,
  confidence: float,
) -> steps.Row:
  part = group[0].part
  n = sum(int(one.total) for one in group)
  row: steps.Row = {
    'protocol': part.protocol,
    'half': part.half if len(group) == 1 else BOTH,
    'size': size,
    'subsets': int((tree.size == size).sum()),
  }
  for prefix, picks in (
    ('', [one.best[size - 1] for one in group]),
    ('greedy_', [one.greedy[size - 1] for one in group]),
  ):
    members = [
      [choice.candidates[i] for i in tree.members(pick)] for pick in picks
    ]
    right = sum(int(one.scored[i]) for one, i in zip(group, picks))
    selected = sum(int(one.chosen[i]) for one, i in zip(group, picks))
    total = sum(int(one.chosen_total) for one in group)
    row[f'{prefix}members'] = steps.members_text(choice.names, members)
    row[f'{prefix}selection_accuracy'] = steps.share(selected, total)
    row |= steps.accuracy_columns(right, n, confidence, prefix)
  return row
