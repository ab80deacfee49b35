"""What an ensemble of two models gets right, for many pairs at once.

The members' errors are split as in `errors`: examples that both, only model
1, only model 2 or neither gets right. Of each part, what the ensemble makes
of it is counted, so that

  correct = both_correct - lost
            + converted_only_1 + converted_only_2 + converted_neither

holds exactly (Sec. 4.1 and 4.2 of the paper).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap import lookup
from overlap.analyses import errors
from overlap.analyses.allpairs import engine
from overlap.analyses.allpairs.blocks import Logits
from overlap.analyses.allpairs.probabilities import softmax
from overlap.analyses.allpairs.resume import Checkpoint

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
  temperatures: Sequence[np.ndarray | None] | None = None,
  memory_mb: int = engine.MEMORY_MB,
  backend: str | None = None,
  checkpoint: Checkpoint | None = None,
) -> dict[str, EnsembleCounts]:
  """Counts what the ensembles of many pairs get right.

  The ensemble predicts the class with the highest sum of both models'
  calibrated logits or probabilities, in float32; the lowest index wins ties.
  An example on which the sums hold NaN, or on which the two rule out all
  classes by minus infinity, is wrong. Probabilities are computed
  in float64 and rounded to float32, so that all back ends have the same.

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
    temperatures: of each model, float32 `[examples]`, where `calibrated` has
      yet to be divided by them.
    memory_mb: how many MiB the examples held at once may take.
    backend: of `engine.BACKENDS`; None for 'numba' where JAX runs on a CPU
      and 'xla' elsewhere. All count the same.
    checkpoint: where counts are kept, should this be cut short.

  Returns:
    `EnsembleCounts` for each method.

  Raises:
    UsageError: no such method or back end.
  """
  for method in methods:
    lookup.check('ensemble method', method, METHODS)
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
