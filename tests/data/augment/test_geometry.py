"""Crops, flips and warps against loops over examples and against Pillow."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.data.augment import draws, geometry

Image = pytest.importorskip('PIL.Image')
SHAPES = [(1, 7, 5, 1), (3, 8, 8, 3), (5, 6, 9, 1)]


def draws_of(key, batch, count):
  return [
    np.asarray(jax.random.uniform(k, (count,)))
    for k in jax.random.split(key, batch)
  ]


@pytest.mark.parametrize('mode', ['constant', 'reflect', 'edge'])
@pytest.mark.parametrize('padding', [0, 1, 4])
@pytest.mark.parametrize('shape', SHAPES)
def test_crop_is_a_loop_of_slices(make_images, shape, padding, mode):
  images, key = make_images(*shape), jax.random.key(padding)
  result = geometry.random_crop(key, images, padding=padding, mode=mode)
  for i, drawn in enumerate(draws_of(key, shape[0], 2)):
    top, left = (int(u * (2 * padding + 1)) for u in drawn)
    padded = np.pad(images[i], ((padding,) * 2, (padding,) * 2, (0, 0)), mode)
    expected = padded[top : top + shape[1], left : left + shape[2]]
    np.testing.assert_array_equal(result[i], expected)


def test_crop_reaches_every_shift():
  point = np.zeros((900, 5, 5, 1), np.float32)
  point[:, 2, 2] = 1
  result = np.asarray(geometry.random_crop(jax.random.key(0), point, padding=1))
  counts = result.sum(axis=(0, 3))[1:4, 1:4]
  assert counts.sum() == 900
  # 100 expected each, standard deviation 9.4.
  assert np.all(np.abs(counts - 100) < 50)


@pytest.mark.parametrize('shape', SHAPES)
def test_flip_is_a_loop(make_images, shape):
  images, key = make_images(*shape), jax.random.key(1)
  result = geometry.random_flip(key, images)
  for i, (drawn,) in enumerate(draws_of(key, shape[0], 1)):
    expected = images[i, :, ::-1] if drawn < 0.5 else images[i]
    np.testing.assert_array_equal(result[i], expected)


@pytest.mark.parametrize(
  ('probability', 'least', 'most'),
  [(0, 0, 0), (0.3, 230, 370), (1, 1000, 1000)],
)
def test_flip_has_its_probability(probability, least, most):
  images = np.zeros((1000, 1, 2, 1), np.float32)
  images[:, 0, 1] = 1
  result = geometry.random_flip(
    jax.random.key(0), images, probability=probability
  )
  assert least <= np.asarray(result)[:, 0, 0].sum() <= most


@pytest.mark.slow_except('shape0-0', 'shape0-5', 'shape0-16')
@pytest.mark.parametrize('size', [0, 5, 16])
@pytest.mark.parametrize('shape', SHAPES)
def test_resized_crop_is_pillows(make_images, shape, size):
  images, key = make_images(*shape), jax.random.key(2)
  batch, height, width, channels = shape
  options = {'scale': (0.2, 0.9), 'ratio': (0.5, 2.0)}
  result = geometry.random_resized_crop(key, images, size=size, **options)
  target = (size or height, size or width)
  assert result.shape == (batch, *target, channels)
  boxes = geometry.random_boxes(key, shape, **options)
  for i in range(batch):
    top, left, box_height, box_width = (float(b[i]) for b in boxes)
    box = (left, top, left + box_width, top + box_height)
    for c in range(channels):
      expected = Image.fromarray(images[i, :, :, c]).resize(
        target[::-1], Image.Resampling.BILINEAR, box=box
      )
      np.testing.assert_allclose(result[i, :, :, c], expected, atol=2e-5)


def test_boxes_have_the_areas_and_ratios_asked_for():
  shape = (4000, 20, 30, 1)
  top, left, height, width = (
    np.asarray(b)
    for b in geometry.random_boxes(
      jax.random.key(0), shape, scale=(0.1, 0.4), ratio=(0.5, 2.0)
    )
  )
  area, ratio = height * width / 600, width / height
  assert np.all((area > 0.0999) & (area < 0.4001))
  assert np.all((ratio > 0.4999) & (ratio < 2.001))
  assert np.mean(np.log(ratio)) == pytest.approx(0, abs=0.05)
  for start, length, side in ((top, height, 20), (left, width, 30)):
    assert np.all((start >= 0) & (start + length <= side * 1.00001))
  # The place is uniform in what is left.
  assert np.mean(top / (20 - height)) == pytest.approx(0.5, abs=0.03)


def test_a_box_that_never_fits_is_the_whole_image(make_images):
  images = make_images(3, 6, 6, 1)
  result = geometry.random_resized_crop(
    jax.random.key(0), images, scale=(1.0, 1.0), ratio=(3.0, 4.0)
  )
  np.testing.assert_allclose(result, images, atol=1e-6)


def naive_warp(image, matrix, fill):
  """Bilinear reading of one image, pixel by pixel."""
  height, width, _ = image.shape

  def at(y, x):
    inside = 0 <= y < height and 0 <= x < width
    return image[y, x] if inside else np.full(image.shape[2], fill)

  result = np.empty_like(image)
  for i in range(height):
    for j in range(width):
      y, x = i - (height - 1) / 2, j - (width - 1) / 2
      row, column = matrix @ np.array([y, x, 1.0])
      row, column = row + (height - 1) / 2, column + (width - 1) / 2
      y, x = math.floor(row), math.floor(column)
      v, u = row - y, column - x
      result[i, j] = (1 - v) * ((1 - u) * at(y, x) + u * at(y, x + 1)) + v * (
        (1 - u) * at(y + 1, x) + u * at(y + 1, x + 1)
      )
  return result


@pytest.mark.parametrize('shape', [(1, 1, 1, 1), *SHAPES])
@pytest.mark.parametrize('fill', [0.0, 0.5])
def test_warp_is_a_loop(make_images, shape, fill):
  images, rng = make_images(*shape), np.random.default_rng(0)
  matrices = np.eye(2, 3)[None] + rng.normal(size=(shape[0], 2, 3)) / 2
  result = geometry.warp(images, jnp.asarray(matrices), fill=fill)
  for i in range(shape[0]):
    expected = naive_warp(images[i], matrices[i], fill)
    np.testing.assert_allclose(result[i], expected, atol=2e-5)


def test_identity_keeps_every_value(make_images):
  images = make_images(3, 7, 10, 3)
  matrices = jnp.tile(jnp.eye(2, 3)[None], (3, 1, 1))
  np.testing.assert_array_equal(
    geometry.warp(images, matrices, fill=0.5), images
  )


def test_far_away_there_is_only_fill(make_images):
  images = make_images(1, 5, 5, 1)
  for shift in (1e3, -1e3, 1e9, -1e9):
    matrix = jnp.asarray([[[1.0, 0, shift], [0, 1.0, 0]]])
    result = geometry.warp(images, matrix, fill=0.25)
    np.testing.assert_array_equal(result, np.full_like(images, 0.25))


def test_no_examples():
  images = jnp.zeros((0, 6, 6, 1))
  key = jax.random.key(0)
  assert draws.uniform(key, 0, 2).shape == (2, 0, 1, 1, 1)
  for result in (
    geometry.random_crop(key, images, padding=1),
    geometry.random_flip(key, images),
    geometry.random_resized_crop(key, images),
    geometry.warp(images, jnp.zeros((0, 2, 3)), fill=0.0),
  ):
    assert result.shape == images.shape


@pytest.mark.parametrize(
  ('operation', 'options', 'match'),
  [
    (geometry.random_crop, {'padding': -1}, 'padding'),
    (geometry.random_crop, {'padding': 1, 'mode': 'wrap'}, 'reflect, edge'),
    (geometry.random_flip, {'probability': 1.5}, 'probability'),
    (geometry.random_resized_crop, {'scale': (0, 1)}, 'scale'),
    (geometry.random_resized_crop, {'scale': (0.5, 1.5)}, 'scale'),
    (geometry.random_resized_crop, {'ratio': (2, 1)}, 'ratio'),
    (geometry.random_resized_crop, {'size': -2}, 'size'),
  ],
)
def test_wrong_arguments(operation, options, match):
  with pytest.raises(errors.UsageError, match=match):
    operation(jax.random.key(0), jnp.zeros((1, 4, 4, 1)), **options)


@pytest.mark.parametrize('size', [1, 3, 5])
def test_a_cut_is_a_square_of_the_image(size):
  images = np.random.default_rng(0).random((40, 5, 6, 1)).astype(np.float32)
  cut = geometry.random_cut(jax.random.key(0), images, size=size)
  assert cut.shape == (40, size, size, 1)
  places = set()
  for image, got in zip(images, np.asarray(cut)):
    found = [
      (i, j)
      for i in range(6 - size)
      for j in range(7 - size)
      if np.array_equal(image[i : i + size, j : j + size], got)
    ]
    assert len(found) == 1
    places.update(found)
  # Every place has its turn where there are few.
  assert len(places) == (2 if size == 5 else len(places))
  assert len(places) > 1


def test_a_cut_must_fit():
  with pytest.raises(errors.UsageError, match='size'):
    geometry.random_cut(jax.random.key(0), np.zeros((1, 5, 6, 1), 'f'), size=6)
