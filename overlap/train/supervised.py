"""Supervised training with cross-entropy on labels."""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors
from overlap.data import augment
from overlap.predict.forward import Input
from overlap.train import lengths, losses, mixup, step
from overlap.train.task import Task, on_device, run_phase


def train(task: Task, variables: Any) -> Any:
  """Trains on the labels; returns `variables` as they are without steps."""
  settings = task.settings['train']
  if not lengths.is_trained(settings):
    return variables
  loss = make_loss(
    task.model,
    task.model_input,
    policy=on_device(settings),
    label_smoothing=settings['label_smoothing'],
    mixup_alpha=settings['mixup'],
    resized=settings['resize'],
    ramp_steps=_ramp_steps(task),
  )
  return run_phase(task, 'train', variables, loss, settings)


def _ramp_steps(task: Task) -> int:
  settings = task.settings['train']
  if not settings['dropblock_ramp']:
    return 0
  return lengths.in_steps(settings, len(task.train))['total_steps']


def check_ramp(at: str, settings: Mapping[str, Any]) -> None:
  """Checks that the model has the DropBlock that `train.dropblock_ramp` ramps.

  Args:
    at: name of the model in error messages.
    settings: config of the model.

  Raises:
    UsageError: the model has no DropBlock.
  """
  if not settings['train']['dropblock_ramp']:
    return
  groups = settings['architecture']['options'].get('dropblock_groups')
  if settings['method'] != 'supervised' or not groups:
    raise errors.UsageError(
      f"{at}.train.dropblock_ramp needs method='supervised' and "
      f'architecture.options.dropblock_groups, got {settings["method"]!r} and '
      f'{tuple(groups or ())}.'
    )


# Cached, so that models that differ in their seed share a compiled step.
@functools.cache
def make_loss(
  model: nn.Module,
  model_input: Input,
  *,
  policy: str,
  label_smoothing: float,
  mixup_alpha: float = 0.0,
  resized: int = 0,
  ramp_steps: int = 0,
) -> step.Loss | step.Scheduled:
  """Returns the loss of one step: augment, mix, apply, cross-entropy.

  Args:
    model: Flax module to train.
    model_input: input format of the model.
    policy: augmentation policy, see `augment.build`.
    label_smoothing: see `losses.cross_entropy`.
    mixup_alpha: see `mixup.mix`.
    resized: side of the images before the policy; 0 for the model's.
    ramp_steps: number of steps over which the DropBlock rate grows linearly
      from 0 to the model's ('scheduled DropBlock', Ghiasi, Lin and Le 2018); 0
      for a constant rate.
  """
  constant = functools.partial(
    _constant_loss,
    model_input=model_input, policy=policy, label_smoothing=label_smoothing,
    mixup_alpha=mixup_alpha, resized=resized,
  )  # fmt: skip
  if not ramp_steps:
    return constant(model)
  return step.Scheduled(
    lambda now: constant(model.clone(dropblock_strength=now / ramp_steps))
  )


def _constant_loss(
  model: nn.Module,
  *,
  model_input: Input,
  policy: str,
  label_smoothing: float,
  mixup_alpha: float,
  resized: int,
) -> step.Loss:
  transform = augment.build(policy)

  def loss(params, batch_stats, constants, batch, key):
    del constants
    augment_key, dropout_key = jax.random.split(key)
    images = transform(
      augment_key, prepare(model_input, batch['image'], resized)
    )
    check_size(model_input, images, resized)
    mixed = mixup.mix(jax.random.fold_in(key, 0), images, mixup_alpha)
    (logits, _), updates = apply_train(
      model, model_input, params, batch_stats, mixed.images, dropout_key
    )
    value = mixup.mean_loss(
      lambda labels: losses.cross_entropy(logits, labels, label_smoothing),
      batch['label'],
      mixed,
    )
    return value, step.Aux(
      updates.get('batch_stats', {}),
      {'accuracy': accuracy(logits, batch['label'])},
    )

  return loss


def prepare(model_input: Input, images: jax.Array, size: int = 0) -> jax.Array:
  """Converts uint8 images to resized images in [0, 1] for augmentation.

  Args:
    model_input: input format of the model.
    images: images `[B, H, W, C]`.
    size: side of the result; 0 for the model's.
  """
  return augment.resize(
    augment.to_float(images, channels=model_input.channels),
    size=size or model_input.size,
  )


def check_size(model_input: Input, images: jax.Array, resized: int) -> None:
  """Checks that the policy brings resized images to the model's size.

  Raises:
    UsageError: the size is not the model's.
  """
  size, got = model_input.size, images.shape[1:3]
  if resized and got != (size, size):
    raise errors.UsageError(
      f'train.augment must bring images of train.resize={resized} to '
      f'input.size={size}, got {got[0]}×{got[1]}; add cut({size}).'
    )


def apply_train(
  model: nn.Module,
  model_input: Input,
  params: Any,
  batch_stats: Any,
  images: jax.Array,
  dropout_key: jax.Array,
) -> tuple[tuple[jax.Array, jax.Array], Any]:
  """Applies a model in training mode to images in [0, 1].

  Returns:
    (logits, features), and the updated collections.
  """
  return model.apply(
    {'params': params, 'batch_stats': batch_stats},
    augment.normalise(images, mean=model_input.mean, std=model_input.std),
    train=True,
    mutable=['batch_stats', 'heads'],
    rngs={'dropout': dropout_key},
  )


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """Fraction of correct predictions in a batch, `[]`."""
  return jnp.mean(jnp.argmax(logits, axis=-1) == labels)
