"""Task of a training method, and the phases it consists of."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import optax
from etils import epath

from overlap import parallel
from overlap.data import augment, pipeline
from overlap.data.examples import Examples
from overlap.data.pairs import Pairs
from overlap.data.preparation import Preparation
from overlap.inference import Input
from overlap.train import groups, lengths, loop, optimizer
from overlap.train.step import Loss, Scheduled


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
    name: name of the model.
    model: the Flax module.
    model_input: how images reach it.
    settings: the model's part of the study config, as plain dictionaries.
    options: options of the module, with those that follow from its weights.
    train: the training split.
    heldout: the split that choices are made on, or None.
    folder: where the run keeps its checkpoints.
    begin: called before the first thing is written there.
    num_threads: number of threads that read images.
    batch_size: batch size of predictions.
    teacher: for methods that have one.
    unlabelled: examples whose labels are not looked at, for methods that learn
      from such; None for the training split.
    pairs: opens images with captions, for methods that learn from them; None
      for captions made of the class names.
    pretrain: opens another data set, for methods that learn from its labels
      first.
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
  unlabelled: Examples | None = None
  pairs: Callable[[], Pairs] | None = None
  pretrain: Callable[[], Examples] | None = None
  write_scalars: Callable[[str, int, dict[str, float]], None] | None = None
  begin: Callable[[], None] = lambda: None
  options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def on_device(settings: Mapping[str, Any]) -> str:
  """Returns the part of the augmentation policy that runs on the device."""
  count = settings.get('augment_on_host', 0)
  return augment.split(settings['augment'], count)[1]


def batches_of(
  task: Task,
  examples: Examples,
  settings: Mapping[str, Any],
  *,
  seed: int = -1,
  views: int = 1,
) -> loop.BatchesFrom:
  """This process's batches of examples, from a step on.

  Args:
    task: the model's.
    examples: what to train on.
    settings: with 'batch_size', over all processes, and 'total_steps'; and
      with an augmentation, where that begins on the host.
    seed: seed of their order; that of the task if negative.
    views: views of each image, where its augmentation begins on the host.
  """
  on_host = _on_host(task, settings, views)

  def batches_from(start_step):
    return pipeline.batches(
      examples,
      batch_size=settings['batch_size'],
      seed=task.settings['seed'] if seed < 0 else seed,
      start_step=start_step,
      total_steps=settings['total_steps'],
      num_threads=task.num_threads,
      process_index=parallel.process_index(),
      process_count=parallel.process_count(),
      on_host=on_host,
    )

  return batches_from


def run_phase(
  task: Task,
  phase: str,
  variables: Any,
  loss: Loss | Scheduled,
  settings: Mapping[str, Any],
  constants: Any = (),
  bounds: tuple[tuple[str, float], ...] = (),
  batches_from: loop.BatchesFrom | None = None,
  views: int = 1,
) -> dict[str, Any]:
  """Trains by one loss with one schedule.

  Args:
    task: the model's.
    phase: names the phase's folder; a method may have several.
    variables: to start from.
    loss: see `step.train_step`.
    settings: the phase's length, batches, learning rate and weight decay, and
      its optimiser where that is another than that of `config.train`.
    constants: arrays of the loss that are not trained.
    bounds: see `optimizer.build`.
    batches_from: see `loop.fit`; those of the training split if None.
    views: views of each image, where the phase's augmentation begins on the
      host.

  Returns:
    The variables at the end, on the host.
  """
  settings = lengths.in_steps(settings, len(task.train))
  batch_size, total_steps = settings['batch_size'], settings['total_steps']
  common = task.settings['train']
  accumulate_steps = common['accumulate_steps']
  optimizer.check_settings(f'config.models.{task.name}.train', common)
  parallel.check_batch_size(batch_size, parts=accumulate_steps)
  write_scalars = task.write_scalars
  chain = _optimizer(common, settings, bounds)
  batches = batches_from or batches_of(task, task.train, settings, views=views)
  task.begin()
  return loop.fit(
    name=task.name if phase == 'train' else f'{task.name} ({phase})',
    params=variables['params'],
    batch_stats=variables.get('batch_stats', {}),
    constants=constants,
    loss=groups.in_groups(loss, common['batch_norm_groups']),
    optimizer=chain,
    batches_from=batches,
    total_steps=total_steps,
    seed=task.settings['seed'],
    folder=task.folder / phase,
    log_every_steps=common['log_every_steps'],
    checkpoint_every_steps=common['checkpoint_every_steps'],
    ema_decay=common['ema_decay'],
    accumulate_steps=accumulate_steps,
    sharding=common['sharding'],
    write_scalars=write_scalars
    and (lambda step, values: write_scalars(phase, step, values)),
  )


def _on_host(
  task: Task, settings: Mapping[str, Any], views: int
) -> augment.OnHost | None:
  """Returns the host's part for original images; None for square ones."""
  count = settings.get('augment_on_host', 0)
  if not count:
    return None
  given = task.settings['input']
  preparation = Preparation(
    task.model_input.size,
    interpolation=given['interpolation'],
    antialias=given['antialias'],
    channel_order=given['channel_order'],
  )
  return augment.build_on_host(
    settings['augment'], count, preparation, views=views
  )


def _optimizer(
  common: Mapping[str, Any],
  settings: Mapping[str, Any],
  bounds: tuple[tuple[str, float], ...],
) -> optax.GradientTransformation:
  """The optimiser of a phase: what it does not say is that of `train`."""
  later = {
    field: common[field]
    for field in ('schedule', 'decay_factor', 'nesterov', 'decay_all')
    if field in common
  }
  return optimizer.build(
    settings.get('optimizer') or common['optimizer'],
    learning_rate=settings['learning_rate'],
    warmup_steps=settings['warmup_steps'],
    total_steps=settings['total_steps'],
    weight_decay=settings['weight_decay'],
    momentum=common['momentum'],
    clip_norm=common['clip_norm'],
    milestones=tuple(common.get('milestones', ())),
    bounds=bounds,
    **later,
  )
