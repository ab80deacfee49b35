"""Operations on pixel values, for 1 and 3 channels, and colour jitter.

Images are float32 `[batch, height, width, channels]` in [0, 1]; factors and
amounts are one number per example, `[batch, 1, 1, 1]`.
"""

import jax
import jax.numpy as jnp

from overlap.data.augment import draws
from overlap.data.augment.preprocess import luma


def blend(other: jax.Array, images: jax.Array, factor: jax.Array) -> jax.Array:
  """Interpolates (or extrapolates) from `other`, factor 0, to the images, 1.

  The result is clipped to [0, 1].
  """
  return jnp.clip(other + factor * (images - other), 0, 1)


def mean_luma(images: jax.Array) -> jax.Array:
  """Returns the mean luma `[batch, 1, 1, 1]`, the origin of contrast."""
  columns = jnp.mean(images, axis=1, keepdims=True)
  return luma(jnp.mean(columns, axis=2, keepdims=True))


def smooth(images: jax.Array) -> jax.Array:
  """Applies Pillow's 3×3 SMOOTH, the origin of sharpness; keeps the border."""
  _, height, width, _ = images.shape
  padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
  rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
  box = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
  y, x = jnp.arange(height)[:, None], jnp.arange(width)[None]
  border = (y == 0) | (y == height - 1) | (x == 0) | (x == width - 1)
  return jnp.where(border[None, :, :, None], images, (box + 4 * images) / 13)


def autocontrast(images: jax.Array) -> jax.Array:
  """Stretches each channel to [0, 1]; constant channels are unchanged."""
  low = jnp.min(images, axis=(1, 2), keepdims=True)
  extent = jnp.max(images, axis=(1, 2), keepdims=True) - low
  stretched = (images - low) / jnp.where(extent > 0, extent, 1)
  return jnp.where(extent > 0, stretched, images)


def posterize(images: jax.Array, bits: jax.Array | int) -> jax.Array:
  """Keeps the upper `bits` (int32, 1 … 8) of the 8 bits of each value."""
  return (_levels(images) & ~((1 << (8 - bits)) - 1)) / jnp.float32(255)


def solarize(images: jax.Array, threshold: jax.Array | float) -> jax.Array:
  """Inverts values of at least `threshold`."""
  return jnp.where(images < threshold, images, 1 - images)


def equalize(images: jax.Array) -> jax.Array:
  """Equalises each channel's histogram, exactly as Pillow does on 8 bits."""
  batch, height, width, channels = images.shape
  bins = jnp.arange(channels, dtype=jnp.int32)[None, None, None] * 256
  place = (_levels(images) + bins).reshape(batch, height * width * channels)
  empty = jnp.zeros(256 * channels, jnp.int32)
  counts = jax.vmap(lambda p: empty.at[p].add(1))(place)
  table = _equalizing_table(
    counts.reshape(batch, channels, 256), height * width
  )
  values = jnp.take_along_axis(
    table.reshape(batch, channels * 256), place, axis=1, mode='clip'
  )
  return values.reshape(images.shape)


def _levels(images: jax.Array) -> jax.Array:
  return jnp.clip(jnp.round(images * 255), 0, 255).astype(jnp.int32)


def _equalizing_table(counts: jax.Array, pixels: int) -> jax.Array:
  """Returns the new value of each level from counts `[batch, channels, 256]`.

  XLA recomputes an entry at each pixel that looks it up, so the division is in
  floats for speed; it is exact for integers below 2**24.
  """
  until = jnp.cumsum(counts, axis=2)
  # Pixels of the highest level present don't count towards a step.
  lower = jnp.max(jnp.where(until < pixels, until, 0), axis=2, keepdims=True)
  step = jax.lax.div(lower, 255)
  below = (until - counts).astype(jnp.float32)
  half = (step >> 1).astype(jnp.float32)
  level = jnp.floor((below + half) / jnp.maximum(step, 1).astype(jnp.float32))
  unchanged = jnp.arange(256, dtype=jnp.float32)[None, None]
  return jnp.where(step > 0, jnp.minimum(level, 255), unchanged) / 255


def shift_hue(images: jax.Array, turns: jax.Array) -> jax.Array:
  """Rotates the hue of colour images by `turns` of the full circle."""
  red, green, blue = (images[..., c] for c in range(3))
  value = jnp.maximum(jnp.maximum(red, green), blue)
  chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
  scale = 1 / jnp.where(chroma > 0, chroma, 1)
  sixths = jnp.where(
    value == red,
    (green - blue) * scale,
    jnp.where(
      value == green, 2 + (blue - red) * scale, 4 + (red - green) * scale
    ),
  )
  sixths = sixths + 6 * turns[..., 0]

  def channel(offset):
    k = offset + sixths
    k = k - 6 * jnp.floor(k / 6)
    return value - chroma * jnp.clip(jnp.minimum(k, 4 - k), 0, 1)

  return jnp.stack([channel(5), channel(3), channel(1)], axis=-1)


def grayscale(
  key: jax.Array, images: jax.Array, *, probability: float = 0.2
) -> jax.Array:
  """Converts each image to grey with `probability`.

  Raises:
    UsageError: the probability is outside 0 … 1.
  """
  draws.check_range('probability', probability, 0, 1)
  drawn = draws.uniform(key, images.shape[0], 1)[0]
  return jnp.where(drawn < probability, luma(images), images)


def color_jitter(
  key: jax.Array,
  images: jax.Array,
  *,
  brightness: float = 0.8,
  contrast: float = 0.8,
  saturation: float = 0.8,
  hue: float = 0.2,
  probability: float = 1.0,
) -> jax.Array:
  """Jitters brightness, contrast, saturation and hue, in a random order.

  On grey images only brightness and contrast change. Values are clipped to
  [0, 1] after each step.

  Args:
    key: one key for the batch.
    images: float32 `[batch, height, width, channels]`.
    brightness: half-range of the factor, uniform in 1 ± brightness, at least 0.
    contrast: half-range of the factor, as for `brightness`.
    saturation: half-range of the factor, as for `brightness`.
    hue: maximal rotation, uniform in ± hue of the circle; at most 0.5.
    probability: probability of changing an image at all.

  Raises:
    UsageError: an amount or the probability is out of range.
  """
  amounts = {
    'brightness': brightness, 'contrast': contrast, 'saturation': saturation
  }  # fmt: skip
  for name, amount in amounts.items():
    draws.check_range(name, amount, 0)
  draws.check_range('hue', hue, 0, 0.5)
  draws.check_range('probability', probability, 0, 1)
  steps = 4 if images.shape[-1] == 3 else 2
  drawn = draws.uniform(key, images.shape[0], 2 * steps + 1)
  strengths = [
    draws.between(drawn[i], (max(0.0, 1 - amount), 1 + amount))
    for i, amount in enumerate(amounts.values())
    if i < steps
  ]
  order = jnp.argsort(drawn[steps : 2 * steps], axis=0)
  jittered = images
  for which in order:
    jittered = _jitter_step(
      jittered, which, strengths, draws.between(drawn[3], (-hue, hue))
    )
  return jnp.where(drawn[-1] < probability, jittered, images)


def _jitter_step(
  images: jax.Array,
  which: jax.Array,
  strengths: list[jax.Array],
  turns: jax.Array,
) -> jax.Array:
  """Applies one step; `which [batch, 1, 1, 1]` indexes the kinds of jitter.

  Indices are in the order of the amounts of `color_jitter`.
  """
  others = [jnp.zeros_like(images[:, :1, :1, :1]), mean_luma(images)]
  if len(strengths) == 3:
    others.append(luma(images))
  other, factor = others[0], strengths[0]
  for i in range(1, len(strengths)):
    other = jnp.where(which == i, others[i], other)
    factor = jnp.where(which == i, strengths[i], factor)
  changed = blend(other, images, factor)
  if len(strengths) == 3:
    changed = jnp.where(which == 3, shift_hue(images, turns), changed)
  return changed
