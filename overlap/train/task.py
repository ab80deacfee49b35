"""What a training method is given, and the phases it is made of."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
from etils import epath

from overlap import parallel
from overlap.data import pipeline
from overlap.data.examples import Examples
from overlap.inference import Input
from overlap.train import loop, optimizer
from overlap.train.step import Loss


@dataclasses.dataclass(frozen=True)
class Teacher:
  """A trained model that another one learns from."""

  model: nn.Module
  model_input: Input
  variables: Any


@dataclasses.dataclass(frozen=True)
class Task:
  """One model to train.

  Attributes:
    name: of the model.
    model: the Flax module.
    model_input: how images reach it.
    settings: the model's part of the study config, as plain dictionaries.
    train: the training split.
    heldout: the split that choices are made on, or None.
    folder: where the run keeps its checkpoints.
    num_threads: that read images.
    batch_size: of predictions.
    teacher: for methods that have one.
    write_scalars: given (phase, step, metrics) at each logged step.
  """

  name: str
  model: nn.Module
  model_input: Input
  settings: Mapping[str, Any]
  train: Examples
  heldout: Examples | None
  folder: epath.Path
  num_threads: int
  batch_size: int
  teacher: Teacher | None = None
  write_scalars: Callable[[str, int, dict[str, float]], None] | None = None


def run_phase(
  task: Task,
  phase: str,
  variables: Any,
  loss: Loss,
  settings: Mapping[str, Any],
  constants: Any = (),
) -> dict[str, Any]:
  """Trains by one loss with one schedule.

  Args:
    task: the model's.
    phase: names the phase's folder; a method may have several.
    variables: to start from.
    loss: see `step.Loss`.
    settings: the schedule: the fields of `config.train`.
    constants: arrays of the loss that are not trained.

  Returns:
    The variables at the end, on the host.
  """
  parallel.check_batch_size(settings['batch_size'])
  batch_size, total_steps = settings['batch_size'], settings['total_steps']

  def batches_from(start_step):
    return pipeline.batches(
      task.train,
      batch_size=batch_size,
      seed=task.settings['seed'],
      start_step=start_step,
      total_steps=total_steps,
      num_threads=task.num_threads,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
    )

  write_scalars = task.write_scalars
  common = task.settings['train']
  return loop.fit(
    name=task.name if phase == 'train' else f'{task.name} ({phase})',
    params=variables['params'],
    batch_stats=variables.get('batch_stats', {}),
    constants=constants,
    loss=loss,
    optimizer=optimizer.build(
      common['optimizer'],
      learning_rate=settings['learning_rate'],
      warmup_steps=settings['warmup_steps'],
      total_steps=total_steps,
      weight_decay=settings['weight_decay'],
      momentum=common['momentum'],
      clip_norm=common['clip_norm'],
    ),
    batches_from=batches_from,
    total_steps=total_steps,
    seed=task.settings['seed'],
    folder=task.folder / phase,
    log_every_steps=common['log_every_steps'],
    checkpoint_every_steps=common['checkpoint_every_steps'],
    # A config of before there was this field is without it.
    sharding=common.get('sharding', 'replicated'),
    write_scalars=write_scalars
    and (lambda step, values: write_scalars(phase, step, values)),
  )
