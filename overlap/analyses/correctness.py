"""Joint correctness of pairs of models: counts and statistics of them.

Counts are exact, and fractions are one division of exact counts. Arrays over
pairs are `[models, models]` with model 1 along the rows.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from overlap.analyses import bits
from overlap.store import schema

# Prediction of a model without an answer, or with logits that have NaN or are
# all minus infinity.
NO_CLASS = schema.NO_CLASS


class PairCounts(NamedTuple):
  """Joint correctness of pairs as counts of examples, of any shape."""

  both_correct: np.ndarray
  only_1: np.ndarray
  only_2: np.ndarray
  neither: np.ndarray

  @property
  def total(self) -> np.ndarray:
    """Number of examples of each pair."""
    return self.both_correct + self.only_1 + self.only_2 + self.neither

  def at(self, index_1: np.ndarray, index_2: np.ndarray) -> 'PairCounts':
    """Returns the counts of pairs `[pairs]` from `[models, models]`."""
    return PairCounts(*(field[index_1, index_2] for field in self))


def correct(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """Correctness of the highest logit; the lowest index wins ties.

  A row is wrong if it has NaN or only minus infinity.

  Args:
    logits: logits `[examples, classes]`.
    labels: class indices `[examples]`.

  Returns:
    A mask, bool `[examples]`.
  """
  return right(predicted(logits), labels)


def right(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """Correctness of predicted classes; `NO_CLASS` is never correct.

  Args:
    predicted: predicted classes, int `[..., examples]`.
    labels: class indices, int `[examples]`.

  Returns:
    A mask, bool `[..., examples]`.
  """
  return (predicted == np.asarray(labels)) & (predicted != NO_CLASS)


def predicted(logits: np.ndarray) -> np.ndarray:
  """Classes with the highest logit; the lowest index wins ties.

  Args:
    logits: logits `[examples, classes]`.

  Returns:
    Classes, int32 `[examples]`; `NO_CLASS` if a row has NaN, is minus infinity
    for all classes, or is empty.
  """
  logits = np.asarray(logits)
  if not logits.shape[1]:
    return np.full(len(logits), NO_CLASS, np.int32)
  highest = logits.argmax(axis=1)
  # With NaN, `argmax` returns the index of the first NaN.
  usable = logits[np.arange(len(logits)), highest] > -np.inf
  return np.where(usable, highest, NO_CLASS).astype(np.int32)


def pair_counts(
  correct: np.ndarray, weights: np.ndarray | None = None
) -> PairCounts:
  """Joint correctness of every pair of models, as one product of bits.

  Args:
    correct: correctness, bool `[models, examples]`.
    weights: weights of the examples, `[examples]`; 1 if None. An example with
      weight 0 equals a dropped one.

  Returns:
    `PairCounts` of `[models, models]`: int64 and exact without weights and with
    integer weights (up to a total of 2**53), otherwise float64.
  """
  correct = np.asarray(correct, bool)
  if weights is None:
    both = bits.joint(bits.packed(correct))
    total = np.array(correct.shape[1], np.int64)
  else:
    both, total = _weighted_products(correct, np.asarray(weights))
  return _tables(both, total)


def _tables(both: np.ndarray, total: np.ndarray) -> PairCounts:
  """Returns all four counts from those of both right, `[models, models]`."""
  right = both.diagonal()
  only_1 = right[:, np.newaxis] - both
  only_2 = right[np.newaxis, :] - both
  return PairCounts(both, only_1, only_2, total - both - only_1 - only_2)


def pair_counts_by_class(
  correct: np.ndarray, labels: np.ndarray, classes: int
) -> Iterator[PairCounts]:
  """Joint correctness of every pair of models on each class's examples.

  Classes are yielded one at a time, because the counts of hundreds of models
  and a thousand classes would take gigabytes.

  Args:
    correct: correctness, bool `[models, examples]`.
    labels: labels, int `[examples]` in 0 ... classes - 1; examples with other
      labels are ignored.
    classes: number of classes.

  Yields:
    `PairCounts` of int64 `[models, models]` for class 0, class 1, ...; exact.
    Their sum is `pair_counts` if every example has a class.
  """
  correct = np.asarray(correct, bool)
  order = np.argsort(labels, kind='stable')
  starts = np.searchsorted(np.asarray(labels)[order], np.arange(classes + 1))
  for label in range(classes):
    rows = order[starts[label] : starts[label + 1]]
    both = bits.joint(bits.packed(correct[:, rows]))
    yield _tables(both, np.array(len(rows), np.int64))


def same_wrong(predicted: np.ndarray, correct: np.ndarray) -> np.ndarray:
  """Counts the examples on which two models predict the same wrong class.

  Args:
    predicted: predicted classes, int `[models, examples]`; `NO_CLASS`, without
      a prediction, is not the same as any other.
    correct: correctness, bool `[models, examples]`.

  Returns:
    Counts, int64 `[models, models]`.
  """
  predicted = np.asarray(predicted)
  known = predicted >= 0
  return bits.joint_alike(
    bits.packed(known & ~np.asarray(correct, bool)),
    bits.planes(np.where(known, predicted, 0)),
  )


def _weighted_products(
  correct: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  exact = weights.dtype == bool or np.issubdtype(weights.dtype, np.integer)
  kind = np.int64 if exact else np.float64
  right = correct.astype(np.float64)
  both = (right * weights.astype(np.float64)) @ right.T
  return both.astype(kind), np.asarray(weights.sum(dtype=kind))


def fraction(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
  """Returns `part / whole` as float64, NaN where the whole is 0."""
  whole = np.asarray(whole, np.float64)
  filled = np.where(whole == 0, np.nan, whole)
  return np.asarray(part, np.float64) / filled


def error_inconsistency(counts: PairCounts) -> np.ndarray:
  """Fraction of examples that exactly one model gets right (Sec. 4).

  Args:
    counts: counts of any shape.

  Returns:
    Fractions, float64 of that shape; NaN without examples.
  """
  return fraction(counts.only_1 + counts.only_2, counts.total)


def kappa(counts: PairCounts) -> np.ndarray:
  """Error consistency beyond chance (Geirhos et al. 2020, eq. 3).

  It is `(observed - expected) / (1 - expected)` with `observed` the fraction of
  examples that both or neither get right, and `expected` its value for
  independent models of the same accuracies. Written without cancellation:

    2 (both neither - only_1 only_2) / (n_1 (n - n_2) + n_2 (n - n_1)).

  Returns:
    Values, float64 of the counts' shape. NaN if the expected consistency is 1
    (both models all right, or both all wrong), where consistency beyond chance
    is undefined.
  """
  both, only_1, only_2, neither = (
    np.asarray(field, np.float64) for field in counts
  )
  right_1, right_2 = both + only_1, both + only_2
  wrong_1, wrong_2 = only_2 + neither, only_1 + neither
  return fraction(
    2 * (both * neither - only_1 * only_2),
    right_1 * wrong_2 + right_2 * wrong_1,
  )


def dominance(counts: PairCounts) -> tuple[np.ndarray, np.ndarray]:
  """Dominance probabilities (Mania et al. 2019) in both directions.

  Returns:
    P(2 correct | 1 wrong) and P(1 correct | 2 wrong), float64 of the counts'
    shape; NaN if the model in the condition is never wrong.
  """
  return (
    fraction(counts.only_2, counts.only_2 + counts.neither),
    fraction(counts.only_1, counts.only_1 + counts.neither),
  )


def accuracies(counts: PairCounts) -> tuple[np.ndarray, np.ndarray]:
  """Accuracies of model 1 and model 2, fractions."""
  return (
    fraction(counts.both_correct + counts.only_1, counts.total),
    fraction(counts.both_correct + counts.only_2, counts.total),
  )


def kappa_range(counts: PairCounts) -> tuple[np.ndarray, np.ndarray]:
  """Smallest and largest kappa possible at the models' accuracies.

  Two models of accuracies a_1 and a_2 agree on at least |a_1 + a_2 - 1| and at
  most 1 - |a_1 - a_2| of the examples (Geirhos et al. 2020, Sec. 2).

  Returns:
    Two arrays, float64 of the counts' shape; NaN where kappa is NaN.
  """
  right_1 = counts.both_correct + counts.only_1
  right_2 = counts.both_correct + counts.only_2
  total = counts.total

  def with_both(both: np.ndarray) -> np.ndarray:
    only_1, only_2 = right_1 - both, right_2 - both
    neither = total - both - only_1 - only_2
    return kappa(PairCounts(both, only_1, only_2, neither))

  return (
    with_both(np.maximum(0, right_1 + right_2 - total)),
    with_both(np.minimum(right_1, right_2)),
  )


def q_statistic(counts: PairCounts) -> np.ndarray:
  """Yule's Q of being right (Kuncheva and Whitaker 2003).

  Returns:
    `(both neither - only_1 only_2) / (both neither + only_1 only_2)`, float64
    of the counts' shape; NaN where both products are 0.
  """
  both, only_1, only_2, neither = (
    np.asarray(field, np.float64) for field in counts
  )
  alike, unlike = both * neither, only_1 * only_2
  return fraction(alike - unlike, alike + unlike)


def double_fault(counts: PairCounts) -> np.ndarray:
  """Fraction of examples that neither gets right; NaN without examples."""
  return fraction(counts.neither, counts.total)


def disagreement(counts: PairCounts, same_wrong: np.ndarray) -> np.ndarray:
  """Fraction of examples on which the predicted classes differ.

  If both are right, the classes are the same, so only examples that both get
  wrong need counting.

  Args:
    counts: counts of the pairs.
    same_wrong: counts from `same_wrong`, of the same shape.

  Returns:
    Fractions, float64 of that shape; NaN without examples.
  """
  alike = counts.both_correct + same_wrong
  return fraction(counts.total - alike, counts.total)


def agreement_when_wrong(
  counts: PairCounts, same_wrong: np.ndarray
) -> np.ndarray:
  """Fraction with the same class among examples both get wrong."""
  return fraction(same_wrong, counts.neither)
