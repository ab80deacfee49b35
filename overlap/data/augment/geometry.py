"""Random crops, flips and affine warps of a batch of images."""

import math

import jax
import jax.numpy as jnp

from overlap.core import errors
from overlap.data.augment import draws

_PAD_MODES = ('constant', 'reflect', 'edge')
CROP_TRIES = 10


def random_crop(
  key: jax.Array, images: jax.Array, *, padding: int, mode: str = 'constant'
) -> jax.Array:
  """Shifts each image by up to `padding` whole pixels each way.

  Args:
    key: one key for the batch.
    images: float32 `[batch, height, width, channels]`.
    padding: pixels added on every side before cropping to the original size.
    mode: kind of padding: 'constant' (zeros), 'reflect' or 'edge'.

  Raises:
    UsageError: the padding is negative or the mode is unknown.
  """
  draws.check_range('padding', padding, 0)
  if mode not in _PAD_MODES:
    raise errors.UsageError(
      f'mode must be one of {", ".join(_PAD_MODES)}, got {mode!r}.'
    )
  around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
  drawn = draws.uniform(key, images.shape[0], 2)[..., 0, 0, 0]
  starts = draws.index(drawn, 2 * padding + 1)
  # On CPU, the batched slice is 1.3 to 20 times faster than gathers, one-hot
  # products and selection among all shifts.
  return jax.vmap(
    lambda image, top, left: jax.lax.dynamic_slice(
      image, (top, left, 0), images.shape[1:]
    )
  )(jnp.pad(images, around, mode=mode), starts[0], starts[1])


def random_cut(key: jax.Array, images: jax.Array, *, size: int) -> jax.Array:
  """Crops a random square of `size` whole pixels from each image.

  Returns:
    `[batch, size, size, channels]`.

  Raises:
    UsageError: the square does not fit into the images.
  """
  draws.check_range('size', size, 1, min(images.shape[1:3]))
  drawn = draws.uniform(key, images.shape[0], 2)[..., 0, 0, 0]
  top = draws.index(drawn[0], images.shape[1] - size + 1)
  left = draws.index(drawn[1], images.shape[2] - size + 1)
  return jax.vmap(
    lambda image, row, column: jax.lax.dynamic_slice(
      image, (row, column, 0), (size, size, image.shape[-1])
    )
  )(images, top, left)


def random_flip(
  key: jax.Array, images: jax.Array, *, probability: float = 0.5
) -> jax.Array:
  """Flips each image horizontally with `probability`.

  Raises:
    UsageError: the probability is outside 0 … 1.
  """
  draws.check_range('probability', probability, 0, 1)
  drawn = draws.uniform(key, images.shape[0], 1)[0]
  return jnp.where(drawn < probability, images[:, :, ::-1], images)


def random_resized_crop(
  key: jax.Array,
  images: jax.Array,
  *,
  scale: tuple[float, float] = (0.08, 1.0),
  ratio: tuple[float, float] = (3 / 4, 4 / 3),
  size: int = 0,
) -> jax.Array:
  """Crops a random box from each image and resizes it (Inception's crop).

  The box is not rounded to whole pixels, and interpolation at its border uses
  the pixels beyond.

  Args:
    key: one key for the batch.
    images: float32 `[batch, height, width, channels]`.
    scale: bounds of the box's area as a fraction of the image's, uniform.
    ratio: bounds of width over height, log-uniform. The first of ten draws of
      area and ratio that fits is used, or the whole image if none fits.
    size: height and width of the result; 0 for those of the images.

  Returns:
    `[batch, size, size, channels]`, bilinear with antialiasing.

  Raises:
    UsageError: bounds or the size are out of range.
  """
  draws.check_bounds('scale', scale, 0, 1)
  draws.check_bounds('ratio', ratio, 0, math.inf)
  draws.check_range('size', size, 0)
  top, left, box_height, box_width = random_boxes(
    key, images.shape, scale=scale, ratio=ratio
  )
  _, height, width, _ = images.shape
  return crop_and_resize(
    images,
    _resampling(top, box_height, height, size or height),
    _resampling(left, box_width, width, size or width),
  )


def random_boxes(
  key: jax.Array,
  shape: tuple[int, ...],
  *,
  scale: tuple[float, float],
  ratio: tuple[float, float],
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """Draws the boxes of `random_resized_crop` for images of `shape`.

  Returns:
    Top, left, height and width in pixels, each `[batch]`.
  """
  batch, height, width, _ = shape
  drawn = draws.uniform(key, batch, 2 * CROP_TRIES + 2)[..., 0, 0, 0]
  area = draws.between(drawn[:CROP_TRIES], scale) * height * width
  log_ratio = (math.log(ratio[0]), math.log(ratio[1]))
  aspect = jnp.exp(draws.between(drawn[CROP_TRIES:-2], log_ratio))
  heights = jnp.sqrt(area / aspect)
  widths = jnp.sqrt(area * aspect)
  fits = (heights <= height) & (widths <= width)
  first = jnp.argmax(fits, axis=0)[None]
  found = jnp.any(fits, axis=0)

  def choose(tried, whole):
    return jnp.where(found, jnp.take_along_axis(tried, first, axis=0)[0], whole)

  box_height, box_width = choose(heights, height), choose(widths, width)
  top = drawn[-2] * (height - box_height)
  left = drawn[-1] * (width - box_width)
  return top, left, box_height, box_width


def _resampling(
  start: jax.Array, length: jax.Array, inputs: int, outputs: int
) -> jax.Array:
  """Returns weights `[batch, outputs, inputs]` of a triangle filter."""
  step = (length / outputs)[:, None, None]
  centre = (jnp.arange(outputs, dtype=jnp.float32) + 0.5)[None, :, None]
  centre = start[:, None, None] + centre * step
  pixel = (jnp.arange(inputs, dtype=jnp.float32) + 0.5)[None, None, :]
  # The filter is wider than a pixel only when shrinking, for antialiasing.
  weights = jnp.maximum(0, 1 - jnp.abs(pixel - centre) / jnp.maximum(step, 1))
  return weights / jnp.sum(weights, axis=-1, keepdims=True)


def crop_and_resize(
  images: jax.Array, rows: jax.Array, columns: jax.Array
) -> jax.Array:
  """Applies weights `[batch, out, in]` along both axes; clips to [0, 1]."""
  precision = jax.lax.Precision.HIGHEST
  images = jnp.einsum('bij,bjwc->biwc', rows, images, precision=precision)
  images = jnp.einsum('bij,bhjc->bhic', columns, images, precision=precision)
  # The weights sum to one up to rounding.
  return jnp.clip(images, 0, 1)


def warp(images: jax.Array, matrices: jax.Array, *, fill: float) -> jax.Array:
  """Warps each image by an affine map about its centre, bilinearly.

  Args:
    images: float32 `[batch, height, width, channels]`.
    matrices: maps `[batch, 2, 3]` from output to input: the result at (y, x)
      from the centre is the input at `matrix @ (y, x, 1)` from the centre. The
      identity keeps every value exactly.
    fill: value outside the image.
  """
  batch, height, width, channels = images.shape
  row, column = _source_positions(matrices, height, width)
  # A border of one pixel represents everything outside.
  row, column = jnp.clip(row, -1, height), jnp.clip(column, -1, width)
  top = jnp.minimum(jnp.floor(row), height - 1)
  left = jnp.minimum(jnp.floor(column), width - 1)
  down, right = (row - top)[..., None], (column - left)[..., None]
  padded = jnp.pad(
    images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=fill
  ).reshape(batch, (height + 2) * (width + 2), channels)
  corner = (top + 1).astype(jnp.int32) * (width + 2) + (left + 1).astype(
    jnp.int32
  )
  corner = corner.reshape(batch, height * width, 1)

  def tap(offset):
    values = jnp.take_along_axis(padded, corner + offset, axis=1, mode='clip')
    return values.reshape(images.shape)

  above = tap(0) * (1 - right) + tap(1) * right
  below = tap(width + 2) * (1 - right) + tap(width + 3) * right
  return above * (1 - down) + below * down


def _source_positions(
  matrices: jax.Array, height: int, width: int
) -> tuple[jax.Array, jax.Array]:
  """Returns the source row and column of pixels, `[batch, height, width]`."""
  middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
  y = (jnp.arange(height, dtype=jnp.float32) - middle_y)[None, :, None]
  x = (jnp.arange(width, dtype=jnp.float32) - middle_x)[None, None, :]
  m = matrices[:, :, :, None, None]
  row = m[:, 0, 0] * y + m[:, 0, 1] * x + m[:, 0, 2] + middle_y
  column = m[:, 1, 0] * y + m[:, 1, 1] * x + m[:, 1, 2] + middle_x
  return row, column
