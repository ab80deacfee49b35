"""Tests of overlap.data.images."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from overlap.core import errors
from overlap.data import images

RNG = np.random.default_rng(0)


def encode(pixels, form='PNG', mode=None, **options):
  stream = io.BytesIO()
  image = Image.fromarray(pixels)
  (image.convert(mode) if mode else image).save(stream, form, **options)
  return stream.getvalue()


def decode(content, *, size, channels=3, native=False):
  return images.decode(
    content, name='the/id', image_size=size, channels=channels, native=native
  )


@pytest.mark.parametrize('form', ['PNG', 'BMP', 'PPM'])
@pytest.mark.parametrize('channels', [1, 3])
def test_lossless_files_of_the_right_size_keep_their_pixels(form, channels):
  pixels = RNG.integers(0, 256, (6, 6, channels), np.uint8).squeeze()
  decoded = decode(encode(pixels, form), size=6, channels=channels, native=True)
  assert decoded.shape == (6, 6, channels)
  np.testing.assert_array_equal(decoded.squeeze(), pixels)


def test_grey_files_become_equal_channels():
  pixels = RNG.integers(0, 256, (5, 5), np.uint8)
  decoded = decode(encode(pixels), size=5)
  np.testing.assert_array_equal(decoded, np.stack([pixels] * 3, -1))


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK'])
@pytest.mark.parametrize('channels', [1, 3])
def test_every_mode_decodes(mode, channels):
  pixels = RNG.integers(0, 256, (9, 7, 3), np.uint8)
  form = 'TIFF' if mode == 'CMYK' else 'PNG'
  decoded = decode(encode(pixels, form, mode), size=4, channels=channels)
  assert decoded.shape == (4, 4, channels)


def test_a_palette_with_transparency_decodes():
  pixels = RNG.integers(0, 256, (4, 4, 3), np.uint8)
  content = encode(pixels, 'PNG', 'P', transparency=bytes([0, 128, 255]))
  assert decode(content, size=4).shape == (4, 4, 3)


@pytest.mark.parametrize(
  ('height', 'width', 'size', 'box'),
  [
    # The shorter side becomes `size`, the rest is cropped evenly.
    (8, 16, 8, (4, 0, 12, 8)),
    (16, 8, 8, (0, 4, 8, 12)),
    (8, 16, 4, (2, 0, 6, 4)),
    (10, 15, 20, (5, 0, 25, 20)),
    (5, 5, 3, (0, 0, 3, 3)),
  ],
)
def test_resize_then_centre_crop(height, width, size, box):
  pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
  scale = size / min(height, width)
  image = Image.fromarray(pixels).resize(
    (round(width * scale), round(height * scale)), Image.BICUBIC
  )
  decoded = decode(encode(pixels), size=size)
  np.testing.assert_array_equal(decoded, np.asarray(image.crop(box)))


def test_downscaling_averages():
  # A fine chequerboard becomes grey; without antialiasing it stays black or
  # white.
  board = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
  decoded = decode(encode(board.astype(np.uint8)), size=8, channels=1)
  assert np.all(np.abs(decoded.astype(int) - 127) < 20)


@pytest.mark.parametrize('shape', [(4, 4), (6, 5)])
def test_another_size_is_a_fault_where_native(shape):
  content = encode(np.zeros(shape, np.uint8))
  with pytest.raises(errors.DataError, match=r'for the/id .* set image_size'):
    decode(content, size=6, native=True)


@pytest.mark.parametrize('kept', [0, 20, 0.5])
def test_what_is_no_image_names_the_id(kept):
  content = encode(RNG.integers(0, 256, (32, 32, 3), np.uint8))
  content = content[: kept if kept != 0.5 else len(content) // 2]
  with pytest.raises(errors.DataError, match='the/id must be an image'):
    decode(content, size=32)


BOMB = """
import sys
from overlap.core import errors
from overlap.data import images
try:
  images.native_shape(bytes.fromhex(sys.argv[1]), 'x')
except errors.DataError as e:
  print(e)
"""


def test_an_image_of_too_many_pixels_is_one_line():
  # Told by the header alone: 9,500 x 9,500, of which nothing follows.
  header = b'GIF87a' + 2 * (9500).to_bytes(2, 'little') + bytes(3)
  frame = b',' + bytes(4) + 2 * (9500).to_bytes(2, 'little') + bytes(2)
  done = subprocess.run(
    [sys.executable, '-c', BOMB, (header + frame).hex()],
    capture_output=True, text=True, timeout=60, check=True,
  )  # fmt: skip
  assert done.stdout.startswith('x must be an image, got: Image size (90250000')
  assert done.stdout.count('\n') == 1
  assert not done.stderr


def test_sixteen_bits_are_a_fault():
  content = encode(np.full((4, 4), 3000, np.uint16))
  with pytest.raises(errors.DataError, match='8 bits'):
    decode(content, size=4, channels=1)


def test_native_shape_and_square_size():
  grey = encode(np.zeros((4, 6), np.uint8))
  assert images.native_shape(grey, 'x') == (4, 6, 1)
  colour = encode(np.zeros((4, 4, 3), np.uint8))
  assert images.native_shape(colour, 'x') == (4, 4, 3)
  assert images.square_size(colour, 'x') == 4
  with pytest.raises(errors.DataError, match='6x4 for x; set image_size'):
    images.square_size(grey, 'x')
  with pytest.raises(errors.DataError, match='x must be an image'):
    images.square_size(b'no', 'x')


@pytest.mark.parametrize('count', [0, 1, 2, 3, 17])
def test_stack_keeps_the_order(count):
  made = images.stack(
    lambda row: np.full((2, 2, 3), row, np.uint8), count, (2, 2, 3)
  )
  assert made.shape == (count, 2, 2, 3)
  np.testing.assert_array_equal(made[:, 0, 0, 0], np.arange(count))


def test_stack_raises_what_a_thread_raises():
  def make(row):
    raise errors.DataError(f'row {row}')

  with pytest.raises(errors.DataError, match='row'):
    images.stack(make, 5, (2, 2, 3))
