"""Compiled loops of average precision: resamples and permuted ranks.

Both find, among the ranks of the positives, the highest precision for each
level of recall: precision falls between two positives, so other ranks cannot
have the highest. Levels are compared in integers, as in `average_precision`.
"""

import numpy as np

from overlap.core.jit import jit_cpu

_LEVELS = 11


@jit_cpu
def _mean_of_levels(best):
  """Mean over levels of the best precision at that level or a higher one."""
  highest, total = 0.0, 0.0
  for level in range(_LEVELS - 1, -1, -1):
    highest = max(highest, best[level])
    total += highest
  return total / _LEVELS


@jit_cpu
def resampled(order, positive, weights, result):
  """Computes average precision with each example repeated by its weight.

  Args:
    order: examples, best rank first, int64 `[ranked]`.
    positive: whether each example is positive, bool `[examples]`.
    weights: number of repetitions, int32 `[resamples, examples]`.
    result: output, float64 `[resamples]`; NaN without a positive.
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


@jit_cpu
def swapped(order_1, order_2, positive, places, swaps, result):
  """Computes gains of system 2 over system 1 with examples swapped.

  A swapped example takes its rank in either system to the other system. If two
  examples then have the same rank, the one with the lower place is first.

  Args:
    order_1: examples by their rank in system 1, int64 `[ranked]`.
    order_2: the same examples by their rank in system 2, int64 `[ranked]`.
    positive: whether each example is positive, bool `[examples]`.
    places: unique places that break ties, int64 `[examples]`.
    swaps: whether each example is swapped, bool `[permutations, examples]`.
    result: output, differences of average precision, float64 `[permutations]`;
      NaN without a positive.
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
        # Side 0 has unswapped ranks of system 1 and swapped ones of system 2.
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
