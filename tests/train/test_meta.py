"""Meta pseudo labels: the teacher's gradient and what a student learns."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data.examples import ArrayExamples
from overlap.models import layers
from overlap.predict import forward
from overlap.study import specs
from overlap.train import meta, mpl, trainer
from overlap.train.task import Task

STEP_SIZE = 0.7
INPUT = forward.Input(2, 1, (0.5,), (0.25,))


class Linear(nn.Module):
  """Logits that are linear in the pixels."""

  num_classes: int = 3

  @nn.compact
  def __call__(self, x, *, train=False):
    x = x.reshape(len(x), -1)
    return layers.head(self.num_classes)(x), x


def softmax(x):
  x = np.exp(x - x.max(axis=-1, keepdims=True))
  return x / x.sum(axis=-1, keepdims=True)


def pixels(images):
  return ((images / 255 - 0.5) / 0.25).reshape(len(images), -1)


def cross_entropy(weights, x, targets):
  return -np.mean(np.sum(targets * np.log(softmax(x @ weights)), axis=-1))


def slope(weights, x, targets):
  return x.T @ (softmax(x @ weights) - targets) / len(x)


def problem(unlabelled=5):
  rng = np.random.default_rng(0)
  batch = {
    'image': rng.integers(0, 256, (4, 2, 2, 1)).astype(np.uint8),
    'label': rng.integers(0, 3, 4).astype(np.int32),
    'unlabelled': rng.integers(0, 256, (unlabelled, 2, 2, 1)).astype(np.uint8),
  }
  weights = {who: rng.normal(size=(4, 3)) for who in ('student', 'teacher')}
  return batch, weights


@functools.cache
def gradients(gradient, unlabelled=5, consistency=0.0, seed=0):
  """Of the loss, by the kernels of student and teacher."""
  batch, weights = problem(unlabelled)
  loss = mpl.make_loss(
    Linear(), INPUT, weak='none', strong='none', label_smoothing=0.0,
    gradient=gradient, step_size=STEP_SIZE, consistency=consistency,
    temperature=0.5,
  )  # fmt: skip
  params = {
    who: {'head': {'kernel': jnp.float32(kernel), 'bias': jnp.zeros(3)}}
    for who, kernel in weights.items()
  }
  stats = {'student': {}, 'teacher': {}}
  grads, _ = jax.grad(loss, has_aux=True)(
    params, stats, (), batch, jax.random.key(seed)
  )
  return tuple(grads[who]['head']['kernel'] for who in ('student', 'teacher'))


def numerical(function, at, epsilon=1e-5):
  result = np.zeros_like(at)
  for place in np.ndindex(at.shape):
    step = np.zeros_like(at)
    step[place] = epsilon
    result[place] = (function(at + step) - function(at - step)) / (2 * epsilon)
  return result


def test_the_teachers_gradient_is_that_of_the_students_loss_after_its_step():
  batch, weights = problem()
  x, u = pixels(batch['image']), pixels(batch['unlabelled'])
  labels = np.eye(3)[batch['label']]
  student = weights['student']

  def teachers(teacher):
    # The bias of the student's step, of which the bias is part too.
    targets = softmax(u @ teacher)
    wide = np.hstack([u, np.ones((len(u), 1))])
    kernel_and_bias = np.vstack([student, np.zeros((1, 3))])
    after = kernel_and_bias - STEP_SIZE * slope(kernel_and_bias, wide, targets)
    seen = np.hstack([x, np.ones((len(x), 1))])
    return cross_entropy(after, seen, labels) + cross_entropy(
      teacher, x, labels
    )

  of_student, of_teacher = gradients('exact')
  np.testing.assert_allclose(
    of_teacher, numerical(teachers, weights['teacher']), rtol=1e-3, atol=1e-5
  )
  # The student learns the teacher's labels and nothing else.
  np.testing.assert_allclose(
    of_student,
    slope(student, u, softmax(u @ weights['teacher'])),
    rtol=1e-3,
    atol=1e-5,
  )
  by_labels = slope(weights['teacher'], x, labels)
  assert np.abs(of_teacher - by_labels).max() > 0.01


def test_the_teacher_agrees_with_itself_on_both_views():
  batch, weights = problem()
  u = pixels(batch['unlabelled'])
  wanted = softmax(u @ weights['teacher'] / 0.5)
  difference = gradients('exact', 5, 2.0)[1] - gradients('exact')[1]
  np.testing.assert_allclose(
    difference, 2 * slope(weights['teacher'], u, wanted), rtol=1e-3, atol=1e-5
  )


@pytest.mark.parametrize('seed', range(3))
def test_the_sampled_gradient_is_equation_12(seed):
  batch, weights = problem(1)
  x, u = pixels(batch['image']), pixels(batch['unlabelled'])
  x = np.hstack([x, np.ones((len(x), 1))])
  wide = np.hstack([u, np.ones((1, 1))])
  labels = np.eye(3)[batch['label']]
  student = np.vstack([weights['student'], np.zeros((1, 3))])
  of_student, of_teacher = gradients('sampled', 1, 0.0, seed)
  found = []
  for drawn in np.eye(3):
    before = slope(student, wide, drawn[None])
    after = slope(student - STEP_SIZE * before, x, labels)
    h = STEP_SIZE * np.sum(before * after)
    expected = h * slope(weights['teacher'], u, drawn[None])
    expected = expected + slope(weights['teacher'], x[:, :4], labels)
    found.append(
      np.allclose(of_student, before[:4], rtol=1e-3, atol=1e-5)
      and np.allclose(of_teacher, expected, rtol=1e-3, atol=1e-5)
    )
  assert sum(found) == 1  # That of the class which was drawn.


def examples(split, count, seed):
  """Noise with one bright quadrant; the label says which of four."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 4, count).astype(np.int32)
  images = rng.integers(0, 120, (count, 8, 8, 1)).astype(np.uint8)
  for image, label in zip(images, labels):
    row, column = 4 * (label // 2), 4 * (label % 2)
    image[row : row + 4, column : column + 4] += 100
  return ArrayExamples(
    dataset='quadrants', split=split,
    ids=np.array([f'{split}/{i}' for i in range(count)]),
    class_names=tuple('abcd'), images=images, labels=labels,
  )  # fmt: skip


def settings_of(**flat):
  config = schema.model(
    'resnet', stage_sizes=(1,), block='basic', width=8, stem='small'
  )
  config.update_from_flattened_dict(
    {
      'method': 'mpl',
      'train.optimizer': 'adamw',
      'mpl.total_steps': 200,
      'mpl.batch_size': 16,
      'mpl.unlabelled_ratio': 2,
      'mpl.learning_rate': 1e-2,
    }
    | flat
  )
  return schema._plain(config.to_dict())


@pytest.mark.slow
@pytest.mark.parametrize('gradient', meta.GRADIENTS)
def test_a_student_learns_from_images_without_labels(tmp_path, gradient):
  settings = settings_of(**{'mpl.gradient': gradient})
  mpl.check_mpl('toy', settings)
  few = examples('train', 128, 0)
  one = Task(
    name='toy',
    model=specs.build_model(settings, num_classes=4),
    model_input=specs.model_input(settings, few),
    settings=settings,
    train=few,
    heldout=examples('heldout', 64, 1),
    unlabelled=examples('unlabelled', 256, 2),
    folder=tmp_path,
    num_threads=1,
    batch_size=32,
  )
  variables, notes = trainer.train_model(one)
  assert notes['heldout_accuracy'] > 0.9
  assert jax.tree.structure(variables) == jax.tree.structure(
    trainer.template(one)
  )


@pytest.mark.parametrize(
  ('flat', 'match'),
  [
    ({'mpl.gradient': 'exakt'}, "'exact'"),
    ({'mpl.total_steps': 0}, r'toy\.mpl\.total_steps must be positive'),
    ({'mpl.step_size': -1.0}, r'toy\.mpl\.step_size must be positive'),
  ],
)
def test_settings_that_can_not_be_are_one_line(flat, match):
  with pytest.raises(errors.UsageError, match=match):
    mpl.check_mpl('toy', settings_of(**flat))


def test_it_is_a_framework_of_its_own():
  assert specs.axes(settings_of(), 'd')['framework'] == 'mpl'
