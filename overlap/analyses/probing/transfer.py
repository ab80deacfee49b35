"""Scores of probes on another data set: intervals, gains and tests (Fig. 7).

Where images have several labels the score is the mean over classes of the
11-point average precision, over those with a positive; else it is accuracy.

Intervals are percentiles over resamples of the test examples which all
systems and classes share, so that the interval of a gain is paired. The
probes themselves are not fitted again: what other training examples would
have given is not in the intervals.

Average precision depends on how many examples there are, above all at recall
1, where the last positive decides: intervals are of what other test sets of
this size would give. Resamples, some of whose examples are the same, score
higher by a little, so scores' intervals are moved by the mean of that; those
of gains, of which most of it is gone, are not. In simulations of 1,000
examples and four classes with 100 positives each, 95 % intervals of a mean
average precision of 0.66, 0.88 and 0.96 cover in 94, 95 and 82 % of cases
(unmoved: in 93, 91 and 65 %), those of gains in 94, 94 and 88 %: close to 1,
where only the last few positives count, they are too short.

That a gain is 0 is tested by permutation. If two systems are equally good,
it is of no account which of the two gave which of the two answers to an
example; so examples change sides at random, with all of their classes. As the
two systems' scores are on scales of their own, and only their order counts,
each class's scores are taken as ranks within a system first: nothing changes
for a system that keeps all of its examples. Of two examples with equal ranks
after that, a random one is first. For accuracy this test is McNemar's, which
is then exact.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses import bootstrap, shared, stats
from overlap.analyses import errors as errors_lib
from overlap.analyses.probing import precision_loops
from overlap.analyses.probing.multi_label import Labels

MEAN_AVERAGE_PRECISION, ACCURACY = 'mAP', 'accuracy'


class Scores(NamedTuple):
  """How well systems do, with what resamples of the examples give.

  Attributes:
    metric: 'mAP' or 'accuracy'.
    by_class: average precision, or recall, `[systems, K]`; NaN without a
      positive.
    total: `[systems]`, NaN where no class has a positive.
    class_draws: as `by_class`, `[systems, K, resamples]`.
    draws: as `total`, `[systems, resamples]`.
  """

  metric: str
  by_class: np.ndarray
  total: np.ndarray
  class_draws: np.ndarray
  draws: np.ndarray


def measure(
  logits: Sequence[np.ndarray], labels: Labels, *, resamples: int, seed: int
) -> Scores:
  """Scores systems on the same examples.

  Args:
    logits: `[examples, K]` of each system.
    labels: of the examples.
    resamples: of the bootstrap.
    seed: of it.
  """
  weights = shared.weights(len(labels.targets), resamples=resamples, seed=seed)
  once = np.ones((1, len(labels.targets)), np.int32)
  if not labels.several:
    right = np.stack([errors_lib.correct(z, labels.targets) for z in logits])
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
  """Average precision, `[K, resamples]`."""
  result = np.empty((len(labels.names), len(weights)))
  for k, row in enumerate(result):
    own = labels.targets[:, k]
    order = ranked(scores[:, k], own)
    precision_loops.resampled(order, own == 1, weights, row)
  return result


def ranked(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """The examples that a class ranks, the first ranked first, int64.

  As `average_precision` does it: of equal scores the earlier example is first,
  NaN is last, and examples with a target of -1 are left out.
  """
  kept = np.flatnonzero(targets >= 0)
  return kept[np.argsort(-scores[kept], kind='stable')].astype(np.int64)


def _recalls(
  right: np.ndarray, labels: Labels, weights: np.ndarray
) -> np.ndarray:
  """Shares of each class's examples that are right, `[systems, K, draws]`."""
  result = np.empty((len(right), len(labels.names), len(weights)))
  for k in range(len(labels.names)):
    own = labels.targets == k
    counts = weights[:, own].astype(np.float64)
    result[:, k] = errors_lib.fraction(
      right[:, own] @ counts.T, counts.sum(axis=1)[np.newaxis]
    )
  return result


def _mean(values: np.ndarray) -> np.ndarray:
  """The mean of `[systems, K, draws]` over the K that are no NaN."""
  known = np.isfinite(values)
  summed = np.where(known, values, 0).sum(axis=1)
  count = known.sum(axis=1)
  return np.where(count > 0, summed / np.maximum(count, 1), np.nan)


def score_interval(
  draws: np.ndarray, estimate: float, confidence: float
) -> tuple[float, float]:
  """The interval of a score, within [0, 1]; NaN where it has none.

  Args:
    draws: `[resamples]`.
    estimate: of the examples themselves, which the draws are moved to.
    confidence: the interval's level.
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
  """The two-sided test that two systems are equally good; see above.

  Args:
    one: logits of a system, `[examples, K]`.
    two: of the other.
    labels: of the examples.
    permutations: random ones of the test for several labels; the p-value is
      at least 1 / (permutations + 1).
    seed: of them.

  Returns:
    NaN without permutations, or where no class has a positive.
  """
  if not labels.several:
    right_1, right_2 = (
      errors_lib.correct(z, labels.targets) for z in (one, two)
    )
    return float(
      stats.mcnemar((right_1 & ~right_2).sum(), (right_2 & ~right_1).sum())
    )
  random = np.random.default_rng(seed)
  examples = len(labels.targets)
  places = random.permutation(examples)
  swaps = random.integers(0, 2, (permutations, examples), np.uint8) == 1
  # Nobody changes sides in the first: the difference itself.
  swaps = np.concatenate([np.zeros((1, examples), bool), swaps])
  differences = np.empty((1, len(labels.names), len(swaps)))
  for k, row in enumerate(differences[0]):
    own = labels.targets[:, k]
    orders = ranked(one[:, k], own), ranked(two[:, k], own)
    precision_loops.swapped(*orders, own == 1, places, swaps, row)
  found = np.abs(_mean(differences)[0])
  if not permutations or not np.isfinite(found[0]):
    return float('nan')
  # Equal differences may be summed up in another order.
  extreme = found[1:] >= found[0] - 1e-12
  return float((1 + extreme.sum()) / (1 + permutations))
