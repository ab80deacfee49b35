"""Scores of probes on another data set: intervals, gains and tests (Fig. 7).

If images have several labels, the score is the mean over classes with a
positive of the 11-point average precision; otherwise it is accuracy.

Intervals are bootstrap percentiles over the test examples. All systems and
classes share the resamples, so that intervals of gains are paired. The probes
are not refitted: the intervals do not include the variation over training
examples.

Average precision depends on the number of examples, above all at recall 1,
where the last positive decides: the intervals are for test sets of this size.
Resamples have repeated examples and therefore score slightly higher, so
intervals of scores are shifted by the mean difference. Intervals of gains are
not shifted, because most of the difference cancels. In simulations of 1,000
examples and four classes with 100 positives each, 95 % intervals of a mean
average precision of 0.66, 0.88 and 0.96 have a coverage of 94, 95 and 82 %
(unshifted: 93, 91 and 65 %), those of gains 94, 94 and 88 %. Close to 1, where
only the last few positives count, they are too short.

The hypothesis that a gain is 0 is tested by permutation. If two systems are
equally good, their answers to an example are exchangeable, so examples are
swapped between the systems at random, with all of their classes. The scores of
two systems have different scales and only their order matters, so each class's
scores are first replaced by ranks within a system; this changes nothing for a
system that keeps all of its examples. Ties of ranks after the swap are broken
at random. For accuracy, this is McNemar's test, which is then computed exactly.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses import bootstrap, correctness, shared, stats
from overlap.analyses.probing import precision_loops
from overlap.analyses.probing.multi_label import Labels

MEAN_AVERAGE_PRECISION, ACCURACY = 'mAP', 'accuracy'


class Scores(NamedTuple):
  """Scores of systems, and of resamples of the examples.

  Attributes:
    metric: 'mAP' or 'accuracy'.
    by_class: average precision, or recall, `[systems, K]`; NaN without a
      positive.
    total: score of each system, `[systems]`; NaN if no class has a positive.
    class_draws: `by_class` of each resample, `[systems, K, resamples]`.
    draws: `total` of each resample, `[systems, resamples]`.
  """

  metric: str
  by_class: np.ndarray
  total: np.ndarray
  class_draws: np.ndarray
  draws: np.ndarray


def score_systems(
  logits: Sequence[np.ndarray], labels: Labels, *, resamples: int, seed: int
) -> Scores:
  """Scores systems on the same examples.

  Args:
    logits: logits of each system, `[examples, K]`.
    labels: labels of the examples.
    resamples: number of bootstrap resamples.
    seed: seed of the bootstrap.
  """
  weights = shared.weights(len(labels.targets), resamples=resamples, seed=seed)
  once = np.ones((1, len(labels.targets)), np.int32)
  if not labels.several:
    right = np.stack([correctness.correct(z, labels.targets) for z in logits])
    exact, drawn = (_recalls(right, labels, w) for w in (once, weights))
    total = right.mean(axis=1)
    draws = right @ weights.T.astype(np.float64) / right.shape[1]
    metric = ACCURACY
  else:
    exact, drawn = (
      np.stack([_precisions(z, labels, w) for z in logits])
      for w in (once, weights)
    )
    total, draws = _mean(exact)[:, 0], _mean(drawn)
    metric = MEAN_AVERAGE_PRECISION
  return Scores(metric, exact[..., 0], total, drawn, draws)


def _precisions(
  scores: np.ndarray, labels: Labels, weights: np.ndarray
) -> np.ndarray:
  """Average precisions, `[K, resamples]`."""
  result = np.empty((len(labels.names), len(weights)))
  for k, row in enumerate(result):
    own = labels.targets[:, k]
    order = ranked(scores[:, k], own)
    precision_loops.resampled(order, own == 1, weights, row)
  return result


def ranked(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """Returns the ranked examples of a class, best rank first, int64.

  As in `average_precision`, ties go to the earlier example, NaN is last, and
  examples with a target of -1 are left out.
  """
  kept = np.flatnonzero(targets >= 0)
  return kept[np.argsort(-scores[kept], kind='stable')].astype(np.int64)


def _recalls(
  right: np.ndarray, labels: Labels, weights: np.ndarray
) -> np.ndarray:
  """Fraction of each class that is correct, `[systems, K, draws]`."""
  result = np.empty((len(right), len(labels.names), len(weights)))
  for k in range(len(labels.names)):
    own = labels.targets == k
    counts = weights[:, own].astype(np.float64)
    result[:, k] = correctness.fraction(
      right[:, own] @ counts.T, counts.sum(axis=1)[np.newaxis]
    )
  return result


def _mean(values: np.ndarray) -> np.ndarray:
  """Mean of `[systems, K, draws]` over the K, ignoring NaN."""
  known = np.isfinite(values)
  summed = np.where(known, values, 0).sum(axis=1)
  count = known.sum(axis=1)
  return np.where(count > 0, summed / np.maximum(count, 1), np.nan)


def score_interval(
  draws: np.ndarray, estimate: float, confidence: float
) -> tuple[float, float]:
  """Confidence interval of a score, within [0, 1]; NaN if undefined.

  Args:
    draws: scores of resamples, `[resamples]`.
    estimate: score of the examples themselves, to which the draws are shifted.
    confidence: level of the interval.
  """
  known = draws[np.isfinite(draws)]
  moved = known - known.mean() + estimate if len(known) else known
  lower, upper = gain_interval(moved, estimate, confidence)
  return float(np.clip(lower, 0, 1)), float(np.clip(upper, 0, 1))


def gain_interval(
  draws: np.ndarray, estimate: float, confidence: float
) -> tuple[float, float]:
  """Percentiles of `[resamples]`; NaN without an estimate or resamples."""
  if not np.isfinite(estimate) or not len(draws):
    return float('nan'), float('nan')
  lower, upper = bootstrap.percentiles(draws, confidence)
  return float(lower), float(upper)


def p_value(
  one: np.ndarray,
  two: np.ndarray,
  labels: Labels,
  *,
  permutations: int,
  seed: Sequence[int],
) -> float:
  """Two-sided p-value of two systems being equally good (module docstring).

  Args:
    one: logits of a system, `[examples, K]`.
    two: logits of the other system, `[examples, K]`.
    labels: labels of the examples.
    permutations: number of random permutations of the test for several labels;
      the p-value is at least 1 / (permutations + 1).
    seed: seed of the permutations.

  Returns:
    The p-value; NaN without permutations or if no class has a positive.
  """
  if not labels.several:
    right_1, right_2 = (
      correctness.correct(z, labels.targets) for z in (one, two)
    )
    return float(
      stats.mcnemar((right_1 & ~right_2).sum(), (right_2 & ~right_1).sum())
    )
  random = np.random.default_rng(seed)
  examples = len(labels.targets)
  places = random.permutation(examples)
  swaps = random.integers(0, 2, (permutations, examples), np.uint8) == 1
  # The first permutation swaps nothing: the observed difference.
  swaps = np.concatenate([np.zeros((1, examples), bool), swaps])
  differences = np.empty((1, len(labels.names), len(swaps)))
  for k, row in enumerate(differences[0]):
    own = labels.targets[:, k]
    orders = ranked(one[:, k], own), ranked(two[:, k], own)
    precision_loops.swapped(*orders, own == 1, places, swaps, row)
  found = np.abs(_mean(differences)[0])
  if not permutations or not np.isfinite(found[0]):
    return float('nan')
  # The tolerance covers equal differences summed in another order.
  extreme = found[1:] >= found[0] - 1e-12
  return float((1 + extreme.sum()) / (1 + permutations))
