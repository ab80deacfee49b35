"""SimCLR's two views."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.data.augment import blur, color, geometry, simclr


@pytest.mark.slow_except('1')
@pytest.mark.parametrize('channels', [1, 3])
def test_a_view_is_its_operations_in_order(make_images, channels):
  images, key = make_images(6, 9, 11, channels), jax.random.key(0)
  keys = jax.random.split(key, 5)
  expected = geometry.random_resized_crop(keys[0], images, scale=(0.3, 1.0))
  expected = geometry.random_flip(keys[1], expected)
  expected = color.color_jitter(
    keys[2], expected, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1,
    probability=0.8,
  )  # fmt: skip
  if channels == 3:
    expected = color.grayscale(keys[3], expected, probability=0.2)
  expected = blur.random_blur(keys[4], expected, probability=0.3)
  result = simclr.simclr_view(
    key, images, scale=(0.3, 1.0), strength=0.5, blur_probability=0.3
  )
  np.testing.assert_array_equal(result, expected)


@pytest.mark.slow
def test_views_differ_and_are_single_views(make_images):
  images, key = make_images(4, 8, 8, 3), jax.random.key(0)
  first, second = simclr.simclr_views(key, images, strength=0.5)
  view_of = functools.partial(simclr.simclr_view, strength=0.5)
  for view, one in zip((first, second), jax.random.split(key)):
    np.testing.assert_array_equal(view, view_of(one, images))
  assert np.all(np.abs(first - second).max(axis=(1, 2, 3)) > 0.01)


def test_shares_of_jittered_grey_and_blurred_images():
  # A uniform colour shows jitter and dropped colour, whatever the crop.
  images = jnp.tile(
    jnp.array([0.6, 0.4, 0.2])[None, None, None], (2000, 2, 2, 1)
  )
  result = np.asarray(jax.jit(simclr.simclr_view)(jax.random.key(0), images))[
    :, 0, 0
  ]
  untouched = np.abs(result - images[:, 0, 0]).max(axis=1) < 1e-5
  assert untouched.mean() == pytest.approx(0.2 * 0.8, abs=0.04)
  grey = np.ptp(result, axis=1) < 1e-5
  # Jitter alone also takes colours to black or to white now and then.
  assert 0.17 < grey.mean() < 0.35


@pytest.mark.parametrize(
  ('options', 'match'),
  [
    ({'strength': -1.0}, 'strength'),
    ({'strength': 3.0}, 'strength'),
    ({'scale': (0.0, 1.0)}, 'scale'),
    ({'blur_probability': 1.1}, 'probability'),
  ],
)
def test_wrong_arguments(options, match):
  with pytest.raises(errors.UsageError, match=match):
    jax.eval_shape(
      lambda: simclr.simclr_view(
        jax.random.key(0), jnp.zeros((1, 4, 4, 3)), **options
      )
    )
