"""The best ensembles of every size, found by looking at all of them."""

import math
from typing import NamedTuple

import numpy as np

from overlap import errors
from overlap.analyses.greedy.compact import Compact, Scores
from overlap.compiled import compiled

# All subsets of twelve models, and room for small ones of more.
MOST = 2**13


class Tree(NamedTuple):
  """All subsets, each after the one that it adds a model to.

  Attributes:
    last: int64 `[subsets]`, the model that is added: the highest of them.
    size: int64 `[subsets]`, how many models.
    end: int64 `[subsets]`, the next subset that this one is no part of.
  """

  last: np.ndarray
  size: np.ndarray
  end: np.ndarray

  def members(self, subset: int) -> tuple[int, ...]:
    """The models of a subset, ascending."""
    found = [int(self.last[subset])]
    wanted = self.size[subset] - 1
    while wanted:
      subset -= 1
      if self.size[subset] == wanted:
        found.insert(0, int(self.last[subset]))
        wanted -= 1
    return tuple(found)


def count(models: int, max_members: int) -> int:
  """How many subsets of 1 to `max_members` of the models there are."""
  sizes = range(1, min(models, max_members) + 1)
  return sum(math.comb(models, size) for size in sizes)


def check(models: int, max_members: int) -> None:
  """Raises UsageError where there are too many subsets to look at."""
  total = count(models, max_members)
  if total > MOST:
    raise errors.UsageError(
      f'An exact search may look at {MOST:,} subsets, got {total:,} of up to '
      f'{max_members} of {models} models: name at most 12 in '
      'greedy.candidates, or lower greedy.max_members.'
    )


def tree(models: int, max_members: int) -> Tree:
  """All subsets of 1 to `max_members` of the models.

  Raises:
    UsageError: there are too many.
  """
  check(models, max_members)
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
  """How many examples of each group every subset gets right, exactly.

  A subset predicts the class with the highest sum of its members' scores, in
  float32, in the order of the models; the lowest index wins ties. NaN is wrong,
  and so is a label that minus infinity rules out. Where the label leads so far,
  or lags so far behind, that no further member can change it, the subsets that
  hold this one are not looked at.

  Args:
    scores: of the models.
    subsets: of these models.
    groups: int `[examples]` in 0 ... num_groups - 1.
    num_groups: how many groups.
    chosen: which models the subsets are of, int `[models of subsets]`; all by
      default.

  Returns:
    int64 `[num_groups, subsets]`.
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


@compiled
def _search(
  own, offsets, lower, scores, last, size, end, chosen, slack, groups, many
):
  """How many rows each subset gets right, less than the one before it.

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
    # What models from j on can add for a class, and against it.
    above = np.zeros((models + 1, classes), np.float64)
    below = np.zeros((models + 1, classes), np.float64)
    doubt = np.zeros(classes, np.float64)
    sound = True
    for j in range(models - 1, -1, -1):
      mine = np.float64(own[row, chosen[j]])
      sound &= mine > -np.inf  # Which NaN is not.
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
      # The whole subtree, or this subset alone.
      decided = (right and safe) or hopeless
      after = end[node] if decided else node + 1
      if right:
        changes[groups[row], node] += 1
        changes[groups[row], after] -= 1
      node = after
  return changes
