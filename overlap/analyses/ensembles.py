"""Correctness of ensembles of two models, for many pairs at once.

The members' errors are split as in `errors`: examples that both, only model 1,
only model 2 or neither gets right. The effect of the ensemble is counted in
each part, so that

  correct = both_correct - lost
            + converted_only_1 + converted_only_2 + converted_neither

holds exactly (Sec. 4.1 and 4.2 of the paper).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses import correctness
from overlap.analyses.allpairs import engine
from overlap.analyses.allpairs.blocks import Logits
from overlap.analyses.allpairs.probabilities import softmax
from overlap.analyses.allpairs.resume import Checkpoint
from overlap.core import lookup

__all__ = [
  'METHODS',
  'EnsembleCounts',
  'Logits',
  'accuracy',
  'conversion_rate',
  'gain',
  'loss_rate',
  'neither_conversion_rate',
  'pair_ensembles',
  'softmax',
]

METHODS = {
  'logits': 'the mean of calibrated logits (A.6 of the paper)',
  'probs': 'the mean of calibrated probabilities',
}


class EnsembleCounts(NamedTuple):
  """Numbers of examples for each pair, int64 `[pairs]`.

  Attributes:
    correct: examples that the ensemble gets right.
    converted_only_1: examples that only model 1 gets right, and the ensemble.
    converted_only_2: examples that only model 2 gets right, and the ensemble.
    converted_neither: examples that neither model gets right, but the ensemble.
    lost: examples that both models get right, but not the ensemble.
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
  temperatures: Sequence[np.ndarray | None] | None = None,
  memory_mb: int = engine.MEMORY_MB,
  backend: str | None = None,
  checkpoint: Checkpoint | None = None,
) -> dict[str, EnsembleCounts]:
  """Counts what the ensembles of many pairs get right.

  The ensemble predicts the class with the highest sum of both models'
  calibrated logits or probabilities, in float32; the lowest index wins ties. An
  example is wrong if the sums contain NaN or are minus infinity for all
  classes. Probabilities are computed in float64 and rounded to float32, so that
  all backends have the same.

  Args:
    calibrated: logits divided by their temperatures, `[models, examples,
      classes]`; or one array-like `[examples, classes]` per model, read once,
      in slices of rows.
    labels: class indices `[examples]`.
    pairs: indices of models, int `[pairs, 2]`.
    methods: keys of `METHODS`.
    correct: correctness of each model alone, bool `[models, examples]`;
      computed from `calibrated` by default. (Division by a temperature can
      round two logits to the same number.)
    temperatures: temperatures of each model, float32 `[examples]`, if
      `calibrated` is not yet divided by them.
    memory_mb: memory for examples, in MiB.
    backend: a key of `engine.BACKENDS`; None for 'numba' if JAX runs on a CPU
      and 'xla' elsewhere. All return the same counts.
    checkpoint: checkpoint for resuming an interrupted pass, or None.

  Returns:
    A mapping from methods to `EnsembleCounts`.

  Raises:
    UsageError: a method or the backend is unknown.
  """
  for method in methods:
    lookup.check_choice('ensemble method', method, METHODS)
  methods = list(dict.fromkeys(methods))
  counts = engine.count(
    calibrated,
    np.asarray(labels),
    np.asarray(pairs, np.int64).reshape(-1, 2),
    methods=methods,
    correct=correct,
    temperatures=temperatures,
    memory_mb=memory_mb,
    backend=backend,
    checkpoint=checkpoint,
  )
  return {
    name: EnsembleCounts(*fields) for name, fields in zip(methods, counts)
  }


def accuracy(
  counts: correctness.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """Accuracy of the ensembles.

  Args:
    counts: counts of the pairs, `[pairs]`.
    ensemble: counts of the ensembles of the same pairs.

  Returns:
    Fractions, float64 `[pairs]`; NaN without examples.
  """
  return correctness.fraction(ensemble.correct, counts.total)


def conversion_rate(
  counts: correctness.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """Fraction of the inconsistent examples that the ensemble gets right.

  Returns:
    Fractions, float64 `[pairs]`; NaN if the models are never inconsistent.
  """
  converted = ensemble.converted_only_1 + ensemble.converted_only_2
  return correctness.fraction(converted, counts.only_1 + counts.only_2)


def neither_conversion_rate(
  counts: correctness.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """Fraction converted of the examples that neither model gets right.

  Returns:
    Fractions, float64 `[pairs]`; NaN if one of the two is always right.
  """
  return correctness.fraction(ensemble.converted_neither, counts.neither)


def loss_rate(
  counts: correctness.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """Fraction lost of the examples that both models get right.

  Returns:
    Fractions, float64 `[pairs]`; NaN if they are never both right.
  """
  return correctness.fraction(ensemble.lost, counts.both_correct)


def gain(
  counts: correctness.PairCounts, ensemble: EnsembleCounts
) -> np.ndarray:
  """Accuracy of the ensemble minus the mean of its members' (Sec. 4.1).

  Returns:
    Fractions, float64 `[pairs]`; NaN without examples.
  """
  members = counts.both_correct + (counts.only_1 + counts.only_2) / 2
  return correctness.fraction(ensemble.correct - members, counts.total)
