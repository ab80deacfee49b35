"""Optimisers and schedules against their definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from overlap.core import errors
from overlap.train import optimizer, schedules

COMMON = {
  'learning_rate': 0.2, 'warmup_steps': 3, 'total_steps': 20,
  'weight_decay': 0.05,
}  # fmt: skip
STEPS = 6


def random_params(seed):
  rng = np.random.default_rng(seed)
  return {
    'kernel': rng.normal(size=(3, 2)),
    'bias': rng.normal(size=2),
    'scale': rng.normal(size=()),
  }


def rate(step):
  """Linear warm-up over 3 steps, then half a cosine to 0 at step 20."""
  if step < 3:
    return 0.2 * step / 3
  return 0.2 * (1 + np.cos(np.pi * (step - 3) / 17)) / 2


def follow(update, gradients):
  """Applies `update(step, name, param, gradient, memory)` in float64."""
  params = random_params(0)
  memory = {name: {} for name in params}
  for step, gradient in enumerate(gradients):
    for name in params:
      params[name] = params[name] + update(
        step, name, params[name], gradient[name], memory[name]
      )
  return params


def run(transform, gradients):
  params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), random_params(0))
  state = transform.init(params)
  for gradient in gradients:
    gradient = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), gradient)
    updates, state = transform.update(gradient, state, params)
    params = optax.apply_updates(params, updates)
  return params


def momentum(memory, step, nesterov, decay=0.9):
  memory['trace'] = decay * memory.get('trace', 0) + step
  return step + decay * memory['trace'] if nesterov else memory['trace']


def sgd(step, name, param, gradient, memory, *, nesterov, decay_all):
  if name == 'kernel' or decay_all:
    gradient = gradient + 0.05 * param
  return -rate(step) * momentum(memory, gradient, nesterov)


def lars(step, name, param, gradient, memory, *, nesterov, decay_all):
  """You et al. 2017: the rate, with the local one, is within the momentum."""
  if name == 'kernel' or decay_all:
    gradient = gradient + 0.05 * param
  local = 1.0
  if name == 'kernel':
    local = 0.001 * np.linalg.norm(param) / np.linalg.norm(gradient)
  return -momentum(memory, rate(step) * local * gradient, nesterov)


def rmsprop(step, name, param, gradient, memory, *, nesterov, decay_all):
  """TensorFlow's: epsilon within the root, the rate within the momentum."""
  if name == 'kernel' or decay_all:
    gradient = gradient + 0.05 * param
  memory['v'] = 0.9 * memory.get('v', 1.0) + 0.1 * gradient**2
  direction = gradient / np.sqrt(memory['v'] + 1e-3)
  return -momentum(memory, rate(step) * direction, nesterov)


def adam_direction(memory, step, gradient, epsilon):
  memory['m'] = 0.9 * memory.get('m', 0) + 0.1 * gradient
  memory['v'] = 0.999 * memory.get('v', 0) + 0.001 * gradient**2
  m = memory['m'] / (1 - 0.9 ** (step + 1))
  v = memory['v'] / (1 - 0.999 ** (step + 1))
  return m / (np.sqrt(v) + epsilon)


def adamw(step, name, param, gradient, memory, *, nesterov, decay_all):
  del nesterov
  direction = adam_direction(memory, step, gradient, 1e-8)
  if name == 'kernel' or decay_all:
    direction = direction + 0.05 * param
  return -rate(step) * direction


def lamb(step, name, param, gradient, memory, *, nesterov, decay_all):
  """You et al. 2020, algorithm 2, with φ the identity."""
  del nesterov
  direction = adam_direction(memory, step, gradient, 1e-6)
  if name == 'kernel' or decay_all:
    direction = direction + 0.05 * param
  trust = np.linalg.norm(param) / np.linalg.norm(direction)
  return -rate(step) * trust * direction


RULES = {
  'sgd': sgd, 'adamw': adamw, 'rmsprop': rmsprop, 'lars': lars, 'lamb': lamb,
}  # fmt: skip


@pytest.mark.parametrize('name', optimizer.OPTIMIZERS)
@pytest.mark.parametrize('nesterov', [False, True])
@pytest.mark.parametrize('decay_all', [False, True])
def test_an_optimizer_is_its_definition(name, nesterov, decay_all):
  options = {'nesterov': nesterov, 'decay_all': decay_all}
  gradients = [random_params(i + 1) for i in range(STEPS)]
  expected = follow(lambda *args: RULES[name](*args, **options), gradients)
  got = run(optimizer.build(name, **COMMON, **options), gradients)
  for key, value in expected.items():
    np.testing.assert_allclose(got[key], value, rtol=1e-4, atol=1e-6)


def test_a_bounded_parameter_comes_to_its_bound_and_back():
  transform = optimizer.build(
    'sgd', learning_rate=1.0, warmup_steps=0, total_steps=100,
    weight_decay=0.0, momentum=0.0, bounds=(('scale', 2.0),),
  )  # fmt: skip
  params = {'scale': jnp.float32(1.5), 'other': jnp.float32(1.5)}
  state = transform.init(params)
  for gradient, scale in ((-0.2, 1.7), (-9.0, 2.0), (-9.0, 2.0), (0.5, 1.5)):
    grads = dict.fromkeys(params, jnp.float32(gradient))
    updates, state = transform.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    # The cosine has hardly begun to fall.
    np.testing.assert_allclose(params['scale'], scale, rtol=2e-3)
  assert params['other'] > 10


def values(name, *, warmup=0, **options):
  schedule = schedules.build(
    name, learning_rate=0.8, warmup_steps=warmup, total_steps=10, **options
  )
  return np.array([float(schedule(step)) for step in range(10)])


def test_step_decays_at_its_milestones():
  np.testing.assert_allclose(
    values('step', milestones=(0.3, 0.6, 0.9), decay_factor=0.5),
    [0.8] * 3 + [0.4] * 3 + [0.2] * 3 + [0.1],
    rtol=1e-6,
  )
  np.testing.assert_allclose(
    values('step', warmup=4, milestones=(0.5, 0.5, 0.8)),
    [0, 0.2, 0.4, 0.6, 0.8, 0.008, 0.008, 0.008, 0.0008, 0.0008],
    rtol=1e-5,
  )


def test_the_other_schedules():
  np.testing.assert_allclose(values('constant'), 0.8)
  np.testing.assert_allclose(
    values('linear', warmup=2),
    [0, 0.4, *(0.8 * (1 - np.arange(8) / 8))],
    rtol=1e-6,
  )
  np.testing.assert_allclose(
    values('cosine', warmup=2),
    [0, 0.4, *(0.4 * (1 + np.cos(np.pi * np.arange(8) / 8)))],
    rtol=1e-5,
  )


@pytest.mark.parametrize(
  ('name', 'options', 'match'),
  [
    ('cosinus', {}, "'cosine'"),
    ('step', {}, r'Milestones must be given'),
    ('cosine', {'milestones': (0.5,)}, r"\(0\.5,\) for 'cosine'"),
    ('step', {'milestones': (0.5, 0.3)}, r'rising, got \(0\.5, 0\.3\)'),
    ('step', {'milestones': (30.0,)}, r'in \(0, 1\)'),
    ('step', {'warmup': 10, 'milestones': (0.5,)}, r'warmup_steps=10'),
  ],
)
def test_schedules_that_can_not_be_are_one_line(name, options, match):
  with pytest.raises(errors.UsageError, match=match):
    values(name, **options)
