"""The tables of all models and pairs, and their summaries.

Missing values are empty fields of a table, never 0 or 1:

- kappa, its range and its interval, if the expected consistency is 1: both
  models are always right, or both always wrong.
- A rate whose denominator is 0: the conversion rate of models that are never
  inconsistent, `neither_conversion_rate` without examples that neither gets
  right, `loss_rate` without examples that both get right, dominance over a
  model that is never wrong, `agreement_when_wrong` without examples that both
  get wrong, Yule's Q if both of its products are 0.
- Columns of ensembles, if one of the two models has no logits.
- A category without pairs has no row. A mean is over the pairs that have the
  value, and empty without any; a correlation over fewer than two pairs, or with
  a constant side, is empty.

Intervals:

- Accuracies: Wilson's or the exact interval (`accuracy_interval`).
- Pairs: percentiles over resamples of the examples (`resamples`), smoothed for
  pairs that rarely differ (see `bootstrap`). A resample without a value is left
  out of the percentiles; a pair without a value has no bounds.
  `neither_conversion_rate` and `loss_rate`, which often have few examples:
  Wilson's interval.
- Means and correlations: over models, by jackknife or bootstrap
  (`summary_interval`). There are no bounds with fewer than two models or, for
  the jackknife, if the statistic has no value without one of them.
- p-values: McNemar's exact test, 1 if the models never differ; Holm's
  correction is for all pairs of the table.

Unusual input, in all analyses (tested in tests/analyses/test_awkward.py):

- NaN among an example's logits: no class is predicted, which is wrong for any
  label and equal to no other model's class; an ensemble with it is wrong too.
- Plus infinity, for instance from overflow of float16: the first class with
  plus infinity is predicted.
- Either of these: there is no confidence, so the example is left out of
  temperature, calibration error and theta; the model's mean NLL is empty.
- Minus infinity: the class is excluded. If it is the label's, calibration
  leaves the example out, and NLL and the calibrated ECE are empty. An ensemble
  whose members exclude all classes predicts none, which is wrong.
- Equal logits: class 0, because the lowest index wins ties. If all examples are
  like this, the temperature is 1, with `calibration_bound_hit`.
- No example of a model has usable logits: accuracy 0, temperature 1, bound hit;
  NLL, calibration errors and thetas are empty.
- Always right, or always wrong: the temperature is at a bound (0.001, 1000),
  with `calibration_bound_hit`; rates with denominator 0 are empty.
- One class: all are right, NLL is 0; kappa and conversion rates are empty.
- One example: intervals are correspondingly wide; values that need two examples
  are empty.
- Any number of examples, on any number of devices: each example counts once,
  because padding is masked. Integers are the same on all devices, other numbers
  to 1e-4 (tests/analyses/test_devices.py), and the bytes are the same from run
  to run.
- Constant features, or features with NaN or infinity: their similarities are
  empty. A probe rejects features that are not finite (DataError, with the
  model's name).
- A label outside the classes, or a duplicate id: stores reject it (DataError),
  and `overlap verify` finds it.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses import clusters, stats, summaries
from overlap.analyses import pairs as pairs_lib
from overlap.analyses.context import Context, Pairs
from overlap.analyses.members import Member
from overlap.analyses.options import Options
from overlap.tables import table_io


def measure_overview(context: Context) -> dict[str, pd.DataFrame]:
  """Measures all models and the requested pairs.

  Returns:
    'models' and 'pairs' have every model and pair; 'categories' (means over
    pairs with the base) and 'correlations' are limited to the accuracy window.
  """
  index, listed = measured_pairs(context)
  columns = pairs_lib.measure_pairs(
    context.split,
    context.members,
    index,
    classes=len(context.class_names),
    options=context.options,
    checkpoint=context.checkpoint(),
  )
  return _tables(context, index, columns, listed)


def measured_pairs(context: Context) -> tuple[np.ndarray, np.ndarray]:
  """Returns the pairs to measure: the requested pairs, and all with the base.

  Pairs with the base are always measured, for means and correlations.

  Returns:
    Indices, int `[pairs, 2]`, the lower first, and a mask of the requested
    pairs, bool `[pairs]`.
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
  """Returns the sets of pairs to correlate over: 'base' and 'all'.

  Args:
    context: inputs of the analysis.
    columns: columns of the pairs, each `[pairs]`.
    index: indices of the two models, int `[pairs, 2]`.
    listed: mask of the requested pairs, bool `[pairs]`.

  Returns:
    For each set its name, the columns of its pairs within the accuracy window,
    and the models that vary among them, int `[pairs, 1 or 2]`. 'all' is omitted
    if it equals 'base'. The base is in its own pairs for any window.
  """
  inside, with_base = context.in_window, index[:, 0] == 0
  kept = with_base & inside[index[:, 1]]
  found = [('base', pairs_lib.take(columns, kept), index[kept, 1:])]
  if not np.array_equal(listed, with_base):
    both = listed & inside[index].all(axis=1)
    found.append(('all', pairs_lib.take(columns, both), index[both]))
  return found


def _pair_index(pairs: Pairs, names: Sequence[str]) -> np.ndarray:
  """Returns indices of pairs, int `[pairs, 2]`, the lower index first."""
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
  """Returns all tables.

  Args:
    context: inputs of the analysis.
    index: indices of the measured pairs, int `[pairs, 2]`.
    columns: columns of these pairs.
    listed: mask of the requested pairs, bool `[pairs]`.
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
    'pairs': table_io.typed('pairs', of_list),
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
  """Returns a row per model, with the columns of its pair with the base."""
  columns: dict[str, Any] = {
    name: [member.columns[name] for member in found]
    for name in found[0].columns
  }
  total = np.array(columns['n'])
  right = np.array([member.correct.sum() for member in found])
  # The base is first, so each model's pair with it has the model's position.
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
  return table_io.typed('models', columns)
