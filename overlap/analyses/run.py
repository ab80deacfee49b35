"""Runs the analyses of a store: selects models and pairs, returns tables.

Models are calibrated one by one, while the next one is read; then each analysis
that makes a requested table is run. The only output on disk is checkpoints of
long passes, if a folder for them is given.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import logging
from etils import epath

from overlap import store
from overlap.analyses import calibration, members, prefetch
from overlap.analyses import options as options_lib
from overlap.analyses import scratch as scratch_lib
from overlap.analyses.context import Context, Pairs
from overlap.analyses.members import Member, Split
from overlap.analyses.options import Options
from overlap.catalog import categories
from overlap.core import errors, lookup, progress
from overlap.distributed import processes

# The function `measure(context) -> {name: table}` of each table; it may make
# several of these tables.
ANALYSES = {
  'models': 'overlap.analyses.overview:measure_overview',
  'pairs': 'overlap.analyses.overview:measure_overview',
  'categories': 'overlap.analyses.overview:measure_overview',
  'correlations': 'overlap.analyses.overview:measure_overview',
  'theta': 'overlap.analyses.specialisation.analysis:measure_specialisation',
  'theta_examples': (
    'overlap.analyses.specialisation.analysis:measure_specialisation'
  ),
  'class_groups': (
    'overlap.analyses.specialisation.analysis:measure_specialisation'
  ),
  'classes': 'overlap.analyses.specialisation.analysis:measure_specialisation',
  'specialisation': (
    'overlap.analyses.specialisation.analysis:measure_specialisation'
  ),
  'specialisation_correlations': (
    'overlap.analyses.specialisation.analysis:measure_specialisation'
  ),
  'interpolation': (
    'overlap.analyses.interpolation.analysis:measure_interpolation'
  ),
  'interpolation_optima': (
    'overlap.analyses.interpolation.analysis:measure_interpolation'
  ),
  'greedy': 'overlap.analyses.greedy.analysis:measure_greedy',
  'greedy_best': 'overlap.analyses.greedy.analysis:measure_greedy',
  'first_additions': 'overlap.analyses.greedy.analysis:measure_greedy',
  'subsets': 'overlap.analyses.greedy.analysis:measure_greedy',
  'similarity': 'overlap.analyses.similarity.analysis:measure_similarity',
  'similarity_correlations': (
    'overlap.analyses.similarity.analysis:measure_similarity'
  ),
  'joined': 'overlap.analyses.probing.joined_analysis:measure_joined',
  'joined_pairs': 'overlap.analyses.probing.joined_analysis:measure_joined',
  'joined_categories': (
    'overlap.analyses.probing.joined_analysis:measure_joined'
  ),
  'joined_correlations': (
    'overlap.analyses.probing.joined_analysis:measure_joined'
  ),
  'compression': 'overlap.analyses.probing.joined_analysis:measure_joined',
  'compression_targets': (
    'overlap.analyses.probing.joined_analysis:measure_joined'
  ),
  'compression_categories': (
    'overlap.analyses.probing.joined_analysis:measure_joined'
  ),
  'transfer': 'overlap.analyses.probing.transfer_analysis:measure_transfer',
  'transfer_classes': (
    'overlap.analyses.probing.transfer_analysis:measure_transfer'
  ),
  'pair_closeups': 'overlap.analyses.closeups:measure_closeups',
  'contested': 'overlap.analyses.closeups:measure_closeups',
  'costs': 'overlap.analyses.costs:measure_costs',
  'greedy_budgets': 'overlap.analyses.greedy.analysis:measure_greedy',
  'conditions': 'overlap.analyses.conditions:measure',
}
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
  scratch: epath.PathLike | None = None,
) -> dict[str, pd.DataFrame]:
  """Measures models and pairs of models on one split.

  Args:
    workdir: folder of the study, whose store is read.
    dataset: name of the data set.
    split: name of the split.
    base: model that the others are compared with.
    models: models to compare, with or without the base; None for all.
    pairs: pairs of the table of pairs: 'all', 'base' (pairs with the base) or a
      list of `[model, model]`.
    options: fields of `overlap.analyses.options.Options`.
    scratch: folder for checkpoints that an interrupted run resumes from;
      emptied at the end.

  Returns:
    The requested tables by name; the analyses describe their content.

  Raises:
    UsageError: a data set, split, model, option or value is unknown or invalid.
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
  context = Context(
    split=where,
    ids=examples.ids,
    class_names=examples.class_names,
    members=found,
    in_window=_in_window(found, settings),
    pairs=pairs,
    options=settings,
    scratch=None if scratch is None else epath.Path(scratch),
  )
  made: dict[str, pd.DataFrame] = {}
  for measure in dict.fromkeys(
    lookup.lookup('table', name, ANALYSES)
    for name in ANALYSES
    if name in settings.tables
  ):
    made |= measure(context)
  if context.scratch is not None:
    processes.barrier('measured')  # No process needs its checkpoints any more.
    if processes.is_primary():
      scratch_lib.clear(context.scratch)
  return {name: made[name] for name in settings.tables}


def _select_models(
  reader: store.Store,
  dataset: str,
  split: str,
  base: str,
  models: Sequence[str] | None,
) -> list[str]:
  """Returns the models to compare, including the base.

  Raises:
    UsageError: the store lacks the split, or the split lacks a model.
  """
  held = [f'{d}/{s}' for d, s in reader.splits()]
  lookup.check_choice(
    'data set and split in the store', f'{dataset}/{split}', held
  )
  stored = reader.models(dataset, split)
  lookup.check_choice(
    f'base model with predictions on {dataset}/{split}', base, stored
  )
  for name in models or ():
    lookup.check_choice(
      f'model with predictions on {dataset}/{split}', name, stored
    )
  return sorted({base, *(stored if models is None else models)})


def _check_pairs(pairs: Pairs, names: Sequence[str]) -> None:
  """Raises UsageError for a list with pairs of other models."""
  if isinstance(pairs, str):
    lookup.check_choice(
      "choice of pairs (or a list of '[model, model]')", pairs, _PAIRS
    )
    return
  for pair in pairs:
    if len(pair) != 2 or isinstance(pair, str) or pair[0] == pair[1]:
      raise errors.UsageError(
        f'A pair must be two different models, got {pair!r}.'
      )
    for name in pair:
      lookup.check_choice('model for a pair', name, names)


def _measure_models(
  where: Split,
  names: Sequence[str],
  base: str,
  ids: np.ndarray,
  settings: Options,
) -> list[Member]:
  """Measures all models; sorts them, the base first, by category and name."""
  records = {name: _record(where, name) for name in names}
  folds = calibration.folds_from_ids(ids, settings.folds, settings.seed)
  found = [
    members.measure_member(
      where, record, records[base], folds=folds, options=settings, logits=logits
    )
    for record, logits in progress.track(
      prefetch.prefetch(_read(where, records.values())),
      total=len(records),
      what='calibrate',
      unit='model',
    )
  ]
  return sorted(found, key=lambda m: (categories.rank(m.category), m.name))


def _read(
  where: Split, records: Iterable[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
  """Yields records and their logits; None for a model without logits."""
  for record in records:
    soft = 'logits' in record['arrays']
    yield record, where.read(record['model'], 'logits') if soft else None


def _record(where: Split, name: str) -> dict[str, Any]:
  record = where.reader.record(where.dataset, where.split, name)
  if record is None:
    raise errors.DataError(
      f'Predictions of {name!r} on {where.dataset}/{where.split} must stay '
      'while they are analysed, and are gone.'
    )
  return record


def _in_window(found: Sequence[Member], settings: Options) -> np.ndarray:
  """Returns a mask of the models in the accuracy window, bool `[models]`."""
  accuracies = np.array([member.columns['accuracy'] for member in found])
  lower, upper = settings.bounds(accuracies[0])
  inside = (lower <= accuracies) & (accuracies <= upper)
  outside = [member.name for member, within in zip(found, inside) if not within]
  if outside:
    logging.info(
      'outside the accuracy window, in no mean or correlation: %s',
      lookup.few(outside),
    )
  return inside
