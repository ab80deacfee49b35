"""Stage analyse, which needs the store alone.

The request is stored in `tables/analysis.json` beside the tables, so that they
can be recomputed, for example by `overlap verify`.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import logging
from etils import epath

from overlap import figures, store
from overlap.analyses import options as options_lib
from overlap.analyses import run as analyses_run
from overlap.analyses.specialisation import options as specialisation_options
from overlap.config import schema
from overlap.core import errors, lookup, provenance
from overlap.distributed import processes
from overlap.workdir import fingerprints, layout, publish

Request = Mapping[str, Any]


def analyse(path: epath.Path, request: Request, *, again: bool = False) -> None:
  """Computes and writes the tables of a request, unless they are up to date.

  Args:
    path: path of the workdir.
    request: contents of `tables/analysis.json`.
    again: whether to compute them in any case, reading every array.

  Raises:
    DataError: the store is damaged.
  """
  store.Store(path).check_complete()
  made_of = fingerprints.stamp(path, request)
  # One process decides for all.
  done = not again and fingerprints.is_done(path, made_of)
  if processes.broadcast(np.array(done)):
    logging.info('analysed already: tables in %s', path / 'tables')
    return
  with provenance.timed(
    functools.partial(layout.add_timing, path, 'analyse', None)
  ):
    logging.info(
      'analysing %d models over %s/%s',
      len({request['base'], *request['models']}),
      request['dataset'],
      request['split'],
    )
    # All processes share the most expensive computations.
    made = compute(path, request, scratch=path / 'cache')
    changed = fingerprints.stamp(path, request) != made_of
    if processes.broadcast(np.array(changed)):
      raise errors.DataError(
        f'What {path} holds must stay while it is analysed, and something was '
        'stored meanwhile: the tables are as they were; run the stage analyse '
        'again.'
      )
    if processes.is_primary():
      publish.publish(path, request, made, made_of)
  processes.barrier('analyse')
  logging.info('analysed: tables in %s', path / 'tables')


def compute(
  path: epath.Path, request: Request, *, scratch: epath.Path | None = None
) -> dict[str, pd.DataFrame]:
  """Computes the tables of a request from the store; writes none.

  Args:
    path: path of the workdir.
    request: contents of `tables/analysis.json`.
    scratch: cache folder, see `analyses.run.analyse`.
  """
  pairs = request['pairs']
  return analyses_run.analyse(
    workdir=path,
    dataset=request['dataset'],
    split=request['split'],
    base=request['base'],
    models=request['models'],
    pairs=pairs if isinstance(pairs, str) else [tuple(p) for p in pairs],
    options=request['options'],
    scratch=scratch,
  )


def study_request(path: epath.Path, study: Mapping[str, Any]) -> Request:
  """Returns the analyses that a study's config requests.

  Raises:
    DataError: a model has no stored predictions.
    UsageError: the list of pairs can't be parsed.
  """
  settings = study['analyses']
  dataset = stored_dataset(path, study)
  stored = store.Store(path).models(dataset, settings['split'])
  missing = [name for name in study['models'] if name not in stored]
  if missing:
    raise errors.DataError(
      f'Every model needs predictions on {dataset}/{settings["split"]}, and '
      f'{len(missing)} have none: {", ".join(missing[:5])}. Run the stages '
      'train and predict first.'
    )
  return {
    'dataset': dataset,
    'split': settings['split'],
    'base': study['base'],
    'models': list(study['models']),
    'pairs': _pairs(settings['pairs'], study['models']),
    'options': _study_options(study),
  }


def store_request(
  path: epath.Path,
  dataset: str | None,
  split: str | None,
  base: str | None,
  *,
  models: Sequence[str] = (),
  options: Mapping[str, Any] | None = None,
) -> Request:
  """Returns a request of analyses of the models in a store.

  Args:
    path: path of the workdir.
    dataset: name of the data set; None, like `split`, if the store has one.
    split: name of the split; for a split that is stored by condition only, the
      table of means over the conditions is requested.
    base: name of the model that the others are compared with.
    models: names of the others; all stored models if empty.
    options: options that differ from the defaults.

  Raises:
    UsageError: the store has no such data set, split, base or model; or an
      option is unknown or invalid.
    DataError: a record is damaged, or has lost its record.json.
  """
  reader = store.Store(path)
  reader.check_complete()
  held = {
    '/'.join(pair): pair
    for pair in reader.splits()
    if _has_predictions(reader, *pair)
  }
  wanted = f'{dataset}/{split}' if dataset and split else ''
  if not wanted and len(held) == 1:
    wanted = next(iter(held))
  if not held:
    raise errors.UsageError(
      f'--workdir must hold predictions, got {path}, which has none: '
      '`overlap ingest` or `overlap predict` brings them there.'
    )
  if not wanted:
    raise errors.UsageError(
      'Both --dataset and --split must be given where the store holds several,'
      f' got {dataset or "none"} and {split or "none"}. Choices: '
      f'{", ".join(held)}.'
    )
  options = dict(options or {})
  parts = [name for name in held if name.rpartition('/')[0] == wanted]
  means = options.get('tables') in (None, ['conditions'])
  if wanted not in held and parts and means:
    logging.info(
      '%s has %d conditions: the table conditions has the means over them; '
      'one of them, such as --split=%s, has all tables',
      wanted, len(parts), held[parts[0]][1],
    )  # fmt: skip
    options['tables'] = ['conditions']
    wanted = max(parts, key=lambda name: len(reader.models(*held[name])))
  lookup.check_choice('data set and split (--dataset, --split)', wanted, held)
  stored = reader.models(*held[wanted])
  if not base:
    raise errors.UsageError(
      '--base must name the model that the others are compared with, got '
      f'nothing. Choices: {", ".join(stored) or "none"}.'
    )
  lookup.check_choice('base (--base)', base, stored)
  for name in models:
    lookup.check_choice('model (--models)', name, stored)
  settings = schema.resolve_defaults()['analyses'] | options
  options_lib.parse(_options(settings))
  return {
    'dataset': held[wanted][0],
    'split': held[wanted][1],
    'base': base,
    'models': sorted({str(base), *models}) if models else stored,
    'pairs': 'all',
    'options': _options(settings),
  }


def _has_predictions(reader: store.Store, dataset: str, split: str) -> bool:
  """Returns whether any model has more than features of the split."""
  for model in reader.models(dataset, split):
    record = reader.record(dataset, split, model)
    if record and {'logits', 'predicted'} & set(record['arrays']):
      return True
  return False


def check_analyses(study: Mapping[str, Any]) -> None:
  """Checks the analyses of a config before anything is run.

  Raises:
    UsageError: a table, figure or option is unknown, or a value is invalid.
  """
  options_lib.parse(_study_options(study))
  for name in study['report']['figures']:
    lookup.check_choice('figure', name, figures.FIGURES)
  _pairs(study['analyses']['pairs'], study['models'])
  _check_views(study)
  for field in ('starts', 'pool', 'candidates'):
    for name in study['analyses']['greedy'][field]:
      where = f'model for config.analyses.greedy.{field}'
      lookup.check_choice(where, name, study['models'])
  for name in study['analyses']['transfer']['models']:
    where = 'model for config.analyses.transfer.models'
    lookup.check_choice(where, name, study['models'])
  if not study['predict']['splits']:
    raise errors.UsageError(
      'config.predict.splits must name the splits that enter the store, got '
      f'none. Choices: {", ".join(study["data"]["splits"])}.'
    )
  lookup.check_choice(
    'split for config.analyses.split',
    study['analyses']['split'],
    study['predict']['splits'],
  )
  for field in ('splits', 'feature_splits'):
    for split in study['predict'][field]:
      where = f'split for config.predict.{field}'
      lookup.check_choice(where, split, study['data']['splits'])


def _check_views(study: Mapping[str, Any]) -> None:
  """Raises UsageError for a pair of views with a model not in the study."""
  for name in ('pairs', 'contrast'):
    field = f'specialisation.{name}'
    text = study['analyses']['specialisation'][name]
    for pair in specialisation_options.parse_pairs(field, text):
      for model in pair:
        lookup.check_choice(
          f'model for config.analyses.{field}', model, study['models']
        )


def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the part of `config.analyses` that `analyses.options` knows."""
  return {
    key: value
    for key, value in settings.items()
    if key not in ('split', 'pairs')
  }


def _study_options(study: Mapping[str, Any]) -> dict[str, Any]:
  """Returns `_options` of a study, with its data set for transfer."""
  options = _options(study['analyses'])
  transfer = dict(options['transfer'])
  transfer['dataset'] = transfer['dataset'] or study['transfer']['dataset']
  return options | {'transfer': transfer}


def dataset_names(study: Mapping[str, Any]) -> list[str]:
  """Returns the names of the study's data set and of its fallback."""
  # Only studies with a config name data sets; analyses of a store need none.
  from overlap import data

  settings = study['data']
  name = settings['dataset']
  fallback = data.stand_in(name, settings['fallback'])
  return [name, fallback] if fallback else [name]


def stored_dataset(path: epath.Path, study: Mapping[str, Any]) -> str:
  """Returns the study's data set in the store: the config's or the fallback.

  Raises:
    DataError: the store has neither.
  """
  names = dataset_names(study)
  split = study['analyses']['split']
  stored = store.Store(path).splits()
  for name in names:
    if (name, split) in stored:
      return name
  raise errors.DataError(
    f'{path} must hold predictions on {names[0]}/{split}, and holds '
    f'{", ".join("/".join(pair) for pair in stored) or "none"}: run the stage '
    'predict first.'
  )


def _pairs(text: str, models: Mapping[str, Any]) -> str | list[list[str]]:
  """Parses 'all', 'base' or 'model:model,model:model'."""
  if text in ('all', 'base'):
    return text
  pairs = [pair.split(':') for pair in text.split(',')]
  if any(len(pair) != 2 for pair in pairs):
    raise errors.UsageError(
      "config.analyses.pairs must be 'all', 'base' or "
      f"'model:model,model:model', got {text!r}."
    )
  for pair in pairs:
    for name in pair:
      lookup.check_choice('model for config.analyses.pairs', name, models)
  return pairs
