"""RandAugment of one image with Pillow, equivalent to `rand_augment`."""

import math

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from overlap.data.augment import rand_augment

# Weights of red, green and blue in luma, as in Pillow's conversion to 'L'.
_LUMA = np.array([0.299, 0.587, 0.114])
_LEVELS = np.arange(256)


def randaugment(
  image: Image.Image,
  draws: np.ndarray,
  *,
  layers: int,
  magnitude: float,
  fill: float,
) -> Image.Image:
  """Applies `layers` operations to an image.

  Args:
    image: image, 'L' or 'RGB'.
    draws: numbers uniform in [0, 1), [2 layers]: operation and direction of
      each layer.
    layers: number of operations, the paper's N.
    magnitude: strength of the operations, the paper's M.
    fill: value outside the image in warps, in [0, 1].
  """
  operations = rand_augment.OPERATIONS
  for which, direction in draws.reshape(layers, 2):
    name = operations[min(int(which * len(operations)), len(operations) - 1)]
    sign = -1 if direction < 0.5 else 1
    image = apply_operation(image, name, sign, magnitude / 10, fill)
  return image


def apply_operation(
  image: Image.Image, name: str, sign: int, strength: float, fill: float
) -> Image.Image:
  """Applies one of `rand_augment.OPERATIONS`.

  Args:
    image: image, 'L' or 'RGB'.
    name: name of the operation.
    sign: direction, -1 or 1.
    strength: magnitude / 10.
    fill: value outside the image in warps, in [0, 1].
  """
  factor = max(0.0, 1 + sign * rand_augment.ENHANCE * strength)
  match name:
    case 'identity':
      return image
    case 'brightness':
      return _look_up(image, factor * _LEVELS)
    case 'contrast':
      mean = _mean_luma(image)
      return _look_up(image, mean + factor * (_LEVELS - mean))
    case 'color' if image.mode == 'RGB':
      return Image.blend(image.convert('L').convert('RGB'), image, factor)
    case 'color':
      return image
    case 'sharpness':
      return Image.blend(image.filter(ImageFilter.SMOOTH), image, factor)
    case 'autocontrast':
      return ImageOps.autocontrast(image)
    case 'equalize':
      return ImageOps.equalize(image)
    case 'posterize':
      bits = max(1, 8 - round(rand_augment.POSTERIZE_BITS * strength))
      return _look_up(image, _LEVELS & ~((1 << (8 - bits)) - 1))
    case 'solarize':
      threshold = 255 * max(0.0, 1 - strength)
      return _look_up(
        image, np.where(threshold > _LEVELS, _LEVELS, 255 - _LEVELS)
      )
  return _warp(image, name, sign * strength, fill)


def _look_up(image: Image.Image, values: np.ndarray) -> Image.Image:
  """Maps each of the 256 levels to its new value, rounded and clipped."""
  table = np.clip(np.rint(values), 0, 255).astype(int).tolist()
  return image.point(table * len(image.getbands()))


def _mean_luma(image: Image.Image) -> float:
  counts = np.array(image.histogram()).reshape(-1, 256)
  means = counts @ _LEVELS / (image.width * image.height)
  return float(means @ _LUMA) if len(means) == 3 else float(means[0])


def _warp(
  image: Image.Image, name: str, amount: float, fill: float
) -> Image.Image:
  """Rotates, shears or translates, like the matrices of `rand_augment`."""
  width, height = image.size
  # The result at (x, y) from the centre is the input at (xx x + xy y + right,
  # yx x + yy y + down) from the centre.
  xx = yy = 1.0
  xy = yx = right = down = 0.0
  if name == 'rotate':
    angle = math.radians(rand_augment.ROTATE_DEGREES * amount)
    xx = yy = math.cos(angle)
    xy, yx = math.sin(angle), -math.sin(angle)
  elif name == 'shear_x':
    xy = rand_augment.SHEAR * amount
    right = xy * height / 2
  elif name == 'shear_y':
    yx = rand_augment.SHEAR * amount
    down = yx * width / 2
  elif name == 'translate_x':
    right = rand_augment.TRANSLATE * amount * width
  else:
    down = rand_augment.TRANSLATE * amount * height
  x, y = width / 2, height / 2
  coefficients = (
    xx, xy, right + x - xx * x - xy * y,
    yx, yy, down + y - yx * x - yy * y,
  )  # fmt: skip
  level = round(255 * fill)
  return image.transform(
    image.size,
    Image.Transform.AFFINE,
    coefficients,
    Image.Resampling.BILINEAR,
    fillcolor=level if image.mode == 'L' else (level,) * 3,
  )
