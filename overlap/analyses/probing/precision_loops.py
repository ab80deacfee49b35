"""Compiled loops of average precision: of resamples, and of swapped ranks.

Both find, among the ranks of the positives, the highest precision from which
recall is at least each level: precision falls between two positives, so no
other rank can have the highest. Levels are compared in integers, as
`average_precision` does.
"""

import numpy as np

from overlap.compiled import compiled

_LEVELS = 11


@compiled
def _mean_of_levels(best):
  """The mean over levels of the best precision at each or a higher one."""
  highest, total = 0.0, 0.0
  for level in range(_LEVELS - 1, -1, -1):
    highest = max(highest, best[level])
    total += highest
  return total / _LEVELS


@compiled
def resampled(order, positive, weights, result):
  """Average precision where examples count as often as weights say.

  Args:
    order: int64 `[ranked]`, examples, the first ranked first.
    positive: bool `[examples]`.
    weights: int32 `[resamples, examples]`.
    result: float64 `[resamples]`, filled; NaN without a positive.
  """
  best = np.empty(_LEVELS)
  for row in range(len(weights)):
    own = weights[row]
    total = 0
    for example in order:
      if positive[example]:
        total += own[example]
    if total == 0:
      result[row] = np.nan
      continue
    best[:] = 0
    found, seen = 0, 0
    for example in order:
      seen += own[example]
      if positive[example] and own[example] > 0:
        found += own[example]
        level = (_LEVELS - 1) * found // total
        best[level] = max(best[level], found / seen)
    result[row] = _mean_of_levels(best)


@compiled
def swapped(order_1, order_2, positive, places, swaps, result):
  """How much better system 2 ranks than 1, where examples change sides.

  An example that changes sides takes its rank in either system to the other.
  Of two that then have the same rank, the one with the lower place is first.

  Args:
    order_1: int64 `[ranked]`, examples, system 1's first ranked first.
    order_2: int64 `[ranked]`, the same examples as system 2 ranks them.
    positive: bool `[examples]`.
    places: int64 `[examples]`, to break ties.
    swaps: bool `[permutations, examples]`, who changes sides.
    result: float64 `[permutations]`, filled with the differences of average
      precision; NaN without a positive.
  """
  total = 0
  for example in order_1:
    total += positive[example]
  best = np.empty(_LEVELS)
  for row in range(len(swaps)):
    if total == 0:
      result[row] = np.nan
      continue
    swap = swaps[row]
    difference = 0.0
    for side in range(2):
      best[:] = 0
      found, seen = 0, 0
      for rank in range(len(order_1)):
        one, two = order_1[rank], order_2[rank]
        # Side 0 has system 1's rank of those that stay, and 2's of others.
        has_one = swap[one] == (side == 1)
        has_two = swap[two] == (side == 0)
        if has_one and has_two and places[two] < places[one]:
          one, two = two, one
        elif has_two and not has_one:
          one, has_one, has_two = two, True, False
        for turn in range(has_one + has_two):
          example = one if turn == 0 else two
          seen += 1
          if positive[example]:
            found += 1
            level = (_LEVELS - 1) * found // total
            best[level] = max(best[level], found / seen)
      precision = _mean_of_levels(best)
      difference += precision if side == 1 else -precision
    result[row] = difference
