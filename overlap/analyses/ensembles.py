"""What an ensemble of two models gets right, for many pairs at once.

The members' errors are split as in `errors`: examples that both, only model
1, only model 2 or neither gets right. Of each part, what the ensemble makes
of it is counted, so that

  correct = both_correct - lost
            + converted_only_1 + converted_only_2 + converted_neither

holds exactly (Sec. 4.1 and 4.2 of the paper).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from overlap import lookup
from overlap.analyses import errors

METHODS = {
  'logits': 'the mean of calibrated logits (A.6 of the paper)',
  'probs': 'the mean of calibrated probabilities',
}

# Logits of all models that are held at once: 256 MB in float32.
_HELD = 2**26
# Logits of one sum: it stays in a processor's cache.
_SUM = 2**16


class Logits(Protocol):
  """`[examples, classes]`, of which only slices of rows are read."""

  @property
  def shape(self) -> tuple[int, ...]: ...

  def __getitem__(self, rows: slice) -> np.ndarray: ...


class EnsembleCounts(NamedTuple):
  """Counts of examples for each pair, int64 `[pairs]`.

  Attributes:
    correct: that the ensemble gets right.
    converted_only_1: of those that only model 1 gets right, how many the
      ensemble gets right.
    converted_only_2: the same for model 2.
    converted_neither: of those that neither gets right.
    lost: of those that both get right, how many it gets wrong.
  """

  correct: np.ndarray
  converted_only_1: np.ndarray
  converted_only_2: np.ndarray
  converted_neither: np.ndarray
  lost: np.ndarray


def pair_ensembles(
  calibrated: Sequence[Logits] | np.ndarray,
  labels: np.ndarray,
  pairs: Sequence[tuple[int, int]] | np.ndarray,
  *,
  methods: Sequence[str] = ('logits', 'probs'),
  correct: np.ndarray | None = None,
) -> dict[str, EnsembleCounts]:
  """Counts what the ensembles of many pairs get right.

  The ensemble predicts the class with the highest sum of both models'
  calibrated logits or probabilities, in float32; the lowest index wins ties.
  An example on which the sums hold NaN is wrong.

  Args:
    calibrated: `[models, examples, classes]`, logits divided by their
      temperatures; or one array-like `[examples, classes]` a model, read
      once, in slices of rows.
    labels: `[examples]` class indices.
    pairs: int `[pairs, 2]`, indices of models.
    methods: keys of `METHODS`.
    correct: bool `[models, examples]`, which examples each model alone gets
      right; by default, told from `calibrated`. (Division by a temperature
      can round two logits to the same number.)

  Returns:
    `EnsembleCounts` for each method.

  Raises:
    UsageError: no such method.
  """
  for method in methods:
    lookup.check('ensemble method', method, METHODS)
  pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
  labels = np.asarray(labels)
  counts = {name: np.zeros((5, len(pairs)), np.int64) for name in methods}
  used, places = np.unique(pairs, return_inverse=True)
  index = places.reshape(-1, 2)
  for rows, block in _blocks([calibrated[i] for i in used], len(labels)):
    if correct is None:
      right = np.stack([errors.correct(m, labels[rows]) for m in block])
    else:
      right = np.asarray(correct)[used, rows]
    for name in methods:
      scores = softmax(block) if name == 'probs' else block
      wins = _wins(scores, labels[rows], index)
      counts[name] += _count(wins, right[index[:, 0]], right[index[:, 1]])
  return {name: EnsembleCounts(*values) for name, values in counts.items()}


def softmax(logits: np.ndarray) -> np.ndarray:
  """Probabilities over the last axis, in the logits' own precision.

  Args:
    logits: `[..., classes]`.

  Returns:
    Of the same shape; NaN where a row holds NaN or +inf, or only -inf.
  """
  # Infinity less itself is NaN, which is what it shall be.
  with np.errstate(invalid='ignore'):
    result = np.exp(logits - logits.max(axis=-1, keepdims=True))
  result /= result.sum(axis=-1, keepdims=True)
  return result


def _blocks(
  members: Sequence[Logits], examples: int
) -> Iterator[tuple[slice, np.ndarray]]:
  """Yields slices of rows, and all members' `[models, rows, classes]`."""
  if not members or not examples:
    return
  fitting = max(1, _HELD // (len(members) * members[0].shape[1]))
  # A power of two, so that blocks tend to end where the store's chunks do.
  step = 1 << (fitting.bit_length() - 1)
  for start in range(0, examples, step):
    rows = slice(start, min(start + step, examples))
    yield rows, np.stack([np.asarray(m[rows], np.float32) for m in members])


def _wins(
  scores: np.ndarray, labels: np.ndarray, index: np.ndarray
) -> np.ndarray:
  """Where the highest sum of two models' scores is the label's.

  Args:
    scores: `[models, rows, classes]`.
    labels: `[rows]`.
    index: int `[pairs, 2]`.

  Returns:
    bool `[pairs, rows]`.
  """
  _, total, classes = scores.shape
  step = max(1, _SUM // classes)
  result = np.empty((len(index), total), bool)
  summed = np.empty((step, classes), scores.dtype)
  for start in range(0, total, step):
    rows = slice(start, min(start + step, total))
    buffer = summed[: rows.stop - start]
    for pair, (one, two) in enumerate(index):
      with np.errstate(invalid='ignore', over='ignore'):
        np.add(scores[one, rows], scores[two, rows], out=buffer)
      result[pair, rows] = errors.correct(buffer, labels[rows])
  return result


def _count(
  wins: np.ndarray, right_1: np.ndarray, right_2: np.ndarray
) -> np.ndarray:
  """Counts over the rows of bool `[pairs, rows]`, as `EnsembleCounts`."""
  parts = (
    wins,
    wins & right_1 & ~right_2,
    wins & ~right_1 & right_2,
    wins & ~(right_1 | right_2),
    ~wins & right_1 & right_2,
  )
  return np.stack([part.sum(axis=1, dtype=np.int64) for part in parts])


def accuracy(counts: errors.PairCounts, ensemble: EnsembleCounts) -> np.ndarray:
  """The ensemble's accuracy.

  Args:
    counts: of the pairs, `[pairs]`.
    ensemble: of the same pairs.

  Returns:
    float64 `[pairs]`, a fraction, NaN without examples.
  """
  return errors.fraction(ensemble.correct, counts.total)


def conversion_rate(
  counts: errors.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """The share of the inconsistent examples that the ensemble gets right.

  Returns:
    float64 `[pairs]`, NaN where the models are never inconsistent.
  """
  converted = ensemble.converted_only_1 + ensemble.converted_only_2
  return errors.fraction(converted, counts.only_1 + counts.only_2)


def neither_conversion_rate(
  counts: errors.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """The share of what neither model gets right that the ensemble does.

  Returns:
    float64 `[pairs]`, NaN where one of the two is always right.
  """
  return errors.fraction(ensemble.converted_neither, counts.neither)


def loss_rate(
  counts: errors.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """The share of what both models get right that the ensemble gets wrong.

  Returns:
    float64 `[pairs]`, NaN where they are never both right.
  """
  return errors.fraction(ensemble.lost, counts.both_correct)


def gain(counts: errors.PairCounts, ensemble: EnsembleCounts) -> np.ndarray:
  """The ensemble's accuracy less the mean of its two members' (Sec. 4.1).

  Returns:
    float64 `[pairs]`, a fraction, NaN without examples.
  """
  members = counts.both_correct + (counts.only_1 + counts.only_2) / 2
  return errors.fraction(ensemble.correct - members, counts.total)
