"""Tests of overlap.data.preparation, against timm's transforms."""

import warnings

import numpy as np
import pytest
from PIL import Image

from overlap.core import errors
from overlap.data import preparation, resampling
from overlap.data.preparation import Preparation

RNG = np.random.default_rng(0)


@pytest.fixture(scope='module')
def timm_transform():
  """timm's evaluation of an image, before it is normalised."""
  pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm_data = pytest.importorskip('timm.data')

  def apply(image, size, **options):
    transform = timm_data.create_transform(
      input_size=(3, size, size), use_prefetcher=True, **options
    )
    pixels = transform(Image.fromarray(image)).numpy()
    return pixels.transpose(1, 2, 0)

  return apply


# Even and odd differences of the sides, sizes that are no whole numbers.
SHAPES = [(512, 512), (375, 500), (500, 333), (401, 300), (200, 199)]


@pytest.mark.parametrize(
  ('size', 'crop', 'interpolation', 'mode', 'resize'),
  [
    (224, 0.875, 'bilinear', 'center', 'shorter_side'),
    (224, 0.9, 'bicubic', 'center', 'shorter_side'),
    (299, 0.875, 'bicubic', 'center', 'shorter_side'),
    (225, 0.95, 'lanczos', 'center', 'shorter_side'),
    (224, 1.0, 'bicubic', 'center', 'shorter_side'),
    (224, 0.875, 'nearest', 'center', 'shorter_side'),
    (240, 1.0, 'bicubic', 'squash', 'squash'),
    (224, 0.875, 'bilinear', 'squash', 'squash'),
  ],
)
def test_photographs_are_timms(
  photographs, timm_transform, size, crop, interpolation, mode, resize
):
  for i, (height, width) in enumerate(SHAPES):
    image = photographs[i][:height, :width]
    want = timm_transform(
      image, size, crop_pct=crop, interpolation=interpolation, crop_mode=mode
    )
    got = preparation.prepare(
      image, Preparation(size, resize, crop, interpolation)
    )
    np.testing.assert_array_equal(got, want)


def test_a_whole_photograph_is_timms(photographs, timm_transform):
  """The one of 683×1024 pixels, with all of timm's defaults."""
  (image,) = (x for x in photographs if x.shape != (512, 512, 3))
  got = preparation.prepare(image, Preparation(224, interpolation='bilinear'))
  np.testing.assert_array_equal(got, timm_transform(image, 224))


@pytest.mark.parametrize(
  ('shape', 'crop', 'box'),
  # (top, bottom, left, right); 0.875 of 8 is 7, of 9 is 7.875.
  [
    ((8, 8), 0.875, (1, 8, 1, 8)),
    ((8, 9), 0.875, (1, 8, 1, 8)),
    ((9, 12), 0.875, (1, 8, 3, 10)),
    ((10, 7), 1.0, (2, 9, 0, 7)),
    ((4, 4), 0.1, (2, 3, 2, 3)),
  ],
)
@pytest.mark.parametrize('antialias', [False, True])
def test_crop_first_resizes_the_centre_alone(shape, crop, box, antialias):
  image = RNG.integers(0, 256, (*shape, 3), np.uint8)
  top, bottom, left, right = box
  got = preparation.prepare(
    image, Preparation(5, 'crop_first', crop, 'bicubic', antialias)
  )
  want = resampling.resize(
    image[top:bottom, left:right], 5, 5, antialias=antialias
  )
  np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize('resize', preparation.RESIZES)
@pytest.mark.parametrize('interpolation', resampling.INTERPOLATIONS)
@pytest.mark.parametrize('antialias', [False, True])
@pytest.mark.parametrize('channels', [1, 3])
def test_any_size_becomes_the_size(resize, interpolation, antialias, channels):
  for shape in [(1, 1), (1, 9), (5, 2), (16, 16), (17, 40)]:
    image = RNG.integers(0, 256, (*shape, channels), np.uint8)
    how = Preparation(8, resize, 0.7, interpolation, antialias)
    got = preparation.prepare(image, how)
    assert got.shape == (8, 8, channels)
    assert got.dtype == np.uint8


def test_the_rules_differ():
  image = RNG.integers(0, 256, (40, 60, 3), np.uint8)
  got = [
    preparation.prepare(image, Preparation(16, resize))
    for resize in preparation.RESIZES
  ]
  for i, first in enumerate(got):
    for second in got[i + 1 :]:
      assert np.abs(first.astype(int) - second).max() > 10


@pytest.mark.parametrize('channels', [1, 3])
def test_bgr_turns_the_channels_round(channels):
  image = RNG.integers(0, 256, (9, 12, channels), np.uint8)
  rgb = preparation.prepare(image, Preparation(6))
  bgr = preparation.prepare(image, Preparation(6, channel_order='bgr'))
  np.testing.assert_array_equal(bgr, np.flip(rgb, axis=-1))


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'resize': 'shortest'}, r'No way to resize \(in m\) is called .shortest'),
    ({'interpolation': 'cubic'}, "Did you mean 'bicubic'"),
    ({'channel_order': 'gbr'}, 'Choices: rgb, bgr'),
    ({'crop': 0.0}, r'crop \(in m\), must be in \(0, 1\], got 0\.0'),
    ({'crop': 1.2}, r'must be in \(0, 1\], got 1\.2'),
  ],
)
def test_what_can_not_be_is_one_line(changes, message):
  with pytest.raises(errors.UsageError, match=message) as caught:
    preparation.check_preparation(Preparation(8, **changes), '(in m)')
  assert '\n' not in str(caught.value)
  preparation.check_preparation(Preparation(8))
