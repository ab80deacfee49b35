"""MixUp against NumPy: images, labels, and the loss of a step."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.distributed import meshes
from overlap.models import layers
from overlap.predict import forward
from overlap.train import losses, mixup, optimizer, step, supervised

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (8, 4, 4, 1)).astype(np.uint8)
LABELS = RNG.integers(0, 3, 8).astype(np.int32)
INPUT = forward.Input(4, 1, (0.5,), (0.25,))


class Linear(nn.Module):
  """Logits that are linear in the pixels."""

  @nn.compact
  def __call__(self, x, *, train=False):
    x = x.reshape(len(x), -1)
    return layers.head(3)(x), x


@pytest.mark.parametrize('rows', [1, 2, 7])
def test_images_are_blends_of_neighbours(rows):
  images = IMAGES[:rows].astype(np.float32)
  mixed = mixup.mix(jax.random.key(3), jnp.asarray(images), 0.4)
  share = float(mixed.first)
  assert 0 < share < 1
  expected = [
    share * images[i] + (1 - share) * images[i - 1] for i in range(rows)
  ]
  np.testing.assert_allclose(mixed.images, expected, rtol=1e-5)


def test_without_alpha_nothing_is_mixed():
  images = jnp.asarray(IMAGES, jnp.float32)
  mixed = mixup.mix(jax.random.key(0), images, 0.0)
  assert mixed.images is images
  np.testing.assert_allclose(
    mixup.mean_loss(lambda labels: labels + 0.5, LABELS, mixed),
    np.mean(LABELS + 0.5),
  )


@pytest.mark.parametrize('alpha', [0.1, 1.0, 5.0])
def test_shares_are_drawn_from_their_distribution(alpha):
  keys = jax.random.split(jax.random.key(0), 2000)
  one = jnp.zeros((1, 1, 1, 1))
  shares = jax.vmap(lambda key: mixup.mix(key, one, alpha).first)(keys)
  # Of Beta(alpha, alpha).
  np.testing.assert_allclose(np.mean(shares), 0.5, atol=0.04)
  np.testing.assert_allclose(
    np.var(shares), 1 / (4 * (2 * alpha + 1)), rtol=0.1
  )


@pytest.mark.parametrize('smoothing', [0.0, 0.2])
def test_the_loss_is_cross_entropy_to_the_mixed_labels(smoothing):
  logits = RNG.normal(size=(8, 3)).astype(np.float32)
  one_hot = np.eye(3)[LABELS] * (1 - smoothing) + smoothing / 3
  targets = 0.3 * one_hot + 0.7 * np.roll(one_hot, 1, axis=0)
  exact = logits.astype(np.float64)
  logs = exact - np.log(np.sum(np.exp(exact), axis=1, keepdims=True))
  got = mixup.mean_loss(
    lambda labels: losses.cross_entropy(jnp.asarray(logits), labels, smoothing),
    jnp.asarray(LABELS),
    mixup.Mixed(jnp.zeros(1), jnp.float32(0.3)),
  )
  np.testing.assert_allclose(
    got, -np.mean(np.sum(targets * logs, axis=1)), rtol=1e-5
  )


def test_a_step_on_several_devices_mixes_across_their_borders():
  """The first image of each device is mixed with another device's last."""
  loss = supervised.make_loss(
    Linear(), INPUT, policy='none', label_smoothing=0.0, mixup_alpha=1.0
  )
  kernel = RNG.normal(size=(16, 3)).astype(np.float32)
  params = {'head': {'kernel': kernel, 'bias': np.zeros(3, np.float32)}}
  sgd = optimizer.build(
    'sgd', learning_rate=0.1, warmup_steps=0, total_steps=9, weight_decay=0.0
  )
  batch = {'image': IMAGES, 'label': LABELS}
  _, metrics = step.train_step(
    meshes.replicate(step.create_state(params, {}, sgd)),
    (), meshes.shard(batch), np.uint32(5), loss=loss, optimizer=sgd,
  )  # fmt: skip
  key = jax.random.fold_in(jax.random.key(np.uint32(5)), 0)
  share = float(jax.random.beta(jax.random.fold_in(key, 0), 1.0, 1.0))
  images = (IMAGES / 255).astype(np.float64)
  images = share * images + (1 - share) * np.roll(images, 1, axis=0)
  logits = ((images - 0.5) / 0.25).reshape(8, -1) @ kernel
  logs = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
  one_hot = np.eye(3)[LABELS]
  targets = share * one_hot + (1 - share) * np.roll(one_hot, 1, axis=0)
  np.testing.assert_allclose(
    metrics['loss'], -np.mean(np.sum(targets * logs, axis=1)), rtol=1e-4
  )


def loss_of(policy, resized):
  loss = supervised.make_loss(
    Linear(), INPUT, policy=policy, label_smoothing=0.0, resized=resized
  )
  params = {'head': {'kernel': jnp.ones((16, 3)), 'bias': jnp.zeros(3)}}
  batch = {'image': jnp.asarray(IMAGES), 'label': jnp.asarray(LABELS)}
  return loss(params, {}, (), batch, jax.random.key(0))[0]


def test_images_are_resized_before_they_are_cut():
  assert np.isfinite(loss_of('cut(4)|flip', 6))
  with pytest.raises(errors.UsageError, match=r'input\.size=4, got 6×6'):
    loss_of('flip', 6)
