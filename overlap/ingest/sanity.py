"""Sanity checks of ingested predictions.

Classes or rows in another order give numbers that look like any others, but
for the accuracy. Warnings are given where chance does not explain it: bounds
are those of Wilson's interval at 3.3 standard errors (one in 2,000).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_ERRORS = 3.3
# A model no further than this from chance to perfect is a poor one.
_POOR = 0.35
# So many wrong answers in common are no coincidence.
_SAME_WRONG = 10
_IMAGENET = 1000
_LOOK = (
  'look at the order of the classes (--class_names), the order of the rows '
  '(ids, --ids) and the kind of the numbers (--kind)'
)


class Tally:
  """Counts of right answers, rows in any order.

  Attributes:
    rows: how many were counted.
    right: how many of them are right.
    lower: how many would be right if the predicted class were one lower.
    higher: how many if it were one higher.
  """

  def __init__(self, labels: np.ndarray):
    """Starts with nothing counted.

    Args:
      labels: int `[examples]`, in the order of the store.
    """
    self._labels = labels
    self.rows = self.right = self.lower = self.higher = 0

  @property
  def accuracy(self) -> float:
    """The fraction that is right; NaN without rows."""
    return self.right / self.rows if self.rows else math.nan

  def add(self, start: int, predicted: np.ndarray) -> None:
    """Counts predicted classes of the examples from `start` on."""
    labels = self._labels[start : start + len(predicted)]
    off = predicted.astype(np.int64) - labels
    usable = predicted >= 0
    self.rows += len(predicted)
    self.right += int(np.count_nonzero(usable & (off == 0)))
    self.lower += int(np.count_nonzero(usable & (off == 1)))
    self.higher += int(np.count_nonzero(usable & (off == -1)))


def highest(logits: np.ndarray) -> np.ndarray:
  """The class with the highest logit, int64 `[rows]`; -1 where there is NaN."""
  if not logits.shape[1]:
    return np.full(len(logits), -1)
  best = logits.argmax(axis=1)
  unusable = np.isnan(logits[np.arange(len(logits)), best])
  return np.where(unusable, -1, best)


def doubts(
  tally: Tally, *, labels: np.ndarray, classes: int, others: Sequence[float]
) -> list[str]:
  """Warnings about a model's accuracy, one line each.

  Args:
    tally: tally of all its rows.
    labels: int `[examples]`.
    classes: how many there are.
    others: accuracies of the other models over the same examples.
  """
  background = _IMAGENET + 1
  top = int(labels.max(initial=0))
  shifted = _explains(tally.lower, tally.right)
  if classes == background and top < _IMAGENET and shifted:
    return [
      f'{background} classes and labels from 0 to {top}: class 0 may be the '
      'background class of TensorFlow’s ImageNet models. Without it '
      f'(scores[:, 1:]) accuracy is {tally.lower / tally.rows:.4f} instead of '
      f'{tally.accuracy:.4f}'
    ]
  chance = 1 / max(1, classes)
  spread = math.sqrt(chance * (1 - chance) / max(1, tally.rows))
  bound = _upper_bound(tally.right, tally.rows)
  said = f'accuracy {tally.accuracy:.4f}'
  middle = float(np.median(others)) if len(others) else math.nan
  poor = chance + _POOR * (1 - chance)
  if tally.accuracy <= chance + spread and bound < poor:
    below = 'below' if tally.accuracy < chance else 'about'
    said = f'{said} is {below} chance ({chance:.4g})'
  elif bound < middle / 2:
    said = (
      f'{said} is below half of the median of the other models ({middle:.4f})'
    )
  else:
    return []
  for count, word in ((tally.lower, 'lower'), (tally.higher, 'higher')):
    if _explains(count, tally.right):
      said += (
        f', and {count / tally.rows:.4f} if every predicted class were one '
        f'{word}'
      )
  return [f'{said}: {_LOOK}']


def same_as(
  record: Mapping[str, Any],
  others: Mapping[str, Mapping[str, Any]],
  tally: Tally,
) -> str | None:
  """The name of another model with the same predictions, or None.

  Classes alone may be the same by chance where few of them are wrong.

  Args:
    record: the model's.
    others: records of the other models, by their names.
    tally: tally of the model.
  """
  mine = _checksums(record)
  if set(mine) == {'predicted'} and tally.rows - tally.right < _SAME_WRONG:
    return None
  return next((n for n, r in others.items() if _checksums(r) == mine), None)


def _checksums(record: Mapping[str, Any]) -> dict[str, str]:
  return {
    name: entry['sha256']
    for name, entry in record['arrays'].items()
    if name in ('logits', 'predicted', 'confidence')
  }


def _explains(shifted: int, right: int) -> bool:
  return shifted > 2 * right + _ERRORS


def _upper_bound(right: int, rows: int) -> float:
  """The upper bound of Wilson's interval for a fraction."""
  if not rows:
    return 1.0
  part, square = right / rows, _ERRORS**2 / rows
  spread = math.sqrt(part * (1 - part) * square + square**2 / 4)
  return (part + square / 2 + spread) / (1 + square)
