"""Resizing of one image by the rules of the libraries that models came from.

Antialiased it is Pillow's, with which torchvision and timm resize images, and
whose kernels widen where an image shrinks. Without antialiasing it is that of
TensorFlow 2 (`tf.image.resize`), whose kernels keep their width: pixels are
squares with their centres at halves, the cubic kernel has a = -1/2 (Keys 1981;
PyTorch's, which nothing here was trained with, has -3/4), and what lies
outside of an image weighs nothing.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from overlap.data import images

# Of Pillow, by our names.
METHODS = {
  'nearest': Image.Resampling.NEAREST,
  'bilinear': Image.Resampling.BILINEAR,
  'bicubic': Image.Resampling.BICUBIC,
  'lanczos': Image.Resampling.LANCZOS,
}
INTERPOLATIONS = tuple(METHODS)


def resize(
  image: np.ndarray,
  height: int,
  width: int,
  *,
  interpolation: str = 'bicubic',
  antialias: bool = True,
) -> np.ndarray:
  """Resizes an image, which keeps its pixels where it has the size.

  Args:
    image: uint8 [H, W, 1 or 3].
    height: height of the result.
    width: width of the result.
    interpolation: one of `INTERPOLATIONS`; 'lanczos' has three lobes.
    antialias: see above; of no matter for 'nearest'. TensorFlow leaves values
      between and outside of the 256 grey levels as they are; here they are
      rounded and clipped.

  Returns:
    uint8 [height, width, 1 or 3].
  """
  if image.shape[:2] == (height, width):
    return image
  if antialias or interpolation == 'nearest':
    return _pillow(image, height, width, METHODS[interpolation])
  kernel, radius = _KERNELS[interpolation]
  values = image.astype(np.float32)
  values = _along_rows(values, height, kernel, radius)
  values = values.transpose(1, 0, 2)
  values = _along_rows(values, width, kernel, radius).transpose(1, 0, 2)
  return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _pillow(
  image: np.ndarray, height: int, width: int, method: Image.Resampling
) -> np.ndarray:
  resized = images.from_array(image).resize((width, height), method)
  return images.to_array(resized)


def _linear(distance: np.ndarray) -> np.ndarray:
  return np.maximum(1 - distance, 0)


def cubic(distance: np.ndarray) -> np.ndarray:
  """Keys' kernel of a = -1/2, for distances below 2."""
  near = (1.5 * distance - 2.5) * distance**2 + 1
  far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
  return np.where(distance < 1, near, far)


def _lanczos(distance: np.ndarray) -> np.ndarray:
  return np.sinc(distance) * np.sinc(distance / 3)


# With how far they reach, in pixels of the original.
_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
  'bilinear': (_linear, 1),
  'bicubic': (cubic, 2),
  'lanczos': (_lanczos, 3),
}


def _along_rows(
  values: np.ndarray,
  count: int,
  kernel: Callable[[np.ndarray], np.ndarray],
  radius: int,
) -> np.ndarray:
  """Interpolates float32 [H, W, channels] at `count` places of its height."""
  places = (np.arange(count) + 0.5) * (len(values) / count) - 0.5
  first = np.floor(places).astype(int) - radius + 1
  rows = first[:, None] + np.arange(2 * radius)
  weights = kernel(np.abs(places[:, None] - rows))
  weights[(rows < 0) | (rows >= len(values))] = 0
  weights /= weights.sum(axis=1, keepdims=True)
  rows = np.clip(rows, 0, len(values) - 1)
  total = np.zeros((count, *values.shape[1:]), np.float32)
  for row, weight in zip(rows.T, weights.T.astype(np.float32), strict=True):
    total += weight[:, None, None] * values[row]
  return total
