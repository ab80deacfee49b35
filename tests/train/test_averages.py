"""The average of weights and batches in parts, within whole steps."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from overlap.core import errors
from overlap.distributed import meshes
from overlap.models import layers
from overlap.train import loop, optimizer, step

DATA = np.random.default_rng(0).normal(size=(12, 8, 5)).astype(np.float32)
SGD = optimizer.build(
  'sgd', learning_rate=0.1, warmup_steps=0, total_steps=12, weight_decay=1e-3
)


def loss(params, batch_stats, constants, batch, key):
  """Noisy least squares, with statistics that move."""
  del constants
  noise = 0.1 * jax.random.normal(key, batch['x'].shape[:1])
  value = jnp.mean((batch['x'] @ params['w'] + noise - 1) ** 2)
  mean = 0.9 * batch_stats['mean'] + 0.1 * jnp.mean(batch['x'])
  return value, step.Aux({'mean': mean}, {'twice': 2 * value})


def plain(params, batch_stats, constants, batch, key):
  """The same, where the batch's parts make no difference."""
  del constants, key
  value = jnp.mean((batch['x'] @ params['w'] - 1) ** 2)
  return value, step.Aux(batch_stats, {'twice': 2 * value})


class Killed(Exception):
  """Stands for the machine going away."""


def run(folder, *, total_steps=12, kill_at=None, **options):
  def batches(start):
    for number in range(start, total_steps):
      if number == kill_at:
        raise Killed
      yield {'x': DATA[number]}

  return loop.fit(
    name='toy',
    params={'w': np.ones(5, np.float32)},
    batch_stats={'mean': np.zeros((), np.float32)},
    constants=(),
    loss=loss,
    optimizer=SGD,
    batches_from=batches,
    total_steps=total_steps,
    seed=3,
    folder=folder,
    log_every_steps=5,
    checkpoint_every_steps=4,
    **options,
  )


def test_the_average_is_that_of_the_weights_after_each_step(tmp_path):
  expected = {'params': {'w': np.ones(5)}, 'batch_stats': {'mean': 0.0}}
  for steps in range(1, 13):
    # The weights after so many steps: a run that ends there.
    after = run(tmp_path / str(steps), total_steps=steps)
    kept = min(0.5, steps / (9 + steps))
    expected = jax.tree.map(
      lambda old, new, kept=kept: kept * old + (1 - kept) * new, expected, after
    )
  got = run(tmp_path / 'average', ema_decay=0.5)
  assert kept == 0.5
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), got, expected
  )
  assert not np.allclose(got['params']['w'], after['params']['w'], rtol=1e-3)


@pytest.mark.parametrize(
  'options', [{'ema_decay': 0.9}, {'accumulate_steps': 2}]
)
def test_killed_and_resumed_ends_with_the_same_bits(tmp_path, options):
  whole = run(tmp_path / 'whole', **options)
  with pytest.raises(Killed):
    run(tmp_path / 'killed', kill_at=6, **options)
  resumed = run(tmp_path / 'killed', **options)
  jax.tree.map(np.testing.assert_array_equal, whole, resumed)


def apply_steps(with_loss, params, batches, parts):
  state = meshes.replicate(step.create_state(params, {}, SGD))
  for batch in batches:
    state, metrics = step.train_step(
      state, (), meshes.shard(batch), np.uint32(0), loss=with_loss,
      optimizer=SGD, accumulate_steps=parts,
    )  # fmt: skip
  return jax.device_get((state.params, metrics))


class Small(nn.Module):
  """A convolution, group norm and a head: nothing looks across examples."""

  @nn.compact
  def __call__(self, x):
    x = nn.relu(nn.GroupNorm(2)(layers.Conv(4, 3)(x)))
    return layers.head(3)(jnp.mean(x, axis=(1, 2)))


def classify(params, batch_stats, constants, batch, key):
  del constants, key
  logits = Small().apply({'params': params}, batch['image'])
  losses = optax.softmax_cross_entropy_with_integer_labels(
    logits, batch['label']
  )
  right = jnp.mean(logits.argmax(-1) == batch['label'])
  return jnp.mean(losses), step.Aux(batch_stats, {'accuracy': right})


@pytest.mark.parametrize('parts', [2, 4])
def test_a_batch_in_parts_makes_the_step_of_the_whole(parts):
  rng = np.random.default_rng(1)
  batches = [
    {
      'image': rng.normal(size=(16, 6, 6, 1)).astype(np.float32),
      'label': rng.integers(0, 3, 16).astype(np.int32),
    }
    for _ in range(3)
  ]
  params = jax.device_get(
    Small().init(jax.random.key(0), batches[0]['image'])['params']
  )
  whole = apply_steps(classify, params, batches, 1)
  in_parts = apply_steps(classify, params, batches, parts)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
    whole,
    in_parts,
  )
  moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), whole[0], params)
  assert min(jax.tree.leaves(moved)) > 1e-3


def test_every_part_has_its_key_and_updates_the_statistics():
  """Two parts are two losses, one after the other, averaged."""
  params, stats = {'w': jnp.ones(5)}, {'mean': jnp.float32(0)}
  batch = {'x': jnp.asarray(DATA[0])}
  key = jax.random.key(7)
  (value, aux), grads = step.accumulate.value_and_grad(loss, 2)(
    params, stats, (), batch, key
  )
  expected, expected_grads = [], []
  for part in range(2):
    (one, new), grad = jax.value_and_grad(loss, has_aux=True)(
      params, stats, (), {'x': batch['x'][part::2]},
      jax.random.fold_in(key, part),
    )  # fmt: skip
    stats = new.batch_stats
    expected.append(one)
    expected_grads.append(grad['w'])
  np.testing.assert_allclose(value, np.mean(expected), rtol=1e-6)
  np.testing.assert_allclose(aux.metrics['twice'], 2 * value, rtol=1e-6)
  np.testing.assert_allclose(
    grads['w'], np.mean(expected_grads, axis=0), rtol=1e-5
  )
  np.testing.assert_allclose(aux.batch_stats['mean'], stats['mean'], rtol=1e-6)
  assert expected[0] != expected[1]


@pytest.mark.parametrize(
  ('size', 'parts', 'match'),
  [(12, 2, r'accumulate_steps=2, got batch_size=12'), (8, 0, 'at least 1')],
)
def test_parts_that_do_not_divide_are_refused(size, parts, match):
  with pytest.raises(errors.UsageError, match=match):
    meshes.check_batch_size(size, parts=parts)


def test_a_decay_of_one_is_refused():
  with pytest.raises(errors.UsageError, match=r'ema_decay must be in \[0, 1\)'):
    optimizer.check_settings('x', {'optimizer': 'sgd', 'ema_decay': 1.0})
