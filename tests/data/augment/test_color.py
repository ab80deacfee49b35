"""Operations on values against Pillow, colorsys and loops over examples."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.data.augment import color

Image = pytest.importorskip('PIL.Image')
from PIL import ImageEnhance, ImageFilter, ImageOps  # noqa: E402

SHAPES = [(1, 1, 1, 1), (3, 9, 12, 1), (2, 8, 7, 3), (2, 2, 5, 3)]


def to_pillow(image):
  levels = np.round(image * 255).astype(np.uint8)
  return Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)


def from_pillow(image):
  values = np.asarray(image) / np.float32(255)
  return values[:, :, None] if values.ndim == 2 else values


def assert_each_is(result, images, of_pillow, atol):
  for i, image in enumerate(images):
    np.testing.assert_allclose(
      result[i], from_pillow(of_pillow(to_pillow(image))), atol=atol
    )


@pytest.mark.slow_except('shape0', 'shape3')
@pytest.mark.parametrize('shape', SHAPES)
def test_equalize_is_pillows(make_images, shape):
  images = make_images(*shape)
  assert_each_is(color.equalize(images), images, ImageOps.equalize, 1e-6)


def test_equalize_of_few_levels_and_many_pixels():
  rng = np.random.default_rng(0)
  images = rng.choice([0.2, 0.4, 1.0], (3, 40, 40, 1)).astype(np.float32)
  images[2] = 0.6
  assert_each_is(color.equalize(images), images, ImageOps.equalize, 1e-6)


@pytest.mark.parametrize('bits', [1, 4, 7, 8])
@pytest.mark.parametrize('shape', SHAPES)
def test_posterize_is_pillows(make_images, shape, bits):
  images = make_images(*shape)
  assert_each_is(
    color.posterize(images, bits),
    images,
    lambda image: ImageOps.posterize(image, bits),
    1e-6,
  )


@pytest.mark.parametrize('threshold', [0, 26, 128, 256])
@pytest.mark.parametrize('shape', SHAPES)
def test_solarize_is_pillows(make_images, shape, threshold):
  images = make_images(*shape)
  assert_each_is(
    color.solarize(images, (threshold - 0.5) / 255),
    images,
    lambda image: ImageOps.solarize(image, threshold),
    1e-6,
  )


@pytest.mark.parametrize('shape', SHAPES)
def test_autocontrast_is_pillows(make_images, shape):
  # Pillow cuts the result down to 8 bits.
  images = 0.2 + 0.5 * make_images(*shape)
  images = np.round(images * 255) / np.float32(255)
  assert_each_is(
    color.autocontrast(images), images, ImageOps.autocontrast, 1.01 / 255
  )


def test_autocontrast_spans_the_range(make_images):
  result = np.asarray(color.autocontrast(0.3 + make_images(2, 6, 6, 3) / 9))
  np.testing.assert_array_equal(result.min(axis=(1, 2)), 0)
  np.testing.assert_array_equal(result.max(axis=(1, 2)), 1)


@pytest.mark.parametrize('shape', SHAPES)
def test_smooth_is_pillows(make_images, shape):
  images = make_images(*shape)
  assert_each_is(
    color.smooth(images),
    images,
    lambda image: image.filter(ImageFilter.SMOOTH),
    0.51 / 255,
  )


@pytest.mark.parametrize('factor', [0.0, 0.6, 1.0, 1.9])
@pytest.mark.parametrize(
  ('name', 'other'),
  [
    ('Brightness', jnp.zeros_like),
    ('Color', color.luma),
    ('Contrast', color.mean_luma),
    ('Sharpness', color.smooth),
  ],
)
@pytest.mark.parametrize('shape', SHAPES)
def test_enhancements_are_pillows(make_images, shape, name, other, factor):
  images = make_images(*shape)
  factors = jnp.full((shape[0], 1, 1, 1), factor)
  # Pillow rounds the luma, its mean and the result to 8 bits.
  assert_each_is(
    color.blend(other(images), images, factors),
    images,
    lambda image: getattr(ImageEnhance, name)(image).enhance(factor),
    2.01 / 255,
  )


@pytest.mark.parametrize('turns', [0.0, 0.1, -0.3, 0.5, 0.99])
def test_hue_is_colorsys(turns):
  images = np.random.default_rng(0).random((2, 3, 4, 3), np.float32)
  images[0, 0] = 0.5
  images[0, 1, :2] = [1, 0, 0]
  images[0, 1, 2:] = [0.3, 0.3, 0.9]
  result = color.shift_hue(images, jnp.full((2, 1, 1, 1), turns))
  for place in np.ndindex(2, 3, 4):
    hue, saturation, value = colorsys.rgb_to_hsv(*images[place].tolist())
    expected = colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)
    np.testing.assert_allclose(result[place], expected, atol=1e-5)


@pytest.mark.parametrize('channels', [1, 3])
def test_grayscale(make_images, channels):
  images, key = make_images(30, 4, 4, channels), jax.random.key(0)
  result = color.grayscale(key, images, probability=0.4)
  assert result.shape == images.shape
  for i, one in enumerate(jax.random.split(key, 30)):
    grey = images[i]
    if channels == 3:
      grey = grey @ np.array([[0.299], [0.587], [0.114]], np.float32)
    dropped = jax.random.uniform(one, (1,))[0] < 0.4
    expected = np.broadcast_to(grey, images[i].shape) if dropped else images[i]
    np.testing.assert_allclose(result[i], expected, atol=1e-6)


def naive_jitter(image, drawn, amounts, hue, probability):
  """One example, step by step, in the order drawn."""
  steps = 4 if image.shape[2] == 3 else 2
  if drawn[-1] >= probability:
    return image
  grey = np.array([[0.299], [0.587], [0.114]]) if steps == 4 else np.eye(1)
  for step in np.argsort(drawn[steps : 2 * steps]):
    if step == 3:
      turns = hue * (2 * drawn[3] - 1)
      for place in np.ndindex(image.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*image[place].tolist())
        image[place] = colorsys.hsv_to_rgb((h + turns) % 1, s, v)
      continue
    low, high = max(0, 1 - amounts[step]), 1 + amounts[step]
    factor = low + drawn[step] * (high - low)
    other = (0, (image @ grey).mean(), image @ grey)[step]
    image = np.clip(other + factor * (image - other), 0, 1)
  return image


@pytest.mark.parametrize('amounts', [(0.8, 0.8, 0.8), (0.3, 1.6, 0.0)])
@pytest.mark.parametrize('channels', [1, 3])
def test_jitter_is_a_loop(make_images, channels, amounts):
  images, key = make_images(12, 4, 5, channels), jax.random.key(5)
  result = color.color_jitter(
    key, images, brightness=amounts[0], contrast=amounts[1],
    saturation=amounts[2], hue=0.2, probability=0.8,
  )  # fmt: skip
  count = 9 if channels == 3 else 5
  changed = 0
  for i, one in enumerate(jax.random.split(key, 12)):
    drawn = np.asarray(jax.random.uniform(one, (count,)), np.float64)
    expected = naive_jitter(
      images[i].astype(np.float64), drawn, amounts, 0.2, 0.8
    )
    np.testing.assert_allclose(result[i], expected, atol=5e-5)
    changed += np.abs(expected - images[i]).max() > 0.01
  assert 5 <= changed <= 12


def test_jitter_of_nothing_keeps_the_images(make_images):
  for channels in (1, 3):
    images = make_images(4, 5, 5, channels)
    result = color.color_jitter(
      jax.random.key(0), images,
      brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0,
    )  # fmt: skip
    np.testing.assert_allclose(result, images, atol=1e-6)


def test_no_examples():
  images = jnp.zeros((0, 4, 4, 3))
  assert color.color_jitter(jax.random.key(0), images).shape == images.shape
  assert color.equalize(images).shape == images.shape


@pytest.mark.parametrize(
  ('operation', 'options', 'match'),
  [
    (color.grayscale, {'probability': 2.0}, 'probability'),
    (color.color_jitter, {'brightness': -1.0}, 'brightness'),
    (color.color_jitter, {'contrast': -1.0}, 'contrast'),
    (color.color_jitter, {'saturation': -1.0}, 'saturation'),
    (color.color_jitter, {'hue': 0.6}, 'hue'),
    (color.color_jitter, {'probability': -0.1}, 'probability'),
  ],
)
def test_wrong_arguments(operation, options, match):
  with pytest.raises(errors.UsageError, match=match):
    operation(jax.random.key(0), jnp.zeros((1, 4, 4, 3)), **options)
