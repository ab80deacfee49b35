"""The stage that fills the store."""

import functools
from collections.abc import Sequence

from absl import logging

from overlap import errors, inference, predict, provenance, store
from overlap.data.examples import Examples
from overlap.study import model_images, probe_models, specs, workdir
from overlap.study.study import Study
from overlap.study.training import load, make_task, read_model


def predict_all(study: Study, model: str | None = None) -> None:
  """Predicts every split that config names with every model."""
  names = study.selected(model)
  if names:  # Else no data are needed.
    _predict_images(study, names)
  # Last: they are fitted on what the others have stored.
  for name in study.selected(model, 'probe'):
    probe_models.predict(study, name)


def _predict_images(study: Study, names: Sequence[str]) -> None:
  settings = study.config['predict']
  for split in settings['splits']:
    _predict_split(study, _needed(study, split), predict.ARRAYS, names)
  for split in settings['feature_splits']:
    if split not in settings['splits']:
      _predict_split(study, _needed(study, split), ('features',), names)
  for split in study.config['transfer']['splits']:
    examples = study.transfer_examples(split)
    if examples is not None:
      _predict_split(study, examples, ('features',), names)


def _needed(study: Study, split: str) -> Examples:
  examples = study.examples(split)
  if examples is None:
    raise errors.UsageError(
      f'config.data.splits.{split} must name a split to predict, got "".'
    )
  return examples


def _predict_split(
  study: Study,
  examples: Examples,
  arrays: Sequence[str],
  names: Sequence[str],
) -> None:
  predict.ensure_examples(study.path, examples)
  for name in names:
    _predict(study, name, examples, arrays)


def _predict(
  study: Study, name: str, examples: Examples, arrays: Sequence[str]
) -> None:
  wanted = specs.prediction_hash(
    study.config, name, study.dataset, examples.split
  )
  record = store.Store(study.path).record(
    examples.dataset, examples.split, name
  )
  made = record is not None and record.get('config_hash') == wanted
  if record and made and set(arrays) <= set(record['arrays']):
    logging.info('%s: predicted %s already', name, examples.split)
    return
  # Features alone that are now wanted with logits are the same config's.
  if record and not (study.replace or made):
    raise errors.UsageError(
      f'The predictions of {name} in {study.path} must have been made by this '
      'config, and were made by another: use --resume=update to make them '
      'again, or another --workdir.'
    )
  trained = read_model(study, name)
  if trained is None:
    raise errors.DataError(
      f'{name} must be trained before it predicts: run the stage train.'
    )
  settings = study.config['models'][name]
  with provenance.timed(
    functools.partial(workdir.add_timing, study.path, 'predict', name)
  ):
    task = make_task(study, name)
    predict.predict(
      workdir=study.path,
      name=name,
      forward=inference.forward_function(task.model, task.model_input),
      variables=load(study, task),
      examples=model_images.prepared(settings, examples),
      batch_size=task.batch_size,
      num_threads=task.num_threads,
      record={
        'config_hash': wanted,
        'axes': specs.axes(settings, study.dataset),
        **specs.labels(settings, study.dataset_label),
      },
      arrays=arrays,
      replace=study.replace or made,
    )
  logging.info('%s: predicted %s', name, examples.split)
