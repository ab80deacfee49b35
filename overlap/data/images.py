"""Image files to arrays: decode, resize, crop, in threads.

As in torchvision and TFDS, a file's EXIF orientation is not applied: pixels
come as they are stored. Of animations the first frame is taken.
"""

import concurrent.futures
import functools
import io
import os
import warnings
from collections.abc import Callable

import numpy as np
import PIL
from PIL import Image

from overlap.core import errors

# By content, whatever a file is called. Others of Pillow's have no place here:
# EPS is a program, which Ghostscript would run.
_FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'PPM', 'GIF', 'TIFF', 'AVIF')
# What files of these formats are called.
EXTENSIONS = (
  '.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.apng', '.bmp', '.dib', '.webp',
  '.ppm', '.pgm', '.pbm', '.pnm', '.gif', '.tif', '.tiff', '.avif',
)  # fmt: skip
# Of Pillow's modes these hold one channel of 8 bits (or fewer), ...
_GREY_MODES = ('1', 'L', 'LA', 'La')
# ... and these would be clipped or wrapped without a word.
_DEEP_MODES = ('I', 'F', 'I;16', 'I;16L', 'I;16B', 'I;16N')
# Of more than 89 million pixels Pillow warns, and refuses twice as many. Here
# the warning is an error: each core decodes one at a time, in memory.
warnings.simplefilter('error', Image.DecompressionBombWarning)


def decode(
  content: bytes, *, name: str, image_size: int, channels: int, native: bool
) -> np.ndarray:
  """Decodes one image file to uint8 [S, S, channels].

  The shorter side becomes `image_size` (bicubic, antialiased) and the centre
  is cropped; an image that has the size already keeps its pixels.

  Args:
    content: the file.
    name: the example's id, for the error text.
    image_size: S.
    channels: 1 (grey) or 3 (RGB).
    native: nothing may be resized: another size than S is an error.

  Raises:
    DataError: no image, more than 8 bits a channel, or another size.
  """
  image = _open(content, name, whole=True)
  if native and image.size != (image_size, image_size):
    raise errors.DataError(
      f'Images must be square and of one size unless image_size is set, got '
      f'{image.width}x{image.height} for {name} beside '
      f'{image_size}x{image_size}; set image_size.'
    )
  return to_array(_fit(_convert(image, name, channels), image_size))


def decode_whole(content: bytes, *, name: str, channels: int) -> Image.Image:
  """Decodes one image file to an image 'L' or 'RGB', whatever its size.

  Args:
    content: the file.
    name: the example's id, for the error text.
    channels: 1 (grey) or 3 (RGB).

  Raises:
    DataError: no image, or more than 8 bits a channel.
  """
  return _convert(_open(content, name, whole=True), name, channels)


def to_array(image: Image.Image) -> np.ndarray:
  """An image 'L' or 'RGB' as uint8 [H, W, 1 or 3]."""
  pixels = np.asarray(image)
  return pixels[..., None] if pixels.ndim == 2 else pixels


def from_array(pixels: np.ndarray) -> Image.Image:
  """The inverse of `to_array`."""
  return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def native_shape(content: bytes, name: str) -> tuple[int, int, int]:
  """Returns (height, width, channels 1 or 3) from a file's header.

  Raises:
    DataError: no image.
  """
  image = _open(content, name)
  return image.height, image.width, 1 if image.mode in _GREY_MODES else 3


def square_size(content: bytes, name: str) -> int:
  """Returns the size of a square image.

  Raises:
    DataError: no image, or not square.
  """
  height, width, _ = native_shape(content, name)
  if height != width:
    raise errors.DataError(
      f'Images must be square unless image_size is set, got {width}x{height} '
      f'for {name}; set image_size, or input.resize and input.size of every '
      'model.'
    )
  return height


def resize(images: np.ndarray, image_size: int) -> np.ndarray:
  """Resizes uint8 [B, H, W, channels] to [B, S, S, channels] as `decode`."""
  channels = images.shape[-1]

  def make(row: int) -> np.ndarray:
    return to_array(_fit(from_array(images[row]), image_size))

  return stack(make, len(images), (image_size, image_size, channels))


def stack(
  make: Callable[[int], np.ndarray], count: int, shape: tuple[int, ...]
) -> np.ndarray:
  """Returns make(0), ... make(count - 1), made in threads, as one array.

  Pillow lets go of the interpreter while it decodes and resizes.

  Args:
    make: from a row to uint8 [*shape].
    count: B.
    shape: shape of what is made, such as (S, S, channels).

  Returns:
    uint8 [B, *shape].
  """
  images = np.empty((count, *shape), np.uint8)

  def fill(rows: np.ndarray) -> None:
    for row in rows:
      images[row] = make(row)

  workers = os.cpu_count() or 1
  parts = np.array_split(np.arange(count), min(workers, max(count, 1)))
  # One thread a part: what is finer costs more than it evens out.
  list(_threads(workers).map(fill, parts))
  return images


@functools.cache
def _threads(workers: int) -> concurrent.futures.ThreadPoolExecutor:
  return concurrent.futures.ThreadPoolExecutor(workers, 'overlap-images')


def _open(content: bytes, name: str, whole: bool = False) -> Image.Image:
  """Opens an image file; reads all of it where `whole`, else the header."""
  try:
    image = Image.open(io.BytesIO(content), formats=_FORMATS)
    if whole:
      image.load()
  except PIL.UnidentifiedImageError as e:
    # Its own text gives the address of an object.
    raise errors.DataError(
      f'{name} must be an image, got {len(content)} bytes of no known format.'
    ) from e
  except (
    OSError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
  ) as e:
    raise errors.DataError(f'{name} must be an image, got: {e}.') from e
  return image


def _convert(image: Image.Image, name: str, channels: int) -> Image.Image:
  """Returns the image as 'L' or 'RGB'."""
  if image.mode in _DEEP_MODES:
    raise errors.DataError(
      f'Images must have at most 8 bits a channel, got mode {image.mode!r} for '
      f'{name}.'
    )
  if image.mode == 'P' and 'transparency' in image.info:
    image = image.convert('RGBA')
  mode = 'L' if channels == 1 else 'RGB'
  # Pillow copies what is right already.
  return image if image.mode == mode else image.convert(mode)


def _fit(image: Image.Image, image_size: int) -> Image.Image:
  """Shorter side to `image_size`, then the centre."""
  if image.size == (image_size, image_size):
    return image
  scale = image_size / min(image.size)
  width, height = (max(image_size, round(side * scale)) for side in image.size)
  image = image.resize((width, height), Image.Resampling.BICUBIC)
  left, top = (width - image_size) // 2, (height - image_size) // 2
  return image.crop((left, top, left + image_size, top + image_size))
