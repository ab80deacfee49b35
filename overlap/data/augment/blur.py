"""Separable Gaussian blur, with one width per example."""

import functools
import math

import jax
import jax.numpy as jnp

from overlap.data.augment import draws


def random_blur(
  key: jax.Array,
  images: jax.Array,
  *,
  probability: float = 0.5,
  sigma: tuple[float, float] = (0.1, 2.0),
) -> jax.Array:
  """Blurs each image with `probability` (Chen et al. 2020, appendix A).

  The kernel covers a tenth of the image as in the paper: its radius is a
  twentieth of the side, at least one pixel.

  Args:
    key: one key for the batch.
    images: float32 `[batch, height, width, channels]`.
    probability: probability of blurring an image.
    sigma: bounds of the Gaussian's standard deviation in pixels.

  Raises:
    UsageError: the probability or the bounds are out of range.
  """
  draws.check_range('probability', probability, 0, 1)
  draws.check_bounds('sigma', sigma, 0, math.inf)
  chosen, width = draws.uniform(key, images.shape[0], 2)
  blurred = gaussian_blur(images, draws.between(width, sigma)[:, 0, 0, 0])
  return jnp.where(chosen < probability, blurred, images)


def gaussian_blur(images: jax.Array, sigma: jax.Array) -> jax.Array:
  """Blurs with standard deviations `sigma [batch]`; borders are reflected."""
  for axis in (1, 2):
    images = _blur_along(images, sigma, axis)
  # The weights sum to one up to rounding.
  return jnp.clip(images, 0, 1)


def _blur_along(images: jax.Array, sigma: jax.Array, axis: int) -> jax.Array:
  size = images.shape[axis]
  radius = max(1, size // 20)
  offsets = jnp.arange(-radius, radius + 1, dtype=jnp.float32)[None]
  weights = jnp.exp(-0.5 * jnp.square(offsets / sigma[:, None]))
  weights = weights / jnp.sum(weights, axis=1, keepdims=True)
  around = [(0, 0)] * 4
  around[axis] = (radius, radius)
  padded = jnp.pad(images, around, mode='reflect')
  # A sum of shifted images takes fewer operations than a banded matrix product.
  shifted = (
    weights[:, k, None, None, None]
    * jax.lax.slice_in_dim(padded, k, k + size, axis=axis)
    for k in range(2 * radius + 1)
  )
  return functools.reduce(jnp.add, shifted)
