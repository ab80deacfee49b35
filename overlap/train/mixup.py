"""MixUp (Zhang et al., ICLR 2018): blends of two images and of their labels."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Mixed(NamedTuple):
  """A batch after mixing.

  Attributes:
    images: float32 `[B, H, W, C]`.
    first: the share of each image that is its own, `[]`.
  """

  images: jax.Array
  first: jax.Array | float


def mix(key: jax.Array, images: jax.Array, alpha: float) -> Mixed:
  """Blends each image with the one before it in the batch.

  Batches are in random order, so a neighbour is as good as any other example,
  and devices send each other one image instead of all.

  Args:
    key: key of the draw.
    images: `[B, H, W, C]`.
    alpha: the share is drawn from Beta(alpha, alpha), one for the batch; 0: no
      mixing.
  """
  if not alpha:
    return Mixed(images, 1.0)
  first = jax.random.beta(key, alpha, alpha)
  return Mixed(first * images + (1 - first) * before(images), first)


def before(rows: jax.Array) -> jax.Array:
  """For each row the one before it, for the first one the last."""
  return jnp.roll(rows, 1, axis=0)


def mean_loss(
  losses: Callable[[jax.Array], jax.Array], labels: jax.Array, mixed: Mixed
) -> jax.Array:
  """The loss against mixed labels, `[]`.

  Cross-entropy is linear in its target, so that this is the cross-entropy to
  the mixed distribution.

  Args:
    losses: from labels int `[B]` to losses `[B]`.
    labels: int `[B]`, of the images before they were mixed.
    mixed: see `mix`.
  """
  own = losses(labels)
  if isinstance(mixed.first, float):
    return jnp.mean(own)
  other = losses(before(labels))
  return jnp.mean(mixed.first * own + (1 - mixed.first) * other)
