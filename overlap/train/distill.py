"""Distillation from another model of the study (DeiT, Touvron et al. 2021).

A student with a distillation token learns the labels with its class head and
the teacher's predictions with its distillation head; any other student learns
both with its only head.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors, lookup
from overlap.data import augment
from overlap.predict.forward import Input
from overlap.train import losses, mixup, step, supervised
from overlap.train.task import Task, on_device, run_phase

KINDS = ('hard', 'soft')


def train(task: Task, variables: Any) -> Any:
  """Trains on the labels and on the teacher's predictions.

  Raises:
    UsageError: there is no teacher, or the kind of distillation is unknown.
  """
  if task.teacher is None:
    raise errors.UsageError(
      f"config.models.{task.name}.distill.teacher must name a model, got ''."
    )
  settings, distill = task.settings['train'], task.settings['distill']
  loss = make_loss(
    task.model,
    task.model_input,
    task.teacher.model,
    task.teacher.model_input,
    policy=on_device(settings),
    label_smoothing=settings['label_smoothing'],
    kind=distill['kind'],
    weight=distill['weight'],
    temperature=distill['temperature'],
    mixup_alpha=settings['mixup'],
    resized=settings['resize'],
  )
  constants = {'teacher': task.teacher.variables}
  return run_phase(task, 'train', variables, loss, settings, constants)


@functools.cache
def make_loss(
  model: nn.Module,
  model_input: Input,
  teacher: nn.Module,
  teacher_input: Input,
  *,
  policy: str,
  label_smoothing: float,
  kind: str,
  weight: float,
  temperature: float,
  mixup_alpha: float = 0.0,
  resized: int = 0,
) -> step.Loss:
  """Returns the loss of one step: (1 - weight)·labels + weight·teacher."""
  lookup.check_choice('kind of distillation', kind, KINDS)
  transform = augment.build(policy)

  def loss(params, batch_stats, constants, batch, key):
    augment_key, dropout_key = jax.random.split(key)
    images = transform(
      augment_key, supervised.prepare(model_input, batch['image'], resized)
    )
    supervised.check_size(model_input, images, resized)
    mixed = mixup.mix(jax.random.fold_in(key, 0), images, mixup_alpha)
    images = mixed.images
    taught = _teach(teacher, teacher_input, constants['teacher'], images)
    (logits, _), updates = supervised.apply_train(
      model, model_input, params, batch_stats, images, dropout_key
    )
    heads = updates.get('heads', {})
    classified = heads['class'][0] if heads else logits
    by_labels = mixup.mean_loss(
      lambda labels: losses.cross_entropy(classified, labels, label_smoothing),
      batch['label'],
      mixed,
    )
    student = heads['distillation'][0] if heads else logits
    if kind == 'hard':
      by_teacher = losses.cross_entropy(student, jnp.argmax(taught, axis=-1))
    else:
      by_teacher = losses.soft_cross_entropy(student, taught, temperature)
    value = (1 - weight) * by_labels + weight * jnp.mean(by_teacher)
    return value, step.Aux(
      updates.get('batch_stats', {}),
      {
        'accuracy': supervised.accuracy(logits, batch['label']),
        'agreement': supervised.accuracy(logits, jnp.argmax(taught, axis=-1)),
      },
    )

  return loss


def _teach(
  teacher: nn.Module,
  teacher_input: Input,
  variables: Any,
  images: jax.Array,
) -> jax.Array:
  """Returns the teacher's logits on the student's augmented images."""
  images = augment.resize(
    augment.match_channels(images, channels=teacher_input.channels),
    size=teacher_input.size,
  )
  logits, _ = teacher.apply(
    variables,
    augment.normalise(images, mean=teacher_input.mean, std=teacher_input.std),
    train=False,
  )
  return jax.lax.stop_gradient(logits)
