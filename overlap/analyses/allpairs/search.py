"""Exact search for the pairs whose sum is highest at the label, by Numba.

Of a pair only whether the label wins is asked. Rounded sums keep the order of
what is summed, so with `own` a model's score of the label and `top` its
highest other score

  top_1 + top_2 < own_1 + own_2

in float32 settles that the label wins. If not, the class that one of the two
ranks highest mostly settles that it loses. For the few pairs left, the classes
are looked at that are strong enough in one model to beat the label, whatever
the other model says of them. Models whose own label stands clear of all
other classes win together and are not looked at.
"""

from typing import NamedTuple

import numba
import numpy as np

from overlap.analyses.allpairs.probabilities import (
  INFINITE,
  as_float,
  extremes,
  softmax_line,
)
from overlap.compiled import compiled

# Columns of the counts.
ONLY_1, ONLY_2, NEITHER, LOST = range(4)


class Entries(NamedTuple):
  """Every pair as each of its models sees it.

  Attributes:
    offsets: int64 `[models + 1]`; model m has the entries from `offsets[m]`
      to `offsets[m + 1]` of what follows. A model with itself is one entry.
    partner: int64, the other model.
    pair: int64, the index of the pair.
    is_first: bool, whether m is the first of the pair.
  """

  offsets: np.ndarray
  partner: np.ndarray
  pair: np.ndarray
  is_first: np.ndarray


def entries(pairs: np.ndarray, models: int) -> Entries:
  """Sorts pairs by their models.

  Args:
    pairs: int `[pairs, 2]`.
    models: how many there are.
  """
  pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
  index, other = np.arange(len(pairs)), pairs[:, 0] != pairs[:, 1]
  model = np.r_[pairs[:, 0], pairs[other, 1]]
  order = np.argsort(model, kind='stable')
  return Entries(
    np.searchsorted(model[order], np.arange(models + 1)).astype(np.int64),
    np.r_[pairs[:, 1], pairs[other, 0]][order],
    np.r_[index, index[other]][order],
    (np.arange(len(model)) < len(pairs))[order],
  )


# A label this far above the others, relative to itself, still is after a sum
# is rounded; and no sum of two smaller ones overflows.
_CLEAR = np.float32(2.0**-21)
_LARGE = np.float32(2.0**126)
# What rounding may do to a float32 sum: twice its spacing, so that float64
# differences of such sums need no care; and some of the smallest numbers.
_SPACING, _SMALLEST = 2.0**-22, 1e-44
# Rows of a model that are read one after the other, and how many scores of
# all models stay in a processor's cache.
_TOGETHER, _NEAR = 16, 2**20
_NONE = np.int32(0x7FFFFFFF)
# Classes that are looked at together for a strong one.
_PART = 128
# With more classes to look at than this, looking at all is faster.
_FEW = 32


@compiled
def count(
  scores, starts, stride, classes, labels, first, last,
  given, right, pairs, logit_counts, prob_counts,
):  # fmt: skip
  """Adds what pairs get right in rows `[first, last)`.

  Args:
    scores: float32, flat; model m has row r at `starts[m] + r * stride`.
    starts: int64 `[models]`.
    stride: from one row to the next.
    classes: how many there are.
    labels: int64 `[rows]`.
    first: row.
    last: the row after the last.
    given: whether `right` is, or is to be told from the scores.
    right: bool `[models, rows]`, filled in unless given.
    pairs: `Entries`.
    logit_counts: int64 `[pairs, 4]`, for sums of logits; `[0, 4]` for none.
    prob_counts: the same for sums of probabilities.
  """
  models = len(starts)
  logits_too, probs_too = len(logit_counts) > 0, len(prob_counts) > 0
  prob_tile = np.empty(models * classes if probs_too else 0, np.float32)
  tile_starts = np.arange(models) * classes
  room = np.empty(classes if probs_too else 0, np.float64)
  together = min(_TOGETHER, max(1, _NEAR // max(1, models * classes)))
  own = np.empty((together, models), np.float32)
  top = np.empty((together, models), np.float32)
  place = np.empty((together, models), np.int64)
  right_now = np.empty(models, np.bool_)
  for start in range(first, last, together):
    stop = min(start + together, last)
    if logits_too or not given:
      for m in range(models):
        for row in range(start, stop):
          begin, i = starts[m] + row * stride, row - start
          own[i, m], top[i, m], place[i, m] = _summarise(
            scores[begin : begin + classes], labels[row]
          )
          if not given:
            right[m, row] = own[i, m] > top[i, m] or (
              own[i, m] == top[i, m]
              and own[i, m] > -np.inf
              and not 0 <= place[i, m] < labels[row]
            )
    for row in range(start, stop):
      label, i = labels[row], row - start
      for m in range(models):
        right_now[m] = right[m, row]
      begins = starts + row * stride
      if logits_too:
        _search(
          scores, begins, classes, label, own[i], top[i], place[i], right_now,
          pairs, logit_counts,
        )  # fmt: skip
      if probs_too:
        for m in range(models):
          line = prob_tile[m * classes : (m + 1) * classes]
          softmax_line(scores[begins[m] : begins[m] + classes], room, line)
          own[i, m], top[i, m], place[i, m] = _summarise(line, label)
        _search(
          prob_tile, tile_starts, classes, label, own[i], top[i], place[i],
          right_now, pairs, prob_counts,
        )  # fmt: skip


@compiled
def _summarise(line, label):
  """The label's score, the highest other one, and its class.

  Returns:
    `own, top, place`. NaN twice where any is NaN, or the label is no class.
    The place is that of the lowest such class, -1 without one or where the
    label is clear of all.
  """
  if label < 0 or label >= len(line):  # No class: it loses to all.
    return np.float32(np.nan), np.float32(np.nan), -1
  bits = line.view(np.int32)
  low, low_size = extremes(bits[:label])
  high, high_size = extremes(bits[label + 1 :])
  own = line[label]
  if max(low_size, high_size) > INFINITE or own != own:
    return np.float32(np.nan), np.float32(np.nan), -1
  top = as_float(max(low, high))
  if abs(own) < _LARGE and top < own - _CLEAR * abs(own):
    return own, top, -1
  return own, top, _find(line, label, top)


@compiled
def _find(line, label, value):
  """The lowest class but the label's with a score, -1 without one."""
  before, after = _first(line[:label], value), _first(line[label + 1 :], value)
  if before != _NONE:
    return np.int64(before)
  return np.int64(after) + label + 1 if after != _NONE else np.int64(-1)


@compiled
def _first(line, value):
  found = _NONE
  # To the end, where it is found early too: such loops are vectorised.
  for c in range(len(line)):
    place = np.int32(c)
    here = place if line[c] == value else _NONE
    found = np.int32(min(found, here))
  return found


@compiled
def _search(
  values, begins, classes, label, own, top, place, right,
  pairs, counts,
):  # fmt: skip
  """Counts one example, for the pairs that could be other than both right."""
  models = len(begins)
  # Whether a model is looked at: what is looked at from both sides of a pair
  # is counted from the later one.
  unclear = np.empty(models, np.bool_)
  for m in range(models):
    unclear[m] = (
      not right[m]
      or place[m] >= 0
      or not (abs(own[m]) < _LARGE and top[m] < own[m])
    )
  most = 0
  for m in range(models):
    most = max(most, pairs.offsets[m + 1] - pairs.offsets[m])
  left = np.empty(most, np.int64)
  for m in range(models):
    if not unclear[m]:
      continue
    base, mine, best, strong = begins[m], own[m], top[m], place[m]
    num_left = 0
    for entry in range(pairs.offsets[m], pairs.offsets[m + 1]):
      other = pairs.partner[entry]
      if unclear[other] and other > m:
        continue
      label_sum = mine + own[other]
      if best + top[other] < label_sum:
        wins = True
      elif (
        not label_sum > -np.inf  # Ruled out, or NaN.
        or (strong >= 0 and _beats(
          best + values[begins[other] + strong], strong, label_sum, label))
        or (place[other] >= 0 and _beats(
          values[base + place[other]] + top[other], place[other], label_sum,
          label))
      ):  # fmt: skip
        wins = False
      else:
        left[num_left] = entry
        num_left += 1
        continue
      _add(m, entry, wins, right, pairs, counts)
    if num_left:
      _settle(
        values, begins, classes, label, own, top, right, m, left[:num_left],
        pairs, counts,
      )  # fmt: skip


@numba.njit(inline='always')
def _beats(score, place, label_sum, label):
  """Whether a class beats the label, which NaN does."""
  if place < label:
    return not score < label_sum
  return not score <= label_sum


@numba.njit(inline='always')
def _add(model, entry, wins, right, pairs, counts):
  pair, other = pairs.pair[entry], pairs.partner[entry]
  if right[model] and right[other]:
    if not wins:
      counts[pair, LOST] += 1
  elif wins:
    if not (right[model] or right[other]):
      counts[pair, NEITHER] += 1
    elif right[model] == pairs.is_first[entry]:
      counts[pair, ONLY_1] += 1
    else:
      counts[pair, ONLY_2] += 1


@compiled
def _settle(
  values, begins, classes, label, own, top, right, model, left,
  pairs, counts,
):  # fmt: skip
  """Settles the pairs of a model that neither rule has."""
  line = values[begins[model] : begins[model] + classes]
  # A class below this in the model beats no label, whatever the others say.
  least = np.inf
  for entry in left:
    label_sum = np.float64(own[model] + own[pairs.partner[entry]])
    highest = np.float64(top[pairs.partner[entry]])
    reach = _SPACING * (abs(label_sum) + abs(highest)) + _SMALLEST
    needed = label_sum - highest - reach
    # Infinite sums are looked at whole.
    least = min(least, needed if abs(needed) < np.inf else -np.inf)
  strong = np.empty(_FEW + 1, np.int64)
  # The reach is wide enough for this to be rounded.
  found = _collect(line, label, np.float32(least), strong)
  for entry in left:
    other = pairs.partner[entry]
    label_sum = own[model] + own[other]
    begin = begins[other]
    if found > _FEW:
      wins = _wins(line, values[begin : begin + classes], label, label_sum)
    else:
      wins = True
      for c in strong[:found]:
        if _beats(line[c] + values[begin + c], c, label_sum, label):
          wins = False
          break
    _add(model, entry, wins, right, pairs, counts)


@compiled
def _collect(line, label, least, found):
  """Puts the classes from `least` up into `found`; how many, or too many."""
  count = 0
  for start in range(0, len(line), _PART):
    part = line[start : min(start + _PART, len(line))]
    any_found = False
    for c in range(len(part)):
      any_found |= part[c] >= least
    if any_found:
      for c in range(len(part)):
        if part[c] >= least and start + c != label:
          if count == len(found) - 1:
            return len(found)
          found[count] = start + c
          count += 1
  return count


@compiled
def _wins(one, two, label, label_sum):
  """Whether no class beats the label, by looking at all."""
  lost = np.int32(0)
  for c in range(label):
    lost |= np.int32(not one[c] + two[c] < label_sum)
  for c in range(label + 1, len(one)):
    lost |= np.int32(not one[c] + two[c] <= label_sum)
  return lost == 0
