"""RandAugment (Cubuk et al. 2020): random operations of one magnitude.

A layer costs one warp and one pass over the values for any draw: every
geometric operation is an affine matrix (the identity for other operations), and
the results of all operations on values are combined by selection.
"""

import jax
import jax.numpy as jnp

from overlap.data.augment import color, draws, geometry

OPERATIONS = (
  'identity', 'rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y',
  'brightness', 'color', 'contrast', 'sharpness', 'autocontrast', 'equalize',
  'posterize', 'solarize',
)  # fmt: skip
_CODE = {name: code for code, name in enumerate(OPERATIONS)}
# At magnitude 10, as in AutoAugment (Cubuk et al. 2019, table 6).
ROTATE_DEGREES = 30.0
SHEAR = 0.3
TRANSLATE = 0.45
ENHANCE = 0.9
POSTERIZE_BITS = 4
MAX_MAGNITUDE = 30


def randaugment(
  key: jax.Array,
  images: jax.Array,
  *,
  layers: int = 2,
  magnitude: float = 9.0,
  fill: float = 0.5,
) -> jax.Array:
  """Applies `layers` randomly drawn operations to each image.

  Every operation becomes stronger with the magnitude, unlike the original's
  enhancing operations, which have no effect in the middle of the scale.
  Rotations, shears, translations and the four enhancing operations have random
  directions. On grey images the operation 'color' has no effect.

  Args:
    key: one key for the batch.
    images: float32 `[batch, height, width, 1 or 3]` in [0, 1].
    layers: number of operations, the paper's N.
    magnitude: strength of the operations, the paper's M, from 0 to 30; 10 is
      AutoAugment's strongest.
    fill: value outside the image in warps, in [0, 1].

  Raises:
    UsageError: an argument is out of range.
  """
  draws.check_range('layers', layers, 1)
  draws.check_range('magnitude', magnitude, 0, MAX_MAGNITUDE)
  draws.check_range('fill', fill, 0, 1)
  drawn = draws.uniform(key, images.shape[0], 2 * layers)
  for layer in range(layers):
    code = draws.index(drawn[2 * layer], len(OPERATIONS))
    sign = jnp.where(drawn[2 * layer + 1] < 0.5, -1.0, 1.0)
    images = apply_operation(
      images, code, sign, strength=magnitude / 10, fill=fill
    )
  return images


def apply_operation(
  images: jax.Array,
  code: jax.Array,
  sign: jax.Array,
  *,
  strength: float,
  fill: float,
) -> jax.Array:
  """Applies one operation to each image.

  Args:
    images: float32 `[batch, height, width, 1 or 3]` in [0, 1].
    code: indices into `OPERATIONS`, int32 `[batch, 1, 1, 1]`.
    sign: directions -1 or 1, `[batch, 1, 1, 1]`.
    strength: magnitude / 10.
    fill: value outside the image in warps, in [0, 1].
  """
  _, height, width, _ = images.shape
  matrices = _matrices(
    code[:, 0, 0, 0], sign[:, 0, 0, 0] * strength, height, width
  )
  images = geometry.warp(images, matrices, fill=fill)
  changed = _enhance(
    images, code, jnp.maximum(1 + sign * ENHANCE * strength, 0)
  )
  bits = max(1, 8 - round(POSTERIZE_BITS * strength))
  for name, result in (
    ('autocontrast', color.autocontrast(images)),
    ('equalize', color.equalize(images)),
    ('posterize', color.posterize(images, bits)),
    ('solarize', color.solarize(images, max(0.0, 1 - strength))),
  ):
    changed = jnp.where(code == _CODE[name], result, changed)
  return changed


def _enhance(
  images: jax.Array, code: jax.Array, factor: jax.Array
) -> jax.Array:
  """Applies brightness, colour, contrast or sharpness where `code` is one."""
  other = images
  for name, source in (
    ('brightness', jnp.zeros_like(images)),
    ('color', color.luma(images)),
    ('contrast', color.mean_luma(images)),
    ('sharpness', color.smooth(images)),
  ):
    other = jnp.where(code == _CODE[name], source, other)
  return color.blend(other, images, factor)


def _matrices(
  code: jax.Array, amount: jax.Array, height: int, width: int
) -> jax.Array:
  """Returns matrices `[batch, 2, 3]` for `geometry.warp` and codes `[batch]`.

  Shears keep the top row and the left column in place, as in the original.
  """

  def of(name, value):
    return jnp.where(code == _CODE[name], value * amount, 0.0)

  angle = of('rotate', jnp.deg2rad(ROTATE_DEGREES))
  shear_x, shear_y = of('shear_x', SHEAR), of('shear_y', SHEAR)
  cosine, sine = jnp.cos(angle), jnp.sin(angle)
  down = of('translate_y', TRANSLATE * height) + shear_y * width / 2
  right = of('translate_x', TRANSLATE * width) + shear_x * height / 2
  return jnp.stack(
    [
      jnp.stack([cosine, shear_y - sine, down], axis=1),
      jnp.stack([shear_x + sine, cosine, right], axis=1),
    ],
    axis=1,
  )
