"""From uint8 images to what a model takes."""

import jax
import numpy as np
import pytest

from overlap.core import errors
from overlap.data import augment

Image = pytest.importorskip('PIL.Image')


def random_bytes(*shape):
  return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize('channels', [0, 1, 3])
@pytest.mark.parametrize('stored', [1, 3])
@pytest.mark.parametrize('batch', [0, 1, 4])
def test_to_float(batch, stored, channels):
  images = random_bytes(batch, 5, 7, stored)
  result = np.asarray(augment.to_float(images, channels=channels))
  assert result.dtype == np.float32
  assert result.shape == (batch, 5, 7, channels or stored)
  scaled = images / 255
  if stored == 3 and channels == 1:
    scaled = scaled @ np.array([[0.299], [0.587], [0.114]])
  expected = np.broadcast_to(scaled, result.shape)
  np.testing.assert_allclose(result, expected, atol=1e-6)


def test_grey_is_pillows():
  image = random_bytes(1, 9, 8, 3)
  expected = np.asarray(Image.fromarray(image[0]).convert('L')) / 255
  result = augment.to_float(image, channels=1)[0, :, :, 0]
  np.testing.assert_allclose(result, expected, atol=0.51 / 255)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
  ('method', 'filter_name'), [('bilinear', 'BILINEAR'), ('cubic', 'BICUBIC')]
)
@pytest.mark.parametrize(
  ('height', 'width', 'size'), [(28, 28, 64), (32, 32, 13), (11, 29, 16)]
)
def test_resize_is_pillows(height, width, size, method, filter_name, channels):
  images = random_bytes(2, height, width, channels) / np.float32(255)
  # Away from 0 and 1, where cubic would be clipped here and not there.
  images = 0.3 + 0.4 * images
  result = augment.resize(images, size=size, method=method)
  assert result.shape == (2, size, size, channels)
  for i in range(2):
    for c in range(channels):
      expected = Image.fromarray(images[i, :, :, c]).resize(
        (size, size), getattr(Image.Resampling, filter_name)
      )
      np.testing.assert_allclose(result[i, :, :, c], expected, atol=2e-5)


def test_cubic_stays_in_range():
  images = (random_bytes(2, 9, 9, 1) > 128).astype(np.float32)
  result = np.asarray(augment.resize(images, size=20, method='cubic'))
  assert result.min() == 0
  assert result.max() == 1


@pytest.mark.parametrize('size', [0, 6])
def test_resize_leaves_the_right_size_alone(size):
  images = random_bytes(1, 6, 6, 1) / np.float32(255)
  np.testing.assert_array_equal(augment.resize(images, size=size), images)


@pytest.mark.parametrize(
  ('mean', 'std'), [(0.5, 0.25), ((0.4,), [0.2]), ((0.1, 0.2, 0.3), (1, 2, 3))]
)
def test_normalise(mean, std):
  images = np.random.default_rng(0).random((2, 3, 4, 3), np.float32)
  result = augment.normalise(images, mean=mean, std=std)
  expected = (images - np.asarray(mean)) / np.asarray(std)
  np.testing.assert_allclose(result, expected, atol=1e-6)


def test_preprocess_is_its_steps_under_jit_too():
  images = random_bytes(3, 28, 28, 1)
  settings = {'size': 32, 'channels': 3, 'mean': (0.4, 0.5, 0.6), 'std': 0.2}

  def steps(images):
    floats = augment.to_float(images, channels=3)
    return augment.normalise(
      augment.resize(floats, size=32), mean=settings['mean'], std=0.2
    )

  expected = steps(images)
  assert expected.shape == (3, 32, 32, 3)
  np.testing.assert_array_equal(
    augment.preprocess(images, **settings), expected
  )
  compiled = jax.jit(lambda x: augment.preprocess(x, **settings))
  np.testing.assert_allclose(compiled(images), expected, atol=1e-5)


@pytest.mark.parametrize(
  'images',
  [
    np.zeros((2, 4, 4, 1), np.float32),
    np.zeros((2, 4, 4, 4), np.uint8),
    np.zeros((4, 4, 3), np.uint8),
  ],
  ids=['scaled already', 'alpha', 'no batch'],
)
def test_other_images_are_refused(images):
  with pytest.raises(errors.DataError, match='uint8'):
    augment.to_float(images)


@pytest.mark.parametrize(
  ('call', 'match'),
  [
    (lambda x: augment.match_channels(x, channels=2), 'channels'),
    (lambda x: augment.resize(x, size=-1), 'size'),
    (lambda x: augment.resize(x, size=4, method='area'), 'bilinear, cubic'),
    (lambda x: augment.normalise(x, mean=(0, 0), std=1), 'mean must be 1 or'),
    (lambda x: augment.normalise(x, mean=0, std=(1, 1)), 'std must be 1 or'),
    (lambda x: augment.normalise(x, mean=0, std=0), 'std must be positive'),
  ],
)
def test_wrong_arguments(call, match):
  with pytest.raises(errors.UsageError, match=match):
    call(np.zeros((1, 5, 5, 3), np.float32))
