"""Which examples two models get right: counts, and what follows from them.

Every count is exact, every fraction is one division of exact counts, and
every array over pairs is `[models, models]` with model 1 along the rows.
"""

from typing import NamedTuple

import numpy as np

# Sums of this many ones are exact in float32, whose products are fast.
_EXACT_FLOAT32 = 2**22


class PairCounts(NamedTuple):
  """Joint correctness of pairs, as counts of examples; any one shape."""

  both_correct: np.ndarray
  only_1: np.ndarray
  only_2: np.ndarray
  neither: np.ndarray

  @property
  def total(self) -> np.ndarray:
    """The number of examples of each pair."""
    return self.both_correct + self.only_1 + self.only_2 + self.neither

  def at(self, index_1: np.ndarray, index_2: np.ndarray) -> 'PairCounts':
    """The counts of listed pairs `[pairs]` out of `[models, models]`."""
    return PairCounts(*(field[index_1, index_2] for field in self))


def correct(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """Whether the highest logit is the label's; the lowest index wins ties.

  A row that holds NaN is wrong, whatever its label.

  Args:
    logits: `[examples, classes]`.
    labels: `[examples]` class indices.

  Returns:
    bool `[examples]`.
  """
  logits = np.asarray(logits)
  if not logits.shape[1]:
    return np.zeros(len(logits), bool)
  highest = logits.argmax(axis=1)
  # Where there is NaN, `argmax` is the index of the first.
  usable = ~np.isnan(logits[np.arange(len(logits)), highest])
  return (highest == np.asarray(labels)) & usable


def pair_counts(
  correct: np.ndarray, weights: np.ndarray | None = None
) -> PairCounts:
  """Joint correctness of every pair of models, as matrix products.

  Args:
    correct: bool `[models, examples]`.
    weights: `[examples]`, how often each example counts; 1 if None. A masked
      example (weight 0) equals a dropped one.

  Returns:
    `PairCounts` of `[models, models]`: int64 and exact without weights and
    with integer ones (up to a total of 2**53), float64 with others.
  """
  correct = np.asarray(correct, bool)
  if weights is None:
    both, total = _products(correct), np.array(correct.shape[1], np.int64)
  else:
    both, total = _weighted_products(correct, np.asarray(weights))
  right = both.diagonal()
  only_1 = right[:, np.newaxis] - both
  only_2 = right[np.newaxis, :] - both
  return PairCounts(both, only_1, only_2, total - both - only_1 - only_2)


def _products(correct: np.ndarray) -> np.ndarray:
  both = np.zeros((len(correct), len(correct)), np.int64)
  for start in range(0, correct.shape[1], _EXACT_FLOAT32):
    block = correct[:, start : start + _EXACT_FLOAT32].astype(np.float32)
    both += (block @ block.T).astype(np.int64)
  return both


def _weighted_products(
  correct: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  exact = weights.dtype == bool or np.issubdtype(weights.dtype, np.integer)
  kind = np.int64 if exact else np.float64
  right = correct.astype(np.float64)
  both = (right * weights.astype(np.float64)) @ right.T
  return both.astype(kind), np.asarray(weights.sum(dtype=kind))


def fraction(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
  """`part / whole` as float64, NaN where the whole is 0."""
  whole = np.asarray(whole, np.float64)
  filled = np.where(whole == 0, np.nan, whole)
  return np.asarray(part, np.float64) / filled


def error_inconsistency(counts: PairCounts) -> np.ndarray:
  """The share of examples that exactly one model gets right (Sec. 4).

  Args:
    counts: of any one shape.

  Returns:
    float64 of that shape; NaN without examples.
  """
  return fraction(counts.only_1 + counts.only_2, counts.total)


def kappa(counts: PairCounts) -> np.ndarray:
  """Error consistency beyond chance (Geirhos et al. 2020, eq. 3).

  `(observed - expected) / (1 - expected)` with `observed` the share of
  examples that both or neither get right, and `expected` what independent
  models of the same accuracies would have, written without cancellation as

    2 (both neither - only_1 only_2) / (n_1 (n - n_2) + n_2 (n - n_1)).

  Returns:
    float64 of the counts' shape. NaN where the expected consistency is 1
    (both models all right, or both all wrong): consistency beyond chance has
    no meaning there, and is not 1.
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
  """Dominance probabilities (Mania et al. 2019), both ways.

  Returns:
    P(2 correct | 1 wrong) and P(1 correct | 2 wrong), float64 of the counts'
    shape; NaN where the model on the right of the bar is never wrong.
  """
  return (
    fraction(counts.only_2, counts.only_2 + counts.neither),
    fraction(counts.only_1, counts.only_1 + counts.neither),
  )


def accuracies(counts: PairCounts) -> tuple[np.ndarray, np.ndarray]:
  """The accuracies of model 1 and model 2, as fractions."""
  return (
    fraction(counts.both_correct + counts.only_1, counts.total),
    fraction(counts.both_correct + counts.only_2, counts.total),
  )
