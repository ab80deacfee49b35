"""Supervised training: cross-entropy on labels."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.data import augment
from overlap.inference import Input
from overlap.train import lengths, losses, step
from overlap.train.task import Task, on_device, run_phase


def train(task: Task, variables: Any) -> Any:
  """Trains on the labels; no step at all leaves `variables` as they are."""
  settings = task.settings['train']
  if not lengths.is_trained(settings):
    return variables
  loss = make_loss(
    task.model,
    task.model_input,
    policy=on_device(settings),
    label_smoothing=settings['label_smoothing'],
  )
  return run_phase(task, 'train', variables, loss, settings)


# Cached, so that models that differ in their seed share a compiled step.
@functools.cache
def make_loss(
  model: nn.Module, model_input: Input, *, policy: str, label_smoothing: float
) -> step.Loss:
  """The loss of one step: augment, apply, cross-entropy."""
  transform = augment.build(policy)

  def loss(params, batch_stats, constants, batch, key):
    del constants
    augment_key, dropout_key = jax.random.split(key)
    images = transform(augment_key, prepare(model_input, batch['image']))
    (logits, _), updates = apply_train(
      model, model_input, params, batch_stats, images, dropout_key
    )
    value = jnp.mean(
      losses.cross_entropy(logits, batch['label'], label_smoothing)
    )
    return value, step.Aux(
      updates.get('batch_stats', {}),
      {'accuracy': accuracy(logits, batch['label'])},
    )

  return loss


def prepare(model_input: Input, images: jax.Array) -> jax.Array:
  """uint8 images as the augmentations take them, in [0, 1]."""
  return augment.resize(
    augment.to_float(images, channels=model_input.channels),
    size=model_input.size,
  )


def apply_train(
  model: nn.Module,
  model_input: Input,
  params: Any,
  batch_stats: Any,
  images: jax.Array,
  dropout_key: jax.Array,
) -> tuple[tuple[jax.Array, jax.Array], Any]:
  """Applies in training mode to images in [0, 1].

  Returns:
    (logits, features), and the collections that changed.
  """
  return model.apply(
    {'params': params, 'batch_stats': batch_stats},
    augment.normalise(images, mean=model_input.mean, std=model_input.std),
    train=True,
    mutable=['batch_stats', 'heads'],
    rngs={'dropout': dropout_key},
  )


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """The share of a batch that is right, `[]`."""
  return jnp.mean(jnp.argmax(logits, axis=-1) == labels)
