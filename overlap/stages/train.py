"""Stage train, which trains or loads every model."""

import dataclasses
import functools
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging
from etils import epath

from overlap.core import errors, files, provenance
from overlap.data.examples import Examples
from overlap.distributed import processes, sharing
from overlap.study import architecture, methods, model_images, specs
from overlap.study.study import Study
from overlap.train import checkpoint, scalars, trainer
from overlap.train.task import Task, Teacher
from overlap.workdir import layout, model_file

_RUN = re.compile('run-[0-9a-f]{16}')


def train(study: Study, model: str | None = None) -> None:
  """Trains or loads every model whose variables are missing."""
  names = study.selected(model)
  if processes.model_groups() > 1:
    _obtain_all(study, names)
  teachers = {
    name: specs.teacher_of(study.config['models'][name]) for name in names
  }
  needs = {name: [teacher] for name, teacher in teachers.items()}
  for name in sharing.share_out('train', needs):
    if is_trained(study, name):
      logging.info('%s: trained already', name)
      if processes.is_primary():  # A run may have been killed before doing it.
        _forget_runs(layout.model_folder(study.path, name))
      continue
    with provenance.timed(
      functools.partial(layout.add_timing, study.path, 'train', name)
    ):
      _train(study, name)


def _obtain_all(study: Study, names: Sequence[str]) -> None:
  """Fetches all data once, while all processes are together."""
  study.dataset  # noqa: B018 (even if there is no split to train on)
  study.reference  # noqa: B018 (even if there is no split to train on)
  for name in names:
    settings = study.config['models'][name]
    if settings['method'] == 'pretrain' and not is_trained(study, name):
      given = settings['pretrain']
      folder = given['data_dir'] or study.config['data']['data_dir']
      study.obtain(given['dataset'], folder)


def is_trained(study: Study, name: str) -> bool:
  """Returns whether a model's variables exist and are of this config.

  Raises:
    UsageError: they are another config's, and `study.replace` is not set.
  """
  done = read_model(study, name)
  if not done:
    return False
  if done['training_hash'] == _hash(study, name):
    return True
  if not study.replace:
    raise errors.UsageError(
      f'The model {name} of {study.path} must have been made by this '
      'config, and was made by another: use --resume=update to make it '
      'again, or another --workdir.'
    )
  return False


def _hash(study: Study, name: str) -> str:
  return specs.training_hash(study.config, name, study.dataset)


def run_folder(study: Study, name: str) -> epath.Path:
  """Returns the folder of the checkpoints of an unfinished training run.

  A run belongs to the config that started it: another config starts anew.
  """
  folder = layout.model_folder(study.path, name)
  return folder / f'run-{_hash(study, name)}'


def read_model(study: Study, name: str) -> dict[str, Any] | None:
  """Returns the model.json of a trained model, or None if absent.

  Raises:
    DataError: the file is damaged.
  """
  return model_file.read_model_file(layout.model_folder(study.path, name))


def make_task(study: Study, name: str) -> Task:
  """Returns a model of the study with its data, to train or to apply."""
  settings = study.config['models'][name]
  examples = study.reference
  if examples is None:
    raise errors.UsageError(
      "config.data.splits.train must name a split to train on, got ''."
    )
  examples = model_images.prepared(settings, examples)
  heldout = study.examples('heldout')
  if heldout is not None:
    heldout = model_images.prepared(settings, heldout)
  teacher = specs.teacher_of(settings)
  options = architecture.options(study, name)
  return Task(
    name=name,
    model=specs.build_for(settings, examples.class_names, options),
    options=options,
    model_input=specs.model_input(settings, examples),
    settings=settings,
    train=examples,
    heldout=heldout,
    folder=run_folder(study, name),
    begin=study.begin,
    num_threads=study.config['data']['num_threads'],
    batch_size=study.config['predict']['batch_size'],
    teacher=_teacher(study, teacher) if teacher else None,
    pairs=methods.pairs(settings, examples, study.config['data']['data_dir']),
    unlabelled=open_unlabelled(study, settings),
    pretrain=functools.partial(open_pretrain, study, settings, examples),
  )


def open_unlabelled(
  study: Study, settings: Mapping[str, Any]
) -> Examples | None:
  """Returns the unlabelled examples that a model's settings name, or None."""
  spec = settings.get('mpl', {}).get('unlabelled', '')
  if settings['method'] != 'mpl' or not spec:
    return None
  return model_images.prepared(settings, study.load('unlabelled', spec))


def open_pretrain(
  study: Study, settings: Mapping[str, Any], like: Examples
) -> Examples:
  """Returns the pre-training examples, with images of the size of `like`."""
  given = settings['pretrain']
  examples = study.load_other(
    given['dataset'],
    given['data_dir'],
    split='pretrain',
    spec=given['split'],
    image_size=like.image_size,
  )
  return model_images.prepared(settings, examples)


def _teacher(study: Study, name: str) -> Teacher:
  if read_model(study, name) is None:
    raise errors.DataError(
      f'The teacher {name} must be trained before its students: run the '
      f'stage train for it (--model={name}).'
    )
  task = make_task(study, name)
  return Teacher(task.model, task.model_input, load(study, task))


def load(study: Study, task: Task) -> Any:
  """Loads a trained model's variables.

  Raises:
    DataError: the variables are damaged.
  """
  folder = layout.model_folder(study.path, task.name)
  done = model_file.read_model_file(folder) or {}
  return checkpoint.load_variables(
    folder / 'checkpoint',
    trainer.template(task),
    sha256=done.get('variables_sha256'),
  )


def _train(study: Study, name: str) -> None:
  folder = layout.model_folder(study.path, name)
  task = make_task(study, name)
  if processes.is_primary():
    task = dataclasses.replace(
      task, write_scalars=scalars.scalar_writer(str(folder / 'tensorboard'))
    )
  every = study.selected(None)
  logging.info(
    '%s (model %d of %d): %s', name, every.index(name) + 1, len(every),
    methods.in_words(task.settings),
  )  # fmt: skip
  variables, notes = trainer.train_model(task)
  study.begin()
  (folder / model_file.FILE).unlink(missing_ok=True)
  checkpoint.save_variables(folder / 'checkpoint', variables)
  if processes.is_primary():
    _keep_metrics(task.folder, folder)
    model_file.write_model_file(
      folder,
      {
        'model': name,
        'training_hash': _hash(study, name),
        'dataset': study.dataset,
        'settings': task.settings,
        'options': task.options,
        **notes,
        'variables_sha256': checkpoint.digest(checkpoint.named(variables)),
      },
    )
    _forget_runs(folder)
  processes.barrier(f'trained {name}')


def _forget_runs(folder: epath.Path) -> None:
  """Removes the run folders of a model that is trained."""
  for run in folder.glob('run-*'):
    # Only folders of this program, and nothing that a link leads to.
    if _RUN.fullmatch(run.name) and not os.path.islink(run):
      run.rmtree()


def _keep_metrics(run: epath.Path, folder: epath.Path) -> None:
  """Moves each phase's metrics.csv out of a run folder before its removal."""
  for metrics in run.glob('*/metrics.csv'):
    files.write_text(
      folder / f'metrics_{metrics.parent.name}.csv', metrics.read_text()
    )
