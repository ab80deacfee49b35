"""From the store to the tables: which models, which pairs, what is asked.

Models are read one by one; for the ensembles, all models a block of rows at a
time. Nothing is written.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import logging
from etils import epath

from overlap import errors, lookup, progress, store, tables
from overlap.analyses import calibration, members, stats, summaries
from overlap.analyses import options as options_lib
from overlap.analyses import pairs as pairs_lib
from overlap.analyses.members import Member, Split
from overlap.analyses.options import Options
from overlap.catalog import categories

Pairs = str | Sequence[Sequence[str]]
_PAIRS = ('all', 'base')


def analyse(
  *,
  workdir: epath.PathLike,
  dataset: str,
  split: str,
  base: str,
  models: Sequence[str] | None = None,
  pairs: Pairs = 'all',
  options: Mapping[str, Any] | None = None,
) -> dict[str, pd.DataFrame]:
  """Measures models and pairs of models over one split.

  Args:
    workdir: whose store is read.
    dataset: name of the data set.
    split: name of the split.
    base: the model that the others are compared with.
    models: which models, the base among them or not; None for all.
    pairs: which pairs enter the table of pairs: 'all', 'base' (those with the
      base) or a list of `[model, model]`.
    options: fields of `overlap.analyses.options.Options`.

  Returns:
    The tables asked for, by name: 'models' and 'pairs' have every model and
    pair; 'categories' (means over pairs with the base) and 'correlations'
    keep to the accuracy window.

  Raises:
    UsageError: no such data set, split, model, option or value.
    DataError: predictions are damaged.
  """
  settings = options_lib.parse(options)
  reader = store.Store(workdir)
  names = _select_models(reader, dataset, split, base, models)
  _check_pairs(pairs, names)
  examples = reader.examples(dataset, split)
  if not len(examples):
    raise errors.DataError(f'{dataset}/{split} must hold examples, got none.')
  where = Split(reader, dataset, split, examples.labels)
  found = _measure_models(where, names, base, examples.ids, settings)
  order = [member.name for member in found]
  # Pairs with the base are measured in any case: the other tables need them.
  wanted = _pair_index(pairs, order)
  index = np.unique(np.r_[_pair_index('base', order), wanted], axis=0)
  code = np.array([len(order), 1])
  listed = np.isin(index @ code, wanted @ code)
  columns = pairs_lib.measure(
    where,
    found,
    index,
    classes=len(examples.class_names),
    options=settings,
  )
  made = _tables(found, index, columns, listed, settings)
  return {name: made[name] for name in settings.tables}


def _select_models(
  reader: store.Store,
  dataset: str,
  split: str,
  base: str,
  models: Sequence[str] | None,
) -> list[str]:
  """The models to compare, the base among them.

  Raises:
    UsageError: the store has no such split, or the split no such model.
  """
  held = [f'{d}/{s}' for d, s in reader.splits()]
  lookup.check('data set and split in the store', f'{dataset}/{split}', held)
  stored = reader.models(dataset, split)
  lookup.check(
    f'base model with predictions on {dataset}/{split}', base, stored
  )
  for name in models or ():
    lookup.check(f'model with predictions on {dataset}/{split}', name, stored)
  return sorted({base, *(stored if models is None else models)})


def _check_pairs(pairs: Pairs, names: Sequence[str]) -> None:
  """Raises UsageError for a list of pairs that are none of these models."""
  if isinstance(pairs, str):
    lookup.check(
      "choice of pairs (or a list of '[model, model]')", pairs, _PAIRS
    )
    return
  for pair in pairs:
    if len(pair) != 2 or isinstance(pair, str) or pair[0] == pair[1]:
      raise errors.UsageError(
        f'A pair must be two different models, got {pair!r}.'
      )
    for name in pair:
      lookup.check('model for a pair', name, names)


def _measure_models(
  where: Split,
  names: Sequence[str],
  base: str,
  ids: np.ndarray,
  settings: Options,
) -> list[Member]:
  """All models, the base first, then by category, then by name."""
  records = {name: _record(where, name) for name in names}
  folds = calibration.folds_from_ids(ids, settings.folds, settings.seed)
  found = [
    members.measure(where, record, records[base], folds=folds, options=settings)
    for record in progress.track(
      records.values(), total=len(records), what='calibrate', unit='model'
    )
  ]
  return sorted(found, key=lambda m: (categories.rank(m.category), m.name))


def _record(where: Split, name: str) -> dict[str, Any]:
  record = where.reader.record(where.dataset, where.split, name)
  if record is None:
    raise errors.DataError(
      f'Predictions of {name!r} on {where.dataset}/{where.split} must stay '
      'while they are analysed, and are gone.'
    )
  return record


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
  found: Sequence[Member],
  index: np.ndarray,
  columns: pairs_lib.Columns,
  listed: np.ndarray,
  settings: Options,
) -> dict[str, pd.DataFrame]:
  """All tables.

  Args:
    found: the models, the base first.
    index: int `[pairs, 2]`, all pairs that were measured.
    columns: of these pairs.
    listed: bool `[pairs]`, those asked for.
    settings: window, confidence.
  """
  accuracies = np.array([member.columns['accuracy'] for member in found])
  lower, upper = settings.bounds(accuracies[0])
  inside = (lower <= accuracies) & (accuracies <= upper)
  _log_outside(found, inside)
  with_base = index[:, 0] == 0
  of_base = pairs_lib.take(columns, with_base)
  of_list = pairs_lib.take(columns, listed)
  of_list['mcnemar_p_holm'] = stats.holm(of_list['mcnemar_p'])
  # The base stays in its own pairs wherever the window is.
  kept = inside[index[with_base, 1]]
  kept_base = pairs_lib.take(of_base, kept)
  others = index[with_base][kept, 1]
  scopes = [('base', kept_base, others[:, np.newaxis])]
  if not np.array_equal(listed, with_base):
    both = listed & inside[index].all(axis=1)
    scopes.append(('all', pairs_lib.take(columns, both), index[both]))
  level = settings.confidence
  return {
    'models': _models_table(found, inside, of_base, level),
    'pairs': tables.typed('pairs', of_list),
    'categories': summaries.category_table(kept_base, others, confidence=level),
    'correlations': summaries.correlation_table(scopes, confidence=level),
  }


def _models_table(
  found: Sequence[Member],
  inside: np.ndarray,
  of_base: pairs_lib.Columns,
  confidence: float,
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
  together = np.rint(columns['ensemble_accuracy'] * total)
  for name, successes in (
    ('accuracy', right),
    ('ensemble_accuracy', together),
  ):
    bounds = stats.wilson(successes, total, confidence=confidence)
    columns[f'{name}_lower'], columns[f'{name}_upper'] = bounds
  columns['in_window'] = inside
  return tables.typed('models', columns)


def _log_outside(found: Sequence[Member], inside: np.ndarray) -> None:
  outside = [member.name for member, within in zip(found, inside) if not within]
  if outside:
    logging.info(
      'outside the accuracy window, in no mean or correlation: %s',
      ', '.join(outside),
    )
