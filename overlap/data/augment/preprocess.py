"""Preprocessing from stored uint8 images to model inputs.

Augmentation happens between `to_float` and `normalise`, on values in [0, 1].
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from overlap.core import errors

# ITU-R BT.601, as in Pillow's conversion to 'L'.
_LUMA = (0.299, 0.587, 0.114)
RESIZE_METHODS = ('bilinear', 'cubic')


def luma(images: jax.Array) -> jax.Array:
  """Returns the luma of images.

  Args:
    images: images `[..., height, width, channels]`, 1 or 3 channels.

  Returns:
    `[..., height, width, 1]`.
  """
  if images.shape[-1] == 1:
    return images
  # Not a dot product, whose inputs accelerators would round: a grey image must
  # keep its values.
  red, green, blue = (
    weight * images[..., c : c + 1] for c, weight in enumerate(_LUMA)
  )
  return red + green + blue


def match_channels(images: jax.Array, *, channels: int) -> jax.Array:
  """Converts images to a number of channels.

  Args:
    images: float32 `[batch, height, width, 1 or 3]`.
    channels: 3 (grey is repeated), 1 (colour is converted to luma), or 0 for no
      conversion.

  Raises:
    UsageError: `channels` is not 0, 1 or 3.
  """
  if channels not in (0, 1, 3):
    raise errors.UsageError(f'channels must be 0, 1 or 3, got {channels}.')
  if channels in (0, images.shape[-1]):
    return images
  return jnp.repeat(images, 3, axis=-1) if channels == 3 else luma(images)


def to_float(images: jax.Array, *, channels: int = 0) -> jax.Array:
  """Scales images to [0, 1] and converts them to a number of channels.

  Args:
    images: uint8 `[batch, height, width, 1 or 3]`.
    channels: number of channels, see `match_channels`.

  Returns:
    float32 `[batch, height, width, channels]`.

  Raises:
    DataError: the images have another dtype or shape.
    UsageError: `channels` is not 0, 1 or 3.
  """
  if (
    images.dtype != jnp.uint8
    or images.ndim != 4
    or images.shape[-1] not in (1, 3)
  ):
    raise errors.DataError(
      'Images must be uint8 [batch, height, width, 1 or 3], got '
      f'{images.dtype} {list(images.shape)}.'
    )
  return match_channels(images.astype(jnp.float32) / 255, channels=channels)


def resize(
  images: jax.Array, *, size: int, method: str = 'bilinear'
) -> jax.Array:
  """Resizes to squares with antialiasing, unless images have that size.

  Args:
    images: float32 `[batch, height, width, channels]` in [0, 1].
    size: new height and width in pixels; 0 to keep the size.
    method: 'bilinear' or 'cubic'. Cubic overshoots at edges and is clipped.

  Raises:
    UsageError: the size is negative or the method is unknown.
  """
  if size < 0:
    raise errors.UsageError(f'size must be at least 0, got {size}.')
  if method not in RESIZE_METHODS:
    raise errors.UsageError(
      f'method must be one of {", ".join(RESIZE_METHODS)}, got {method!r}.'
    )
  batch, height, width, channels = images.shape
  if size == 0 or (height, width) == (size, size):
    return images
  shape = (batch, size, size, channels)
  resized = jax.image.resize(images, shape, method, antialias=True)
  return jnp.clip(resized, 0, 1)


def normalise(
  images: jax.Array,
  *,
  mean: float | Sequence[float],
  std: float | Sequence[float],
) -> jax.Array:
  """Returns `(images - mean) / std`.

  Args:
    images: float32 `[batch, height, width, channels]` in [0, 1].
    mean: mean, one number or one per channel, on the scale [0, 1].
    std: standard deviation, one number or one per channel; positive.

  Raises:
    UsageError: the number of values is wrong, or a std is not positive.
  """
  channels = images.shape[-1]
  shift = _per_channel('mean', mean, channels)
  scale = _per_channel('std', std, channels)
  if not all(s > 0 for s in scale):
    raise errors.UsageError(f'std must be positive, got {std}.')
  return (images - _row(shift)) / _row(scale)


def preprocess(
  images: jax.Array,
  *,
  size: int,
  channels: int,
  mean: float | Sequence[float],
  std: float | Sequence[float],
  method: str = 'bilinear',
) -> jax.Array:
  """Preprocesses for evaluation: `to_float`, `resize` and `normalise`.

  Args:
    images: uint8 `[batch, height, width, 1 or 3]`.
    size: height and width of the result in pixels; 0 to keep the size.
    channels: number of channels of the result, 1 or 3; 0 to keep the channels.
    mean: mean, one number or one per channel, on the scale [0, 1].
    std: standard deviation, one number or one per channel; positive.
    method: 'bilinear' or 'cubic'.

  Returns:
    float32 `[batch, size, size, channels]`.

  Raises:
    DataError: the images have another dtype or shape.
    UsageError: another argument is invalid.
  """
  images = to_float(images, channels=channels)
  images = resize(images, size=size, method=method)
  return normalise(images, mean=mean, std=std)


def _per_channel(
  name: str, value: float | Sequence[float], channels: int
) -> tuple[float, ...]:
  values = tuple(value) if isinstance(value, Sequence) else (value,)
  if len(values) not in (1, channels):
    raise errors.UsageError(
      f'{name} must be 1 or {channels} numbers, got {len(values)}.'
    )
  return values


def _row(values: tuple[float, ...]) -> jax.Array:
  return jnp.asarray(values, jnp.float32)[None, None, None, :]
