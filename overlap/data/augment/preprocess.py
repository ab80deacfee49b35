"""From stored uint8 images to what a model takes.

Augmentation happens between `to_float` and `normalise`, on values in [0, 1].
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from overlap import errors

# ITU-R BT.601, as in Pillow's conversion to 'L'.
_LUMA = (0.299, 0.587, 0.114)
RESIZE_METHODS = ('bilinear', 'cubic')


def luma(images: jax.Array) -> jax.Array:
  """Brightness as the eye sees it.

  Args:
    images: `[..., height, width, channels]`, 1 or 3 channels.

  Returns:
    `[..., height, width, 1]`.
  """
  if images.shape[-1] == 1:
    return images
  # A sum of three terms, not a dot product: accelerators would round its
  # inputs, and a grey image must keep its values.
  red, green, blue = (
    weight * images[..., c : c + 1] for c, weight in enumerate(_LUMA)
  )
  return red + green + blue


def match_channels(images: jax.Array, *, channels: int) -> jax.Array:
  """Makes the number of channels right.

  Args:
    images: float32 `[batch, height, width, 1 or 3]`.
    channels: 1 or 3; grey is repeated, colour becomes its luma. 0: as is.

  Raises:
    UsageError: `channels` is none of 0, 1, 3.
  """
  if channels not in (0, 1, 3):
    raise errors.UsageError(f'channels must be 0, 1 or 3, got {channels}.')
  if channels in (0, images.shape[-1]):
    return images
  return jnp.repeat(images, 3, axis=-1) if channels == 3 else luma(images)


def to_float(images: jax.Array, *, channels: int = 0) -> jax.Array:
  """Scales to [0, 1] and makes the number of channels right.

  Args:
    images: uint8 `[batch, height, width, 1 or 3]`.
    channels: number of channels, see `match_channels`.

  Returns:
    float32 `[batch, height, width, channels]`.

  Raises:
    DataError: the images are of another type or shape.
    UsageError: `channels` is none of 0, 1, 3.
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
  """Resizes to squares, with antialiasing; leaves images of that size alone.

  Args:
    images: float32 `[batch, height, width, channels]` in [0, 1].
    size: the new height and width in pixels; 0 leaves the images alone.
    method: 'bilinear' or 'cubic'. Cubic overshoots at edges and is clipped.

  Raises:
    UsageError: a negative size or an unknown method.
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
    mean: one number, or one a channel, on the scale [0, 1].
    std: the same; positive.

  Raises:
    UsageError: the wrong number of values, or a std that is not positive.
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
  """`to_float`, `resize` and `normalise`: what evaluation does.

  Args:
    images: uint8 `[batch, height, width, 1 or 3]`.
    size: height and width of the result in pixels; 0: as is.
    channels: number of channels of the result, 1 or 3; 0: as is.
    mean: one number, or one a channel, on the scale [0, 1].
    std: the same; positive.
    method: 'bilinear' or 'cubic'.

  Returns:
    float32 `[batch, size, size, channels]`.

  Raises:
    DataError, UsageError: as the three functions it is made of.
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
