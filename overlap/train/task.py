"""Task of a training method, and its phases."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import optax
from etils import epath

from overlap.data import augment, pipeline
from overlap.data.examples import Examples
from overlap.data.pairs import Pairs
from overlap.data.preparation import Preparation
from overlap.distributed import meshes, processes
from overlap.predict.forward import Input
from overlap.train import groups, lengths, loop, optimizer
from overlap.train.step import Loss, Scheduled


@dataclasses.dataclass(frozen=True)
class Teacher:
  """Trained model that another one learns from."""

  model: nn.Module
  model_input: Input
  variables: Any


@dataclasses.dataclass(frozen=True)
class Task:
  """Model to train, with its data and settings.

  Attributes:
    name: name of the model.
    model: Flax module.
    model_input: input format of the model.
    settings: config of the model, as plain dictionaries.
    options: options of the module, including those implied by its weights.
    train: training split.
    heldout: held-out split for model selection, or None.
    folder: folder of the run's checkpoints.
    begin: callback before anything is written to `folder`.
    num_threads: number of threads that read images.
    batch_size: batch size of predictions.
    teacher: teacher of distillation; None for other methods.
    unlabelled: examples whose labels are ignored, for semi-supervised methods;
      None for the training split.
    pairs: function that opens images with captions, for image-text methods;
      None for captions made of the class names.
    pretrain: function that opens the data set of pre-training, for methods that
      need one.
    write_scalars: function called with (phase, step, metrics) at each logged
      step.
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
  """Returns a function of a step that yields this process's batches.

  Args:
    task: task of the model.
    examples: examples to train on.
    settings: fields 'batch_size' (over all processes) and 'total_steps', and
      the augmentation if it begins on the host.
    seed: seed of the order of examples; that of the task if negative.
    views: views per image if augmentation begins on the host.
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
      process_index=processes.process_index(),
      process_count=processes.process_count(),
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
  """Trains with one loss and one schedule.

  Args:
    task: task of the model.
    phase: name of the phase and its folder; a method may have several.
    variables: initial variables.
    loss: loss function, see `step.train_step`.
    settings: length, batch size, learning rate and weight decay of the phase,
      and its optimiser if it differs from that of `config.train`.
    constants: untrained arrays of the loss.
    bounds: upper bounds of parameters, see `optimizer.build`.
    batches_from: function of a step that returns batches, see `loop.fit`; None
      for the training split.
    views: views per image if the phase's augmentation begins on the host.

  Returns:
    The final variables, on the host.
  """
  settings = lengths.in_steps(settings, len(task.train))
  batch_size, total_steps = settings['batch_size'], settings['total_steps']
  common = task.settings['train']
  accumulate_steps = common['accumulate_steps']
  optimizer.check_settings(f'config.models.{task.name}.train', common)
  meshes.check_batch_size(batch_size, parts=accumulate_steps)
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
  """Returns the augmentation that runs on the host; None if there is none."""
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
  """Returns the optimiser of a phase, with `config.train` as the default."""
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
