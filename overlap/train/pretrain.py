"""Supervised pre-training on another data set, then training on this one.

As BiT (Kolesnikov et al., 'Big Transfer', ECCV 2020) does at scale: training
on the labels of a large data set, then on the study's, by fine-tuning for
`train.total_steps` (see `catalog.bit_hyperrule` for the authors' schedule) or
by an L-BFGS head on the frozen features.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from overlap.core import errors
from overlap.train import lengths, supervised, trainer
from overlap.train.task import Task, on_device, run_phase

# Heads of the pre-training classes; DeiT has two.
_HEADS = ('head', 'head_dist')


def check_pretrain(name: str, settings: Mapping[str, Any]) -> None:
  """Checks settings before any file is read.

  Args:
    name: name of the model.
    settings: config of the model.

  Raises:
    UsageError: there is no step, or the head is neither trained nor fitted.
  """
  at, given = f'config.models.{name}', settings['pretrain']
  if not lengths.is_trained(given):
    raise errors.UsageError(
      f"{at}.pretrain.total_steps must be positive where method='pretrain', "
      f'got {given["total_steps"]}.'
    )
  fit = settings['head']['fit']
  if fit not in ('trained', 'lbfgs'):
    raise errors.UsageError(
      f"{at}.head.fit must be trained or lbfgs where method='pretrain', got "
      f'{fit!r}.'
    )
  if fit == 'trained' and not lengths.is_trained(settings['train']):
    raise errors.UsageError(
      f"{at}.train.total_steps must be positive where method='pretrain' and "
      "head.fit='trained', which is else never trained, got 0."
    )


def train(task: Task, variables: Any) -> Any:
  """Trains on the other data set, then fine-tunes with a new classifier."""
  settings, first = task.settings['pretrain'], _first(task)
  loss = supervised.make_loss(
    first.model,
    first.model_input,
    policy=on_device(settings),
    label_smoothing=settings['label_smoothing'],
  )
  end = run_phase(
    first, 'pretrain', trainer.initial_variables(first), loss, settings
  )
  heads = {
    name: variables['params'][name]
    for name in _HEADS
    if name in variables['params']
  }
  return supervised.train(
    task,
    {'params': end['params'] | heads, 'batch_stats': end['batch_stats']},
  )


def _first(task: Task) -> Task:
  """Returns the pre-training task: the other data set and its classes."""
  assert task.pretrain is not None
  examples = task.pretrain()
  return dataclasses.replace(
    task,
    model=task.model.clone(num_classes=len(examples.class_names)),
    train=examples,
    heldout=None,
  )
