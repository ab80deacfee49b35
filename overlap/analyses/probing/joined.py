"""Probes on the joined dimensions of two models (Fig. 6, left and centre)."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from overlap.analyses.probing import dimensions
from overlap.analyses.probing.features import Dimensions

# Percentage of the base's dimensions that is compared with both ends.
HALF = 50


class Draw(NamedTuple):
  """A draw of dimensions of two models.

  Attributes:
    percent: percentage of the base's dimensions.
    seed: number of the draw.
    whole: whether the draw has all of the other model's dimensions, of any
      width.
    parts: dimensions of the two models.
  """

  percent: float
  seed: int
  whole: bool
  parts: tuple[Dimensions, Dimensions]


def draws(
  models: tuple[str, str],
  widths: tuple[int, int],
  *,
  percents: Sequence[float],
  seeds: int,
  seed: int,
) -> Iterator[Draw]:
  """Yields the draws of dimensions of a pair.

  Selections without randomness (all of the base; all of the other model if it
  is no wider) are yielded once. If the other model is wider, all of its
  dimensions are yielded too, as `whole`: that probe has more dimensions than
  the base.

  Args:
    models: names of the base and of the other model.
    widths: dimensions of the two models.
    percents: percentages of the base's dimensions.
    seeds: number of draws of each percentage.
    seed: base seed of all draws.
  """
  for percent in percents:
    once = percent == 100 or (percent == 0 and widths[1] <= widths[0])
    for repeat in range(1 if once else seeds):
      share = f'{percent:g}'
      random = dimensions.generator('joined', seed, *models, share, repeat)
      one, two = dimensions.share(*widths, percent, random)
      parts = Dimensions(models[0], one), Dimensions(models[1], two)
      yield Draw(percent, repeat, percent == 0 and once, parts)
  if widths[1] > widths[0]:
    everything = Dimensions(models[1], np.arange(widths[1]))
    nothing = Dimensions(models[0], np.arange(0))
    yield Draw(0, 0, True, (nothing, everything))


def half_gain(
  draws_of: Sequence[Draw], correct: np.ndarray, *, confidence: float
) -> dict[str, Any]:
  """Accuracy gain of half of each model over the better of the two ends.

  The ends are all of the base, and as many dimensions of the other model (all
  if it has fewer); the half is `HALF` % of both. Each accuracy is a mean over
  draws. The better end is selected on the examples it is scored on, which
  favours the ends. The interval is normal, with variance over examples and over
  draws.

  Args:
    draws_of: draws of one pair.
    correct: correctness of their probes, bool `[draws, examples]`.
    confidence: level of the interval.

  Returns:
    `accuracy_base`, `accuracy_other`, `accuracy_half`, `half_gain`, its
    `_lower` and `_upper`: fractions; NaN without such a draw.
  """
  ends = {
    name: [i for i, draw in enumerate(draws_of) if draw.percent == percent]
    for name, percent in (('base', 100), ('other', 0), ('half', HALF))
  }
  # All dimensions of a wider model are not an end of equal width.
  narrow = [i for i in ends['other'] if not draws_of[i].whole]
  ends['other'] = narrow or ends['other']
  scores = {
    name: correct[rows].mean(axis=0) if rows else np.full(1, np.nan)
    for name, rows in ends.items()
  }
  means = {name: float(score.mean()) for name, score in scores.items()}
  found = {f'accuracy_{name}': value for name, value in means.items()}
  best = 'base' if means['base'] >= means['other'] else 'other'
  gains = scores['half'] - scores[best]
  gain = float(gains.mean())
  reach = float('nan')
  if np.isfinite(gain):
    variance = gains.var(ddof=1) / len(gains) if len(gains) > 1 else np.nan
    for name in ('half', best):
      variance += _between(correct[ends[name]])
    reach = float(special.ndtri((1 + confidence) / 2) * np.sqrt(variance))
  return found | {
    'half_gain': gain,
    'half_gain_lower': gain - reach,
    'half_gain_upper': gain + reach,
  }


def _between(correct: np.ndarray) -> float:
  """Variance of the mean accuracy of draws; 0 for a single draw.

  All draws share the examples, so the variance between their accuracies is due
  to the draws.
  """
  if len(correct) < 2:
    return 0.0
  return float(correct.mean(axis=1).var(ddof=1) / len(correct))
