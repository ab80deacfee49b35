"""Gaussian blur against SciPy's correlation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from overlap.core import errors
from overlap.data.augment import blur


def naive_blur(image, sigma):
  for axis in (0, 1):
    radius = max(1, image.shape[axis] // 20)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    image = ndimage.correlate1d(
      image, weights / weights.sum(), axis=axis, mode='mirror'
    )
  return image


@pytest.mark.slow_except('shape0', 'shape2')
@pytest.mark.parametrize(
  'shape', [(1, 1, 3, 1), (3, 28, 28, 1), (2, 45, 20, 3), (2, 64, 63, 1)]
)
def test_blur_is_scipys(make_images, shape):
  images = make_images(*shape)
  sigma = np.linspace(0.1, 2.5, shape[0], dtype=np.float32)
  result = blur.gaussian_blur(images, jnp.asarray(sigma))
  for i in range(shape[0]):
    np.testing.assert_allclose(
      result[i], naive_blur(images[i], sigma[i]), atol=1e-5
    )


def test_a_tiny_width_keeps_the_image(make_images):
  images = make_images(2, 8, 8, 1)
  result = blur.gaussian_blur(images, jnp.asarray([1e-3, 0.1]))
  np.testing.assert_array_equal(result, images)


@pytest.mark.parametrize('probability', [0.0, 0.5, 1.0])
def test_each_image_is_blurred_or_not(make_images, probability):
  images, key = make_images(40, 8, 8, 1), jax.random.key(0)
  result = blur.random_blur(
    key, images, probability=probability, sigma=(0.5, 1.5)
  )
  for i, one in enumerate(jax.random.split(key, 40)):
    chosen, place = np.asarray(jax.random.uniform(one, (2,)))
    expected = images[i]
    if chosen < probability:
      expected = naive_blur(images[i], 0.5 + place)
    np.testing.assert_allclose(result[i], expected, atol=1e-5)


@pytest.mark.parametrize(
  ('options', 'match'),
  [
    ({'probability': -0.1}, 'probability'),
    ({'sigma': (0, 1)}, 'sigma'),
    ({'sigma': (2, 1)}, 'sigma'),
  ],
)
def test_wrong_arguments(options, match):
  with pytest.raises(errors.UsageError, match=match):
    blur.random_blur(jax.random.key(0), jnp.zeros((1, 8, 8, 1)), **options)
