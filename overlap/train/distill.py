"""Distillation from another model of the study (DeiT, Touvron et al. 2021).

A student with a distillation token learns the labels with its class head and
the teacher with its other head; any other student learns both with its only
one.
"""

from typing import Any

import jax
import jax.numpy as jnp

from overlap import errors, lookup
from overlap.data import augment
from overlap.train import losses, step, supervised
from overlap.train.task import Task, run_phase

KINDS = ('hard', 'soft')


def train(task: Task, variables: Any) -> Any:
  """Trains on the labels and on the teacher's predictions.

  Raises:
    UsageError: no teacher, or an unknown kind of distillation.
  """
  if task.teacher is None:
    raise errors.UsageError(
      f"config.models.{task.name}.distill.teacher must name a model, got ''."
    )
  constants = {'teacher': task.teacher.variables}
  settings = task.settings['train']
  return run_phase(
    task, 'train', variables, make_loss(task), settings, constants
  )


def make_loss(task: Task) -> step.Loss:
  """The loss of one step: (1 - weight)·labels + weight·teacher."""
  settings, distill = task.settings['train'], task.settings['distill']
  lookup.check('kind of distillation', distill['kind'], KINDS)
  transform = augment.build(settings['augment'])
  weight = distill['weight']

  def loss(params, batch_stats, constants, batch, key):
    augment_key, dropout_key = jax.random.split(key)
    images = transform(augment_key, supervised.prepare(task, batch['image']))
    taught = _teach(task, constants['teacher'], images)
    logits, updates = supervised.apply_train(
      task, params, batch_stats, images, dropout_key
    )
    heads = updates.get('heads', {})
    by_labels = losses.cross_entropy(
      heads['class'][0] if heads else logits,
      batch['label'],
      settings['label_smoothing'],
    )
    student = heads['distillation'][0] if heads else logits
    if distill['kind'] == 'hard':
      by_teacher = losses.cross_entropy(student, jnp.argmax(taught, axis=-1))
    else:
      by_teacher = losses.soft_cross_entropy(
        student, taught, distill['temperature']
      )
    return jnp.mean((1 - weight) * by_labels + weight * by_teacher), step.Aux(
      updates.get('batch_stats', {}),
      {
        'accuracy': supervised.accuracy(logits, batch['label']),
        'agreement': supervised.accuracy(logits, jnp.argmax(taught, axis=-1)),
      },
    )

  return loss


def _teach(task: Task, variables: Any, images: jax.Array) -> jax.Array:
  """The teacher's logits on the student's augmented images."""
  teacher = task.teacher
  assert teacher is not None
  images = augment.resize(
    augment.match_channels(images, channels=teacher.model_input.channels),
    size=teacher.model_input.size,
  )
  logits, _ = teacher.model.apply(
    variables,
    augment.normalise(
      images, mean=teacher.model_input.mean, std=teacher.model_input.std
    ),
    train=False,
  )
  return jax.lax.stop_gradient(logits)
