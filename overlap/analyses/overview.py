"""The tables of all models and pairs, and what sums them up.

What has no value is an empty field of a table, never 0 or 1:

- kappa, its range and its interval, where the expected consistency is 1: both
  models are always right, or both always wrong.
- A rate whose denominator is 0: the conversion rate of models that are never
  inconsistent, `neither_conversion_rate` without an example that neither gets
  right, `loss_rate` without one that both do, dominance over a model that is
  never wrong, `agreement_when_wrong` without an example that both get wrong,
  Yule's Q where both of its products are 0.
- Whatever an ensemble is needed for, where one of the two has no logits.
- A category without pairs has no row. A mean is over the pairs that have the
  value; without any, it is empty, and so are a correlation over fewer than
  two pairs and one of which a side is constant.

Intervals:

- Accuracies: Wilson's, or the exact one (`accuracy_interval`).
- Pairs: percentiles over resamples of the examples (`resamples`), smoothed for
  pairs that hardly ever differ (see `bootstrap`). A resample in which a measure
  has no value is left out of its percentiles; a pair whose measure has none
  has no bounds. `neither_conversion_rate` and `loss_rate`, often of few
  examples: Wilson's.
- Means and correlations: over models, jackknife or bootstrap
  (`summary_interval`); with fewer than two models, or, by jackknife, where
  the statistic has no value without one of them, there are no bounds.
- p-values: McNemar's exact test, 1 where the models never differ; Holm's
  correction is for all pairs of the table.

Awkward input, in all analyses (tests/analyses/test_awkward.py tries each):

- NaN among an example's logits: no class, which is wrong whatever the label
  and no other model's class; an ensemble with it is wrong there too.
- Plus infinity, which is what float16 overflows to: the class that has it, the
  first of several.
- Either: no confidence, so that the example is in no temperature, calibration
  error or theta; the model's mean NLL is empty.
- Minus infinity: that class is ruled out. Where it is a label's, calibration
  leaves the example out, and NLL and the calibrated ECE are empty.
  An ensemble whose members rule out all classes has none, which is wrong.
- Equal logits: class 0, for the lowest index wins ties. Without others the
  temperature is 1, with `calibration_bound_hit`.
- No example of a model has usable logits: accuracy 0, temperature 1, bound hit;
  NLL, calibration errors and thetas are empty.
- Always right, or always wrong: the temperature is at a bound (0.001, 1000),
  with `calibration_bound_hit`; rates without a denominator are empty.
- One class: all are right, NLL is 0; kappa and conversion rates are empty.
- One example: intervals are as wide as that; what needs two is empty.
- Any number of examples, on any number of devices: each counts once, for
  padding is masked. Whole numbers are the same on all, others to 1e-4
  (tests/analyses/test_devices.py), and the same bytes from run to run.
- Constant features, or NaN or infinity among them: their similarities are
  empty. A probe refuses what is not finite (DataError, with the model's name).
- A label outside the classes, an id given twice: no store takes it (DataError),
  and `overlap verify` finds it.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap import tables
from overlap.analyses import clusters, stats, summaries
from overlap.analyses import pairs as pairs_lib
from overlap.analyses.context import Context, Pairs
from overlap.analyses.members import Member
from overlap.analyses.options import Options


def measure(context: Context) -> dict[str, pd.DataFrame]:
  """Measures all models and all pairs asked for.

  Returns:
    'models' and 'pairs' have every model and pair; 'categories' (means over
    pairs with the base) and 'correlations' keep to the accuracy window.
  """
  index, listed = measured_pairs(context)
  columns = pairs_lib.measure(
    context.split,
    context.members,
    index,
    classes=len(context.class_names),
    options=context.options,
    checkpoint=context.checkpoint(),
  )
  return _tables(context, index, columns, listed)


def measured_pairs(context: Context) -> tuple[np.ndarray, np.ndarray]:
  """Pairs to measure: those asked for, and those with the base.

  The latter are measured in any case: means and correlations need them.

  Returns:
    int `[pairs, 2]`, the lower index first, and which are asked for, bool
    `[pairs]`.
  """
  wanted = _pair_index(context.pairs, context.names)
  of_base = _pair_index('base', context.names)
  index = np.unique(np.r_[of_base, wanted], axis=0)
  code = np.array([len(context.members), 1])
  return index, np.isin(index @ code, wanted @ code)


def scopes(
  context: Context,
  columns: pairs_lib.Columns,
  index: np.ndarray,
  listed: np.ndarray,
) -> list[tuple[str, pairs_lib.Columns, np.ndarray]]:
  """Pairs to correlate over: those with the base, and all that are listed.

  Args:
    context: of the analysis.
    columns: of the pairs, each `[pairs]`.
    index: int `[pairs, 2]`.
    listed: bool `[pairs]`, those asked for.

  Returns:
    A name, the columns of the pairs within the accuracy window, and the models
    that vary among them, int `[pairs, 1 or 2]`. 'all' is left out where it is
    'base'. The base stays in its own pairs wherever the window is.
  """
  inside, with_base = context.in_window, index[:, 0] == 0
  kept = with_base & inside[index[:, 1]]
  found = [('base', pairs_lib.take(columns, kept), index[kept, 1:])]
  if not np.array_equal(listed, with_base):
    both = listed & inside[index].all(axis=1)
    found.append(('all', pairs_lib.take(columns, both), index[both]))
  return found


def _pair_index(pairs: Pairs, names: Sequence[str]) -> np.ndarray:
  """Pairs as indices of models, int `[pairs, 2]`, the lower index first."""
  if pairs == 'base':
    chosen = [(0, other) for other in range(1, len(names))]
  elif pairs == 'all':
    chosen = list(itertools.combinations(range(len(names)), 2))
  else:
    place = {name: i for i, name in enumerate(names)}
    chosen = [
      (min(place[one], place[two]), max(place[one], place[two]))
      for one, two in pairs
    ]
  return np.array(chosen, np.int64).reshape(-1, 2)


def _tables(
  context: Context,
  index: np.ndarray,
  columns: pairs_lib.Columns,
  listed: np.ndarray,
) -> dict[str, pd.DataFrame]:
  """All tables.

  Args:
    context: of the analysis.
    index: int `[pairs, 2]`, all pairs that were measured.
    columns: of these pairs.
    listed: bool `[pairs]`, those asked for.
  """
  inside, options = context.in_window, context.options
  level = options.confidence
  over_models = clusters.summaries(
    options.summary_interval, resamples=options.resamples, seed=options.seed
  )
  with_base = index[:, 0] == 0
  of_base = pairs_lib.take(columns, with_base)
  of_list = pairs_lib.take(columns, listed)
  of_list['mcnemar_p_holm'] = stats.holm(of_list['mcnemar_p'])
  over = scopes(context, columns, index, listed)
  _, kept_base, others = over[0]
  return {
    'models': _models_table(context.members, inside, of_base, options),
    'pairs': tables.typed('pairs', of_list),
    'categories': summaries.category_table(
      kept_base, others[:, 0], confidence=level, intervals=over_models
    ),
    'correlations': summaries.correlation_table(
      over, confidence=level, intervals=over_models
    ),
  }


def _models_table(
  found: Sequence[Member],
  inside: np.ndarray,
  of_base: pairs_lib.Columns,
  options: Options,
) -> pd.DataFrame:
  """One row a model; what is of a pair is of that with the base."""
  columns: dict[str, Any] = {
    name: [member.columns[name] for member in found]
    for name in found[0].columns
  }
  total = np.array(columns['n'])
  right = np.array([member.correct.sum() for member in found])
  # Each model's pair with the base stands where the model does, which is
  # after the base.
  for name in (
    'error_inconsistency', 'error_inconsistency_lower',
    'error_inconsistency_upper', 'ensemble_accuracy',
  ):  # fmt: skip
    columns[name] = np.r_[np.nan, of_base[name]]
  interval = stats.PROPORTION_INTERVALS[options.accuracy_interval]
  together = np.rint(columns['ensemble_accuracy'] * total)
  for name, successes in (
    ('accuracy', right),
    ('ensemble_accuracy', together),
  ):
    bounds = interval(successes, total, confidence=options.confidence)
    columns[f'{name}_lower'], columns[f'{name}_upper'] = bounds
  columns['in_window'] = inside
  return tables.typed('models', columns)
