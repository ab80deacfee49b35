"""Exact Numba search for pairs whose highest sum is at the label.

Only whether the label wins matters. Rounding is monotonic, so with `own` a
model's score of the label and `top` its highest other score, the condition

  top_1 + top_2 < own_1 + own_2

in float32 implies that the label wins. Otherwise the top class of one of the
two models usually shows that it loses. For the few remaining pairs, only the
classes are evaluated that are strong enough in one model to beat the label
whatever their score in the other. Pairs of models whose label is clearly above
all other classes win without any evaluation.
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
from overlap.core.jit import jit_cpu

# Columns of the counts.
ONLY_1, ONLY_2, NEITHER, LOST = range(4)


class Entries(NamedTuple):
  """All pairs, sorted by each of their models.

  Attributes:
    offsets: int64 `[models + 1]`; model m has the entries from `offsets[m]` to
      `offsets[m + 1]` of the other fields. A model with itself is one entry.
    partner: index of the other model, int64.
    pair: index of the pair, int64.
    is_first: whether m is the first model of the pair, bool.
  """

  offsets: np.ndarray
  partner: np.ndarray
  pair: np.ndarray
  is_first: np.ndarray


def entries(pairs: np.ndarray, models: int) -> Entries:
  """Sorts pairs by their models.

  Args:
    pairs: indices of the two models, int `[pairs, 2]`.
    models: number of models.
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


# A label with the relative margin _CLEAR stays on top in a rounded sum. Sums of
# two scores below _LARGE do not overflow.
_CLEAR = np.float32(2.0**-21)
_LARGE = np.float32(2.0**126)
# Bounds of the rounding error of a float32 sum: twice its spacing, so that
# float64 differences of such sums are safe, and some subnormal numbers.
_SPACING, _SMALLEST = 2.0**-22, 1e-44
# Rows of a model processed in sequence, and the number of scores of all models
# that fit the processor's cache.
_TOGETHER, _NEAR = 16, 2**20
_NONE = np.int32(0x7FFFFFFF)
# Classes compared at a time in the search for strong classes.
_PART = 128
# With more candidate classes than this, evaluating all is faster.
_FEW = 32


@jit_cpu
def count(
  scores, starts, stride, classes, labels, first, last,
  given, right, pairs, logit_counts, prob_counts,
):  # fmt: skip
  """Adds the counts of rows `[first, last)`.

  Args:
    scores: scores, float32, flat; row r of model m is at
      `starts[m] + r * stride`.
    starts: offset of each model, int64 `[models]`.
    stride: distance between rows.
    classes: number of classes.
    labels: labels, int64 `[rows]`.
    first: index of the first row.
    last: index after the last row.
    given: whether `right` is an input; otherwise it is computed.
    right: correctness, bool `[models, rows]`; output unless `given`.
    pairs: pairs as `Entries`.
    logit_counts: output for sums of logits, int64 `[pairs, 4]`; `[0, 4]` for
      none.
    prob_counts: output for sums of probabilities, as `logit_counts`.
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


@jit_cpu
def _summarise(line, label):
  """Returns the label's score, the highest other score, and its class.

  Returns:
    `own, top, place`. Both scores are NaN if any score is NaN or the label is
    invalid. The place is the lowest class with the score `top`, or -1 if there
    is none or the label is clearly above all others.
  """
  if label < 0 or label >= len(line):  # An invalid label loses to all.
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


@jit_cpu
def _find(line, label, value):
  """Returns the lowest class with a value except the label's, else -1."""
  before, after = _first(line[:label], value), _first(line[label + 1 :], value)
  if before != _NONE:
    return np.int64(before)
  return np.int64(after) + label + 1 if after != _NONE else np.int64(-1)


@jit_cpu
def _first(line, value):
  found = _NONE
  # No early exit, so that the loop is vectorised.
  for c in range(len(line)):
    place = np.int32(c)
    here = place if line[c] == value else _NONE
    found = np.int32(min(found, here))
  return found


@jit_cpu
def _search(
  values, begins, classes, label, own, top, place, right,
  pairs, counts,
):  # fmt: skip
  """Counts one example for the pairs that may not be both right."""
  models = len(begins)
  # Whether a model is evaluated; pairs of two such models are counted from the
  # later one.
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
        not label_sum > -np.inf  # Minus infinity or NaN.
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
  """Returns whether a class beats the label; NaN does."""
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


@jit_cpu
def _settle(
  values, begins, classes, label, own, top, right, model, left,
  pairs, counts,
):  # fmt: skip
  """Decides the pairs of a model that neither rule decides."""
  line = values[begins[model] : begins[model] + classes]
  # A class below this score in the model cannot beat the label in any pair.
  least = np.inf
  for entry in left:
    label_sum = np.float64(own[model] + own[pairs.partner[entry]])
    highest = np.float64(top[pairs.partner[entry]])
    reach = _SPACING * (abs(label_sum) + abs(highest)) + _SMALLEST
    needed = label_sum - highest - reach
    # Infinite sums require all classes.
    least = min(least, needed if abs(needed) < np.inf else -np.inf)
  strong = np.empty(_FEW + 1, np.int64)
  # The bound `reach` also covers the rounding of this value.
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


@jit_cpu
def _collect(line, label, least, found):
  """Stores classes with scores from `least` in `found`; returns the count."""
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


@jit_cpu
def _wins(one, two, label, label_sum):
  """Returns whether the label wins, by evaluating all classes."""
  lost = np.int32(0)
  for c in range(label):
    lost |= np.int32(not one[c] + two[c] < label_sum)
  for c in range(label + 1, len(one)):
    lost |= np.int32(not one[c] + two[c] <= label_sum)
  return lost == 0
