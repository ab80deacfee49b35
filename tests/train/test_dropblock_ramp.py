"""DropBlock that grows from step to step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from overlap import models
from overlap.core import errors
from overlap.predict.forward import Input
from overlap.train import groups, step, supervised

RNG = np.random.default_rng(0)
INPUT = Input(8, 1, (0.5,), (0.25,))
BATCH = {
  'image': RNG.integers(0, 256, (8, 8, 8, 1), dtype=np.uint8),
  'label': RNG.integers(0, 3, 8).astype(np.int32),
}
SGD = optax.sgd(0.1)
STEPS = 4


def resnet(strength=1.0, keep_prob=0.5):
  return models.build(
    'resnet', num_classes=3, stage_sizes=(1,), block='basic', width=4,
    stem='small', dropblock_groups=(1,), dropblock_keep_prob=keep_prob,
    dropblock_size=2, dropblock_strength=strength,
  )  # fmt: skip


def made(model, **options):
  return supervised.make_loss(
    model, INPUT, policy='none', label_smoothing=0.0, **options
  )


@pytest.fixture(scope='module')
def variables():
  images = np.zeros((1, 8, 8, 1), np.float32)
  return jax.device_get(jax.jit(resnet().init)(jax.random.key(0), images))


def losses(variables, loss, first=0, count=1):
  """Of the same weights at each of some steps."""
  state = step.create_state(
    variables['params'], variables['batch_stats'], optax.set_to_zero()
  )
  found = []
  for number in range(first, first + count):
    at = jax.tree.map(jnp.array, state.replace(step=jnp.int32(number)))
    _, metrics = step.train_step(
      at, (), BATCH, np.uint32(3), loss=loss, optimizer=optax.set_to_zero()
    )
    found.append(float(metrics['loss']))
  return found


@pytest.mark.slow
def test_each_step_is_that_of_a_model_that_drops_as_much(variables):
  got = losses(variables, made(resnet(), ramp_steps=STEPS), count=STEPS)
  want = [
    losses(variables, made(resnet(i / STEPS)), first=i)[0] for i in range(STEPS)
  ]
  np.testing.assert_allclose(got, want, rtol=1e-5)
  nothing = losses(variables, made(resnet(keep_prob=1.0)))
  np.testing.assert_allclose(got[0], nothing[0], rtol=1e-5)
  assert abs(got[-1] - losses(variables, made(resnet(0.0)), first=3)[0]) > 1e-3


@pytest.mark.slow
def test_in_groups_it_grows_too(variables):
  loss = groups.in_groups(made(resnet(), ramp_steps=STEPS), 2)
  constant = groups.in_groups(made(resnet(0.5)), 2)
  np.testing.assert_allclose(
    losses(variables, loss, first=2), losses(variables, constant, first=2),
    rtol=1e-5,
  )  # fmt: skip


def test_one_loss_is_made_for_all_seeds():
  assert made(resnet(), ramp_steps=3) is made(resnet(), ramp_steps=3)
  assert made(resnet(), ramp_steps=3) is not made(resnet(), ramp_steps=4)


@pytest.mark.parametrize(
  ('method', 'options'),
  [('supervised', {}), ('distill', {'dropblock_groups': [1]})],
)
def test_without_anything_to_raise_it_is_refused(method, options):
  settings = {
    'method': method,
    'architecture': {'options': options},
    'train': {'dropblock_ramp': True},
  }
  with pytest.raises(errors.UsageError, match='dropblock_ramp needs'):
    supervised.check_ramp('m', settings)
  settings['train'] = {'dropblock_ramp': False}
  supervised.check_ramp('m', settings)
