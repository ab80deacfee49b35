"""RandAugment's operations, one by one, and their draws."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.data.augment import color, rand_augment

Image = pytest.importorskip('PIL.Image')
OPERATIONS = rand_augment.OPERATIONS


compiled = jax.jit(
  rand_augment.apply_operation, static_argnames=('strength', 'fill')
)


def apply(images, name, strength, sign=1.0, fill=0.0):
  shape = (len(images), 1, 1, 1)
  code = jnp.full(shape, OPERATIONS.index(name), jnp.int32)
  signs = jnp.full(shape, sign)
  return np.asarray(compiled(images, code, signs, strength=strength, fill=fill))


def test_there_are_fourteen():
  assert len(set(OPERATIONS)) == len(OPERATIONS) == 14


@pytest.mark.parametrize('sign', [-1.0, 1.0])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
  'name', ['rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y']
)
def test_geometry_is_pillows(make_images, name, channels, sign):
  images = make_images(2, 12, 15, channels)
  result = apply(images, name, 0.6, sign=sign)
  # Pillow's coefficients: x_in = a x + b y + c, y_in = d x + e y + f, about
  # the top left corner.
  a, b, c, d, e, f = 1.0, 0.0, 0.0, 0.0, 1.0, 0.0
  if name == 'rotate':
    angle = sign * math.radians(18)
    a, b, d, e = (
      math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle)
    )  # fmt: skip
    c, f = 7.5 - 7.5 * a - 6 * b, 6 - 7.5 * d - 6 * e
  b = sign * 0.18 if name == 'shear_x' else b
  d = sign * 0.18 if name == 'shear_y' else d
  c = sign * 0.27 * 15 if name == 'translate_x' else c
  f = sign * 0.27 * 12 if name == 'translate_y' else f
  y, x = np.mgrid[:12, :15] + 0.5
  column, row = a * x + b * y + c, d * x + e * y + f
  # Where a pixel lies partly outside, Pillow repeats the border instead.
  inside = (column > 0.51) & (column < 14.49) & (row > 0.51) & (row < 11.49)
  outside = (column < -0.51) | (column > 15.51) | (row < -0.51) | (row > 12.51)
  assert inside.sum() > 60
  for i in range(2):
    for channel in range(channels):
      expected = np.asarray(
        Image.fromarray(images[i, :, :, channel]).transform(
          (15, 12), Image.Transform.AFFINE, (a, b, c, d, e, f),
          Image.Resampling.BILINEAR,
        )
      )  # fmt: skip
      got = result[i, :, :, channel]
      np.testing.assert_allclose(got[inside], expected[inside], atol=1e-4)
      np.testing.assert_array_equal(got[outside], 0)


@pytest.mark.slow_except('1')
@pytest.mark.parametrize('channels', [1, 3])
def test_values_are_those_of_the_single_operations(make_images, channels):
  images = make_images(3, 7, 6, channels)
  factor = jnp.full((3, 1, 1, 1), 1 - 0.9 * 0.5)
  expected = {
    'identity': images,
    'brightness': images * 0.55,
    'color': color.blend(color.luma(images), images, factor),
    'contrast': color.blend(color.mean_luma(images), images, factor),
    'sharpness': color.blend(color.smooth(images), images, factor),
    'autocontrast': color.autocontrast(images),
    'equalize': color.equalize(images),
    'posterize': color.posterize(images, 6),
    'solarize': color.solarize(images, 0.5),
  }
  for name, wanted in expected.items():
    result = apply(images, name, 0.5, sign=-1.0)
    np.testing.assert_allclose(result, wanted, atol=1e-6, err_msg=name)


def test_colour_does_nothing_to_grey_images(make_images):
  images = make_images(2, 6, 6, 1)
  np.testing.assert_array_equal(apply(images, 'color', 0.9), images)


def change(images, name, strength):
  return np.abs(apply(images, name, strength) - images).mean()


@pytest.mark.parametrize(
  'name', sorted(set(OPERATIONS) - {'identity', 'autocontrast', 'equalize'})
)
def test_strength_zero_does_nothing_and_more_does_more(make_images, name):
  images = 0.1 + 0.8 * make_images(4, 16, 16, 3)
  # Solarising from 1 on, and 8 bits, are nothing but rounding.
  assert change(images, name, 0.0) < 1 / 255
  assert (
    change(images, name, 0.0)
    < change(images, name, 0.3)
    < change(images, name, 1.0)
  )


def test_layers_are_drawn_for_each_example(make_images):
  images, key = make_images(64, 9, 9, 3), jax.random.key(1)
  result = jax.jit(
    functools.partial(rand_augment.randaugment, layers=2, magnitude=7.0)
  )(key, images)
  seen = set()
  for i, one in enumerate(jax.random.split(key, 64)):
    drawn = np.asarray(jax.random.uniform(one, (4,)))
    expected = images[i : i + 1]
    for place, sign in drawn.reshape(2, 2):
      name = OPERATIONS[int(place * 14)]
      seen.add(name)
      expected = apply(
        expected, name, 0.7, sign=-1.0 if sign < 0.5 else 1.0, fill=0.5
      )
    np.testing.assert_allclose(result[i], expected[0], atol=2e-5)
  assert len(seen) == 14


def test_the_largest_magnitude_stays_in_range(make_images):
  for channels in (1, 3):
    result = np.asarray(
      jax.jit(functools.partial(rand_augment.randaugment, magnitude=30.0))(
        jax.random.key(0), make_images(56, 8, 8, channels)
      )
    )
    assert np.all((result >= 0) & (result <= 1))


@pytest.mark.parametrize(
  ('options', 'match'),
  [
    ({'layers': 0}, 'layers'),
    ({'magnitude': -1.0}, 'magnitude'),
    ({'magnitude': 31.0}, 'magnitude'),
    ({'fill': 1.5}, 'fill'),
  ],
)
def test_wrong_arguments(options, match):
  with pytest.raises(errors.UsageError, match=match):
    rand_augment.randaugment(
      jax.random.key(0), jnp.zeros((1, 4, 4, 1)), **options
    )
