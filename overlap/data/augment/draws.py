"""Random draws with one key per example, and checks of arguments.

Every operation splits its key into one per example, so that the augmentation of
an example depends only on the key and its index in the batch, not on other
examples or on the number of devices that share the batch.
"""

import math

import jax
import jax.numpy as jnp

from overlap.core import errors


def uniform(key: jax.Array, batch: int, count: int) -> jax.Array:
  """Draws `count` uniform numbers in [0, 1) per example.

  Returns:
    float32 `[count, batch, 1, 1, 1]`, so that each row broadcasts with images
    `[batch, height, width, channels]`.
  """
  keys = jax.random.split(key, batch)
  drawn = jax.vmap(lambda k: jax.random.uniform(k, (count,)))(keys)
  return drawn.T[:, :, None, None, None]


def between(draw: jax.Array, bounds: tuple[float, float]) -> jax.Array:
  """Maps a draw in [0, 1) to the interval between two bounds."""
  low, high = bounds
  return low + draw * (high - low)


def index(draw: jax.Array, count: int) -> jax.Array:
  """Maps a draw in [0, 1) to int32 in 0 … count - 1."""
  return jnp.minimum(jnp.floor(draw * count).astype(jnp.int32), count - 1)


def check_images(images: jax.Array) -> None:
  """Checks the shape and dtype of images.

  Raises:
    DataError: the images are not float32 `[batch, height, width, 1 or 3]`.
  """
  if (
    images.ndim != 4
    or images.shape[-1] not in (1, 3)
    or images.dtype != jnp.float32
  ):
    raise errors.DataError(
      'Images to augment must be float32 [batch, height, width, 1 or 3], got '
      f'{images.dtype} {list(images.shape)}.'
    )


def check_range(
  name: str, value: float, least: float, most: float = math.inf
) -> None:
  """Raises UsageError unless `least <= value <= most`."""
  if not least <= value <= most:
    limits = f'at least {least}' if most == math.inf else f'{least} … {most}'
    raise errors.UsageError(f'{name} must be {limits}, got {value}.')


def check_bounds(
  name: str, bounds: tuple[float, float], least: float, most: float
) -> None:
  """Raises UsageError unless `least < low <= high <= most`."""
  low, high = bounds
  if not (least < low <= high <= most and high < math.inf):
    raise errors.UsageError(
      f'{name} must be (low, high), {least} < low <= high <= {most}, got '
      f'{bounds}.'
    )
