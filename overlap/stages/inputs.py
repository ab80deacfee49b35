"""Opens the data that a run needs before anything is trained.

A missing file, split or class thus stops a study within seconds rather than
after hours, when the split is first read.
"""

import itertools
from collections.abc import Sequence

from overlap.core import errors
from overlap.data import pairs
from overlap.data.examples import Examples
from overlap.stages import predict, train
from overlap.study import methods
from overlap.study.study import Study


def check_inputs(
  study: Study, stages: Sequence[str], model: str | None
) -> None:
  """Opens every split that is to be learned from or predicted.

  Fetches data if necessary. Opens nothing if all models are trained and have
  predicted. All processes of a run call this together.

  Args:
    study: study to run.
    stages: stages to run.
    model: name of the only model to run them for; None for all.

  Raises:
    DataError: data are missing or faulty, or the splits' classes differ.
    UsageError: the data have no such split.
  """
  if not {'train', 'predict'} & set(stages):
    return
  names = study.selected(model)
  trained = {name: train.is_trained(study, name) for name in names}
  new = [name for name in names if 'train' in stages and not trained[name]]
  parts = predict.parts(study) if names else []
  unpredicted = 'predict' in stages and not all(
    trained[name] and predict.is_predicted(study, name, part)
    for name in names
    for part in parts
  )
  if not (new or unpredicted):
    return
  if study.reference is None:
    raise errors.UsageError(
      "config.data.splits.train must name a split to train on, got ''."
    )
  check_same_classes(
    [
      study.reference,
      study.examples('heldout') if new else None,
      *(part.examples(study) for part in parts if not part.is_transfer),
    ]
  )
  for part in parts:
    part.examples(study)
  for name in new:
    _open_others(study, name)


def check_same_classes(examples: Sequence[Examples | None]) -> None:
  """Raises DataError if splits differ in classes or in channels.

  Args:
    examples: splits of one data set; None for empty ones.
  """
  splits = [split for split in examples if split is not None]
  for first, other in itertools.pairwise(splits):
    names = f'{first.split!r} and {other.split!r}'
    if differing := set(first.class_names) ^ set(other.class_names):
      raise errors.DataError(
        f'{first.dataset}: all splits must have the same classes, got {names},'
        f' of which one alone has {min(differing)!r}; list all classes in '
        'config.data.classes where a split may lack some.'
      )
    if first.class_names != other.class_names:
      raise errors.DataError(
        f'{first.dataset}: all splits must have their classes in one order, '
        f'got two in {names}; list them in config.data.classes.'
      )
    if first.channels != other.channels:
      raise errors.DataError(
        f'{first.dataset}: the images of all splits must have as many channels,'
        f' got {first.channels} and {other.channels} in {names}.'
      )


def _open_others(study: Study, name: str) -> None:
  """Opens the data that only this model learns from."""
  settings = study.config['models'][name]
  data_dir = study.config['data']['data_dir']
  train.open_unlabelled(study, settings)
  if settings['method'] == 'pretrain':
    assert study.reference is not None  # Checked by `check`.
    train.open_pretrain(study, settings, study.reference)
  if given := methods.pairs_of(settings):
    pairs.require(given, data_dir=data_dir)
