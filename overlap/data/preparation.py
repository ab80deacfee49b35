"""Photographs of any size, made square as a model's were when it was trained.

Models of one study may have been trained with different rules. Each then sees
its own squares of the original photographs, and not squares of squares.
"""

import math
from typing import NamedTuple

import numpy as np

from overlap.core import errors, lookup
from overlap.data import resampling

# 'shorter_side': the shorter side becomes size / crop, then the centre is cut
# out; torchvision's and timm's. 'squash': both sides become size / crop, then
# the centre is cut out. 'crop_first': a square of `crop` of the shorter side is
# cut out of the centre and then resized; that of the TensorFlow releases of
# EfficientNet and SimCLR.
RESIZES = ('shorter_side', 'squash', 'crop_first')
CHANNEL_ORDERS = ('rgb', 'bgr')


class Preparation(NamedTuple):
  """Rule by which a photograph is made square.

  Attributes:
    size: height and width of the result in pixels.
    resize: one of `RESIZES`.
    crop: the share of the resized side that is kept, in (0, 1].
    interpolation: one of `resampling.INTERPOLATIONS`.
    antialias: see `resampling`.
    channel_order: one of `CHANNEL_ORDERS`; of grey images there is one.
  """

  size: int
  resize: str = 'shorter_side'
  crop: float = 0.875
  interpolation: str = 'bicubic'
  antialias: bool = True
  channel_order: str = 'rgb'


# Of the model's input in a config; its size is a field of its own.
FIELDS = Preparation._fields[1:]


def check_preparation(preparation: Preparation, at: str = '') -> None:
  """Checks all but the size.

  Args:
    preparation: to be checked.
    at: what error texts add, such as '(in config.models.base)'.

  Raises:
    UsageError: a value that is no choice, or a crop outside of (0, 1].
  """
  at = f' {at}' if at else ''
  for what, value, choices in (
    ('way to resize', preparation.resize, RESIZES),
    ('interpolation', preparation.interpolation, resampling.INTERPOLATIONS),
    ('channel order', preparation.channel_order, CHANNEL_ORDERS),
  ):
    lookup.check_choice(f'{what}{at}', value, choices)
  if not 0 < preparation.crop <= 1:
    raise errors.UsageError(
      f'The share of an image to keep, crop{at}, must be in (0, 1], got '
      f'{preparation.crop}.'
    )


def prepare(image: np.ndarray, preparation: Preparation) -> np.ndarray:
  """Makes an image square.

  Args:
    image: uint8 [H, W, 1 or 3], RGB, of any size.
    preparation: how.

  Returns:
    uint8 [size, size, 1 or 3].
  """
  size, crop = preparation.size, preparation.crop
  height, width = image.shape[:2]
  if preparation.resize == 'crop_first':
    side = max(1, math.floor(crop * min(height, width)))
    # TensorFlow's offsets: half a pixel is rounded up.
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    image = image[top : top + side, left : left + side]
    image = _resize(image, size, size, preparation)
  else:
    # timm's, and so rounded down.
    target = math.floor(size / crop)
    height, width = _resized(height, width, target, preparation.resize)
    image = _resize(image, height, width, preparation)
    # torchvision's offsets: half a pixel is rounded to the even one.
    top, left = round((height - size) / 2), round((width - size) / 2)
    image = image[top : top + size, left : left + size]
  return image[..., ::-1] if preparation.channel_order == 'bgr' else image


def _resized(
  height: int, width: int, target: int, resize: str
) -> tuple[int, int]:
  """Height and width before the centre is cut out."""
  if resize == 'squash':
    return target, target
  shorter = min(height, width)
  # Integers, rounded down: the longer side is torchvision's to the pixel.
  return target * height // shorter, target * width // shorter


def _resize(
  image: np.ndarray, height: int, width: int, preparation: Preparation
) -> np.ndarray:
  return resampling.resize(
    image,
    height,
    width,
    interpolation=preparation.interpolation,
    antialias=preparation.antialias,
  )
