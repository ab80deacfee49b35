"""Supervised training: cross-entropy on labels."""

from typing import Any

import jax
import jax.numpy as jnp

from overlap.data import augment
from overlap.train import losses, step
from overlap.train.task import Task, run_phase


def train(task: Task, variables: Any) -> Any:
  """Trains on the labels; no step at all leaves `variables` as they are."""
  settings = task.settings['train']
  if not settings['total_steps']:
    return variables
  return run_phase(task, 'train', variables, make_loss(task), settings)


def make_loss(task: Task) -> step.Loss:
  """The loss of one step: augment, apply, cross-entropy."""
  settings = task.settings['train']
  transform = augment.build(settings['augment'])

  def loss(params, batch_stats, constants, batch, key):
    del constants
    augment_key, dropout_key = jax.random.split(key)
    images = transform(augment_key, prepare(task, batch['image']))
    logits, updates = apply_train(
      task, params, batch_stats, images, dropout_key
    )
    value = jnp.mean(
      losses.cross_entropy(logits, batch['label'], settings['label_smoothing'])
    )
    return value, step.Aux(
      updates.get('batch_stats', {}),
      {'accuracy': accuracy(logits, batch['label'])},
    )

  return loss


def prepare(task: Task, images: jax.Array) -> jax.Array:
  """uint8 images as the augmentations take them, in [0, 1]."""
  return augment.resize(
    augment.to_float(images, channels=task.model_input.channels),
    size=task.model_input.size,
  )


def apply_train(
  task: Task,
  params: Any,
  batch_stats: Any,
  images: jax.Array,
  dropout_key: jax.Array,
) -> tuple[jax.Array, Any]:
  """Logits in training mode, and the collections that changed."""
  (logits, _), updates = task.model.apply(
    {'params': params, 'batch_stats': batch_stats},
    augment.normalise(
      images, mean=task.model_input.mean, std=task.model_input.std
    ),
    train=True,
    mutable=['batch_stats', 'heads'],
    rngs={'dropout': dropout_key},
  )
  return logits, updates


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """The share of a batch that is right, `[]`."""
  return jnp.mean(jnp.argmax(logits, axis=-1) == labels)
