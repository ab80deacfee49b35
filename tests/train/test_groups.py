"""Batch norm over groups: a mean of what each group would do alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from overlap.core import errors
from overlap.distributed import meshes
from overlap.models import layers
from overlap.train import groups, step

RNG = np.random.default_rng(0)
BATCH = {
  'image': RNG.normal(size=(16, 6, 6, 1)).astype(np.float32),
  'label': RNG.integers(0, 3, 16).astype(np.int32),
}
SGD = optax.sgd(0.1)


class Small(nn.Module):
  """A convolution, batch norm and a head, with noise from the key."""

  @nn.compact
  def __call__(self, x):
    x = layers.Conv(4, 3)(x)
    x = nn.relu(nn.BatchNorm(use_running_average=False, momentum=0.9)(x))
    return layers.head(3)(jnp.mean(x, axis=(1, 2)))


VARIABLES = jax.device_get(
  jax.jit(Small().init)(jax.random.key(0), BATCH['image'])
)
KEY = jax.random.key(3)


def loss(params, batch_stats, constants, batch, key):
  del constants
  noise = jax.random.normal(key, batch['image'].shape)
  logits, updates = Small().apply(
    {'params': params, 'batch_stats': batch_stats},
    batch['image'] + 0.1 * noise,
    mutable=['batch_stats'],
  )
  losses = optax.softmax_cross_entropy_with_integer_labels(
    logits, batch['label']
  )
  right = jnp.mean(logits.argmax(-1) == batch['label'])
  return jnp.mean(losses), step.Aux(updates['batch_stats'], {'accuracy': right})


def gradient(of, batch, key):
  return jax.value_and_grad(of, has_aux=True)(
    VARIABLES['params'], VARIABLES['batch_stats'], (), batch, key
  )


@pytest.mark.slow
@pytest.mark.parametrize('count', [2, 4, 16])
def test_groups_are_what_each_does_alone(count):
  each = 16 // count
  alone = [
    gradient(
      loss,
      {name: rows[i * each : (i + 1) * each] for name, rows in BATCH.items()},
      jax.random.fold_in(KEY, i),
    )
    for i in range(count)
  ]
  want = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *alone)
  got = gradient(groups.in_groups(loss, count), BATCH, KEY)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    got, want,
  )  # fmt: skip
  whole = gradient(loss, BATCH, KEY)
  assert abs(got[0][0] - whole[0][0]) > 1e-4


def test_one_group_is_the_loss_itself_and_others_are_made_once():
  assert groups.in_groups(loss, 1) is loss
  assert groups.in_groups(loss, 2) is groups.in_groups(loss, 2)


def test_groups_lie_on_devices_of_their_own():
  """Over eight devices the forward pass of two groups of four is the same."""
  made = []
  for batch in (meshes.shard(BATCH), BATCH):
    state = meshes.replicate(
      step.create_state(VARIABLES['params'], VARIABLES['batch_stats'], SGD)
    )
    after, metrics = step.train_step(
      state, (), batch, np.uint32(0),
      loss=groups.in_groups(loss, 2), optimizer=SGD,
    )  # fmt: skip
    made.append(jax.device_get((after.params, after.batch_stats, metrics)))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *made
  )


def check(method='supervised', size=8, phase_size=8, **fields):
  groups.check_groups(
    'at',
    {
      'train': {
        'batch_size': size,
        'batch_norm_groups': 1,
        'accumulate_steps': 1,
        **fields,
      },
      method: {'batch_size': phase_size},
    },
    method,
  )


@pytest.mark.parametrize(
  ('fields', 'match'),
  [
    ({'batch_norm_groups': 0}, 'at least 1, got 0'),
    ({'batch_norm_groups': 2, 'method': 'simclr'}, 'compares all'),
    ({'batch_norm_groups': 5}, r'at\.train.*of batch_norm_groups=5 times'),
    (
      {'batch_norm_groups': 4, 'accumulate_steps': 4},
      'accumulate_steps=4, got 8',
    ),
    (
      {'batch_norm_groups': 4, 'method': 'mpl', 'phase_size': 6},
      r'at\.mpl\.batch_size.*got 6',
    ),
  ],
)
def test_what_can_not_be(fields, match):
  with pytest.raises(errors.UsageError, match=match):
    check(**fields)


def test_what_can_be():
  check('simclr')
  check('mpl', batch_norm_groups=4)
