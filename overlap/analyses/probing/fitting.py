"""Fits and scores a probe on a subset of dimensions.

The protocol follows Sec. 4.6 and A.5: the L2 strength is chosen on held-out
examples, the probe is refitted on training and held-out examples, and the test
split is predicted once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses import correctness
from overlap.analyses.probing.features import Dimensions, Splits
from overlap.analyses.probing.options import Probing
from overlap.analyses.probing.transfer_options import Transfer
from overlap.probes import selection


class Result(NamedTuple):
  """Test predictions and fit of a probe.

  Attributes:
    correct: correctness on the test split, bool `[examples]`.
    width: number of features.
    l2: chosen strength.
    heldout_accuracy: accuracy with this strength, before the refit.
    converged: whether the refit converged.
  """

  correct: np.ndarray
  width: int
  l2: float
  heldout_accuracy: float
  converged: bool


def strengths(options: Probing | Transfer) -> tuple[float, ...]:
  """Values of L2, evenly spaced in the logarithm."""
  grid = np.geomspace(options.weakest, options.strongest, options.strengths)
  return tuple(float(l2) for l2 in grid)


def choose(
  splits: Splits,
  parts: Sequence[Dimensions],
  options: Probing,
  num_classes: int,
) -> selection.Selection:
  """Selects the strength on held-out examples and refits; test is unread."""
  return selection.select(
    splits.rows(parts, splits.train),
    splits.labels(splits.train),
    splits.rows(parts, splits.heldout),
    splits.labels(splits.heldout),
    num_classes=num_classes,
    strengths=strengths(options),
    normalisation='none',  # Normalised already, model by model.
    max_iterations=options.max_iterations,
    stream=options.stream,
  )


def probe(
  splits: Splits,
  parts: Sequence[Dimensions],
  options: Probing,
  num_classes: int,
) -> Result:
  """Fits and scores a probe on dimensions of one or several models."""
  chosen = choose(splits, parts, options, num_classes)
  test = splits.rows(parts, splits.test)
  labels = splits.labels(splits.test)
  correct = np.concatenate(
    [
      correctness.correct(
        chosen.probe.logits(block), labels[start : start + len(block)]
      )
      for start, block in test.blocks()
    ]
  )
  assert isinstance(chosen.l2, float)
  return Result(
    correct=correct,
    width=test.shape[1],
    l2=chosen.l2,
    heldout_accuracy=chosen.accuracies[chosen.strengths.index(chosen.l2)],
    converged=chosen.probe.fit.converged,
  )
