"""Meta pseudo labels (Pham et al., CVPR 2021).

A student learns from a teacher's labels of unlabelled images. The teacher
learns the real labels and, by the student's loss on labelled images after a
step, to give labels from which the student learns well. Both have the same
architecture. The student is the resulting model; in the end it is fine-tuned
on the labels for `train.total_steps`.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overlap.core import errors, lookup
from overlap.data import augment
from overlap.predict.forward import Input
from overlap.train import losses, meta, step, supervised, trainer
from overlap.train.task import Task, batches_of, run_phase

# Offset from the study's seeds, for the teacher's initial weights and for the
# order of the unlabelled images, which may be the labelled ones.
_OTHER_SEED = 1_000_003


def check_mpl(name: str, settings: Mapping[str, Any]) -> None:
  """Checks settings before any file is read.

  Args:
    name: name of the model.
    settings: config of the model.

  Raises:
    UsageError: the gradient is unknown, or the number of steps, the step size,
      the ratio or the temperature is not positive.
  """
  at, given = f'config.models.{name}.mpl', settings['mpl']
  lookup.check_choice(f'gradient (in {at})', given['gradient'], meta.GRADIENTS)
  for field in ('total_steps', 'step_size', 'unlabelled_ratio', 'temperature'):
    if not given[field] > 0:
      raise errors.UsageError(
        f"{at}.{field} must be positive where method='mpl', got {given[field]}."
      )


def train(task: Task, variables: Any) -> Any:
  """Trains teacher and student, then fine-tunes the student."""
  settings, common = task.settings['mpl'], task.settings['train']
  seed = task.settings['seed'] + _OTHER_SEED
  teacher = trainer.initial_variables(
    dataclasses.replace(task, settings={**task.settings, 'seed': seed})
  )
  start = {
    kind: {
      'student': variables.get(kind, {}), 'teacher': teacher.get(kind, {}),
    }
    for kind in ('params', 'batch_stats')
  }  # fmt: skip
  loss = make_loss(
    task.model,
    task.model_input,
    weak=common['augment'],
    strong=settings['augment'],
    label_smoothing=common['label_smoothing'],
    gradient=settings['gradient'],
    step_size=settings['step_size'],
    consistency=settings['consistency'],
    temperature=settings['temperature'],
  )
  end = run_phase(
    task, 'mpl', start, loss, settings, batches_from=_batches_from(task, seed)
  )
  return supervised.train(
    task, {kind: parts['student'] for kind, parts in end.items()}
  )


def _batches_from(task: Task, seed: int) -> Any:
  """Returns batches with labelled images and, as 'unlabelled', others."""
  settings = task.settings['mpl']
  size = settings['batch_size'] * settings['unlabelled_ratio']
  labelled = batches_of(task, task.train, settings)
  unlabelled = batches_of(
    task, task.unlabelled or task.train, {**settings, 'batch_size': size},
    seed=seed,
  )  # fmt: skip

  def batches(start_step: int) -> Iterator[dict[str, np.ndarray]]:
    both = zip(labelled(start_step), unlabelled(start_step), strict=True)
    for one, other in both:
      yield one | {'unlabelled': other['image']}

  return batches


@functools.cache
def make_loss(
  model: nn.Module,
  model_input: Input,
  *,
  weak: str,
  strong: str,
  label_smoothing: float,
  gradient: str,
  step_size: float,
  consistency: float,
  temperature: float,
) -> step.Loss:
  """Returns the loss of one step: the student's plus the teacher's.

  Neither depends on the other's parameters as far as gradients are concerned,
  so the gradient of the sum has both gradients side by side.

  Args:
    model: Flax module of the teacher and the student.
    model_input: input format of both networks.
    weak: augmentation policy of the images that the teacher labels, and of
      labelled images.
    strong: augmentation policy of the images that the student sees.
    label_smoothing: label smoothing of the real labels.
    gradient: estimator of the teacher's gradient, see `meta.loss`.
    step_size: step size of the student, see `meta.loss`.
    consistency: weight of the consistency loss between the teacher's
      predictions on both views (UDA, Xie et al. 2020).
    temperature: divisor of the logits that are the target of `consistency`.
  """
  weakly, strongly = augment.build(weak), augment.build(strong)

  def apply(params, batch_stats, images, key):
    (logits, _), updates = supervised.apply_train(
      model, model_input, params, batch_stats, images, key
    )
    return logits, updates.get('batch_stats', {})

  def loss(params, batch_stats, constants, batch, key):
    del constants
    keys = jax.random.split(key, 6)
    labels = batch['label']
    labelled = weakly(keys[0], supervised.prepare(model_input, batch['image']))
    unlabelled = supervised.prepare(model_input, batch['unlabelled'])
    seen = strongly(keys[1], unlabelled)
    views = [labelled, weakly(keys[2], unlabelled), seen]
    # In one call, so that batch statistics are those of all images.
    logits, teacher_stats = apply(
      params['teacher'],
      batch_stats['teacher'],
      jnp.concatenate(views if consistency else views[:2]),
      keys[3],
    )
    on_labelled, on_weak, on_strong = jnp.split(
      logits, [len(labelled), len(labelled) + len(seen)]
    )

    def pseudo(student, targets):
      logits, stats = apply(student, batch_stats['student'], seen, keys[4])
      return jnp.mean(losses.soft_targets(logits, targets)), stats

    def labelled_loss(student):
      logits, _ = apply(student, batch_stats['student'], labelled, keys[4])
      return jnp.mean(losses.cross_entropy(logits, labels)), logits

    by_student, targets, (after, student_logits) = meta.loss(
      pseudo, labelled_loss, params['student'], on_weak,
      gradient=gradient, step_size=step_size, key=keys[5],
    )  # fmt: skip
    student, student_stats = pseudo(params['student'], targets)
    teacher = by_student + jnp.mean(
      losses.cross_entropy(on_labelled, labels, label_smoothing)
    )
    if consistency:
      wanted = jax.lax.stop_gradient(jax.nn.softmax(on_weak / temperature))
      teacher += consistency * jnp.mean(losses.soft_targets(on_strong, wanted))
    stats = {'student': student_stats, 'teacher': teacher_stats}
    return student + teacher, step.Aux(
      stats,
      {
        'accuracy': supervised.accuracy(student_logits, labels),
        'teacher_accuracy': supervised.accuracy(on_labelled, labels),
        'student_loss': student,
        'student_loss_after': after,
      },
    )

  return loss
