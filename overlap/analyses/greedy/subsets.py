"""Exact search for the best ensemble of every size."""

import math
from typing import NamedTuple

import numpy as np

from overlap.analyses.greedy.compact import Compact, Scores
from overlap.core import errors
from overlap.core.jit import jit_cpu

# All subsets of twelve models, and small subsets of more models.
MOST = 2**13


class Tree(NamedTuple):
  """All subsets in depth-first order, each after the subset it extends.

  Attributes:
    last: model with the highest index in each subset, int64 `[subsets]`.
    size: number of models of each subset, int64 `[subsets]`.
    end: position of the next subset that does not contain this one, int64
      `[subsets]`.
  """

  last: np.ndarray
  size: np.ndarray
  end: np.ndarray

  def members(self, subset: int) -> tuple[int, ...]:
    """Returns the models of a subset in ascending order."""
    found = [int(self.last[subset])]
    wanted = self.size[subset] - 1
    while wanted:
      subset -= 1
      if self.size[subset] == wanted:
        found.insert(0, int(self.last[subset]))
        wanted -= 1
    return tuple(found)


def count(models: int, max_members: int) -> int:
  """Number of subsets of 1 to `max_members` of the models."""
  sizes = range(1, min(models, max_members) + 1)
  return sum(math.comb(models, size) for size in sizes)


def check_subset_count(models: int, max_members: int) -> None:
  """Raises UsageError if there are too many subsets to search."""
  total = count(models, max_members)
  if total > MOST:
    raise errors.UsageError(
      f'An exact search may look at {MOST:,} subsets, got {total:,} of up to '
      f'{max_members} of {models} models: name at most 12 in '
      'greedy.candidates, or lower greedy.max_members.'
    )


def tree(models: int, max_members: int) -> Tree:
  """Returns all subsets of 1 to `max_members` of the models.

  Raises:
    UsageError: there are more than `MOST` subsets.
  """
  check_subset_count(models, max_members)
  last: list[int] = []
  size: list[int] = []
  end: list[int] = []

  def grow(first: int, depth: int) -> None:
    for model in range(first, models):
      place = len(last)
      last.append(model)
      size.append(depth)
      end.append(0)
      if depth < max_members:
        grow(model + 1, depth + 1)
      end[place] = len(last)

  if max_members > 0:
    grow(0, 1)
  return Tree(*(np.array(field, np.int64) for field in (last, size, end)))


def count_right(
  scores: Scores,
  subsets: Tree,
  groups: np.ndarray,
  *,
  num_groups: int,
  chosen: np.ndarray | None = None,
) -> np.ndarray:
  """Counts, exactly, the examples of each group that each subset gets right.

  A subset predicts the class with the highest sum of its members' scores, in
  float32, in the order of the models; the lowest index wins ties. NaN is wrong,
  and so is a label with a score of minus infinity. Once no further member can
  change whether the label wins, larger subsets of that branch are not searched.

  Args:
    scores: scores of the models.
    subsets: subsets of these models.
    groups: group of each example, int `[examples]` in 0 ... num_groups - 1.
    num_groups: number of groups.
    chosen: models that the subsets index, int `[models of subsets]`; all by
      default.

  Returns:
    Counts, int64 `[num_groups, subsets]`.
  """
  slack = scores.models * 2.0**-21
  groups = np.asarray(groups, np.int64)
  models = np.arange(scores.models) if chosen is None else np.asarray(chosen)

  def search(rows: slice, block: Compact) -> np.ndarray:
    return _search(*block, *subsets, models, slack, groups[rows], num_groups)

  changes = np.zeros((num_groups, len(subsets.last) + 1), np.int64)
  for _, found in scores.map(search, what='exact search'):
    changes += found
  return np.cumsum(changes, axis=1)[:, :-1]


@jit_cpu
def _search(
  own, offsets, lower, scores, last, size, end, chosen, slack, groups, many
):
  """Counts correct rows per subset, as differences from the previous subset.

  Returns:
    int64 `[groups, subsets + 1]`.
  """
  rows, stored = own.shape
  models, total = len(chosen), len(last)
  changes = np.zeros((many, total + 1), np.int64)
  deepest = size.max() + 1
  for row in range(rows):
    first = offsets[row] * stored
    classes = offsets[row + 1] - offsets[row]
    block = scores[first : first + classes * stored].reshape(stored, classes)
    sums = np.zeros((deepest, classes), np.float32)
    label = np.zeros(deepest, np.float32)
    # Bounds of what models from j on can add for a class and against it.
    above = np.zeros((models + 1, classes), np.float64)
    below = np.zeros((models + 1, classes), np.float64)
    doubt = np.zeros(classes, np.float64)
    sound = True
    for j in range(models - 1, -1, -1):
      mine = np.float64(own[row, chosen[j]])
      sound &= mine > -np.inf  # False for NaN.
      for c in range(classes):
        lead = np.float64(block[chosen[j], c]) - mine
        above[j, c] = above[j + 1, c] + (0.0 if lead < 0 else lead)
        below[j, c] = below[j + 1, c] - (0.0 if lead > 0 else lead)
        doubt[c] += slack * (abs(np.float64(block[chosen[j], c])) + abs(mine))
    node = 0
    while node < total:
      model, depth = last[node], size[node]
      added = block[chosen[model]]
      label[depth] = own[row, chosen[model]]
      sums[depth] = added
      if depth > 1:
        label[depth] += label[depth - 1]
        for c in range(classes):
          sums[depth, c] += sums[depth - 1, c]
      mine = label[depth]
      right, safe, hopeless = mine > -np.inf, sound, False
      for c in range(classes):
        other = sums[depth, c]
        if c < lower[row]:
          right &= other < mine
        else:
          right &= other <= mine
        lead = np.float64(other) - np.float64(mine)
        safe &= lead + above[model + 1, c] + doubt[c] < 0
        hopeless |= lead - below[model + 1, c] - doubt[c] > 0
      # Skip the whole subtree if it is decided.
      decided = (right and safe) or hopeless
      after = end[node] if decided else node + 1
      if right:
        changes[groups[row], node] += 1
        changes[groups[row], after] -= 1
      node = after
  return changes
