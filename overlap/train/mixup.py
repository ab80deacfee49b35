"""MixUp (Zhang et al., ICLR 2018): mixtures of two images and their labels."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Mixed(NamedTuple):
  """Batch after mixing.

  Attributes:
    images: mixed images, float32 `[B, H, W, C]`.
    first: weight of each image in its own mixture, `[]`.
  """

  images: jax.Array
  first: jax.Array | float


def mix(key: jax.Array, images: jax.Array, alpha: float) -> Mixed:
  """Mixes each image with the previous one in the batch.

  Batches are in random order, so a neighbour is as good as any other example,
  and devices exchange one image instead of all.

  Args:
    key: random key of the draw.
    images: images `[B, H, W, C]`.
    alpha: parameter of Beta(alpha, alpha), from which one weight per batch is
      drawn; 0 for no mixing.
  """
  if not alpha:
    return Mixed(images, 1.0)
  first = jax.random.beta(key, alpha, alpha)
  return Mixed(first * images + (1 - first) * before(images), first)


def before(rows: jax.Array) -> jax.Array:
  """Rolls rows by one: each gets the previous row, the first the last."""
  return jnp.roll(rows, 1, axis=0)


def mean_loss(
  losses: Callable[[jax.Array], jax.Array], labels: jax.Array, mixed: Mixed
) -> jax.Array:
  """Mean loss against mixed labels, `[]`.

  Cross-entropy is linear in its target, so this is the cross-entropy to the
  mixed distribution.

  Args:
    losses: function of labels int `[B]` that returns losses `[B]`.
    labels: labels of the images before mixing, int `[B]`.
    mixed: result of `mix`.
  """
  own = losses(labels)
  if isinstance(mixed.first, float):
    return jnp.mean(own)
  other = losses(before(labels))
  return jnp.mean(mixed.first * own + (1 - mixed.first) * other)
