"""Tests of overlap.data.resampling, against Pillow, PyTorch and JAX."""

import jax
import numpy as np
import pytest
from PIL import Image

from overlap.data import resampling

RNG = np.random.default_rng(0)
SIZES = [(24, 31), (63, 40), (100, 77), (7, 5)]


@pytest.fixture(scope='module')
def photograph(photographs):
  return photographs[0][:140, :190]


def plain(image, height, width, interpolation):
  return resampling.resize(
    image, height, width, interpolation=interpolation, antialias=False
  )


def largest_difference(ours, want):
  """In grey levels; what the reference has between or outside is allowed."""
  return np.abs(ours - np.clip(np.asarray(want, np.float64), 0, 255)).max()


@pytest.mark.parametrize('interpolation', resampling.INTERPOLATIONS)
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('size', SIZES)
def test_antialiased_it_is_pillows(interpolation, channels, size):
  image = RNG.integers(0, 256, (40, 50, channels), np.uint8)
  got = resampling.resize(image, *size, interpolation=interpolation)
  method = Image.Resampling[interpolation.upper()]
  want = Image.fromarray(image.squeeze()).resize(size[::-1], method)
  np.testing.assert_array_equal(got.squeeze(), np.asarray(want))
  assert got.shape == (*size, channels)


# jax.image.resize follows tf.image.resize, in whose place it stands here.
@pytest.mark.slow_except(
  'size0-bilinear-linear', 'size1-bicubic-cubic', 'size2-lanczos-lanczos3'
)
@pytest.mark.parametrize(
  ('interpolation', 'method'),
  [('bilinear', 'linear'), ('bicubic', 'cubic'), ('lanczos', 'lanczos3')],
)
@pytest.mark.parametrize('size', SIZES)
def test_without_antialiasing_it_is_jaxs(
  photograph, interpolation, method, size
):
  want = jax.image.resize(
    photograph.astype('f'), (*size, 3), method, antialias=False
  )
  got = plain(photograph, *size, interpolation)
  assert largest_difference(got, want) <= 0.501
  noise = RNG.integers(0, 256, (40, 50, 1), np.uint8)
  want = jax.image.resize(
    noise.astype('f'), (*size, 1), method, antialias=False
  )
  assert largest_difference(plain(noise, *size, interpolation), want) <= 0.501


def restated(image, size, a, edges):
  """Bicubic interpolation number by number, with Keys' parameter `a`.

  Beyond an image its last pixels go on where edges='repeat'; where it is
  'drop' nothing is there, and the weights that are left are scaled up.
  """

  def kernel(d):
    if d < 1:
      return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0

  def matrix(count, length):
    weights = np.zeros((count, length))
    for i in range(count):
      place = (i + 0.5) * length / count - 0.5
      for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
        if edges == 'repeat' or 0 <= j < length:
          weights[i, min(max(j, 0), length - 1)] += kernel(abs(place - j))
    return weights / weights.sum(axis=1, keepdims=True)

  rows, columns = (matrix(size[i], image.shape[i]) for i in (0, 1))
  return np.einsum('ih,hwc,jw->ijc', rows, image.astype(float), columns)


@pytest.mark.slow_except('size0', 'size1', 'size3')
@pytest.mark.parametrize('size', SIZES)
def test_bicubic_is_keys_with_one_half_where_torch_has_three_quarters(
  photograph, size
):
  torch = pytest.importorskip('torch')
  theirs = torch.nn.functional.interpolate(
    torch.from_numpy(photograph.astype('f').transpose(2, 0, 1)[None].copy()),
    size,
    mode='bicubic',
    align_corners=False,
    antialias=False,
  )[0].numpy()
  theirs = theirs.transpose(1, 2, 0)
  # What the restatement is worth: with their constants it is theirs.
  torchs = restated(photograph, size, -0.75, 'repeat')
  np.testing.assert_allclose(theirs, torchs, atol=0.01)
  ours = plain(photograph, *size, 'bicubic')
  assert largest_difference(ours, restated(photograph, size, -0.5, 'drop')) < (
    0.501
  )
  assert largest_difference(ours, theirs) > 2


# Without antialiasing it has another cubic kernel, see above.
@pytest.mark.parametrize(
  ('interpolation', 'antialias'),
  [('bilinear', False), ('bilinear', True), ('bicubic', True)],
)
def test_torch_is_as_near_as_it_can_be(photograph, interpolation, antialias):
  torch = pytest.importorskip('torch')
  theirs = torch.nn.functional.interpolate(
    torch.from_numpy(photograph.astype('f').transpose(2, 0, 1)[None].copy()),
    (60, 91),
    mode=interpolation,
    align_corners=False,
    antialias=antialias,
  )[0].numpy()
  ours = resampling.resize(
    photograph, 60, 91, interpolation=interpolation, antialias=antialias
  )
  # Pillow rounds between the two directions, too.
  most = 1.0 if antialias else 0.501
  assert largest_difference(ours, theirs.transpose(1, 2, 0)) <= most


# Sizes of which no place is between two pixels.
@pytest.mark.parametrize('size', [(24, 32), (64, 36), (96, 76)])
def test_nearest_is_the_pixel_below_the_middle(size):
  torch = pytest.importorskip('torch')
  image = RNG.integers(0, 256, (40, 50, 3), np.uint8)
  theirs = torch.nn.functional.interpolate(
    torch.from_numpy(image.transpose(2, 0, 1)[None].astype('f').copy()),
    size,
    mode='nearest-exact',
  )[0].numpy()
  got = plain(image, *size, 'nearest')
  np.testing.assert_array_equal(got, theirs.transpose(1, 2, 0))


def test_antialiasing_averages_and_the_lack_of_it_picks():
  board = np.indices((64, 64)).sum(0)[..., None] % 2 * np.uint8(255)
  board = board.astype(np.uint8)
  averaged = resampling.resize(board, 8, 8, interpolation='bilinear')
  assert np.abs(averaged.astype(int) - 127).max() < 20
  # 7 pixels from one place to the next, which are all in a pixel's middle.
  picked = plain(board[:, :63], 64, 9, 'bilinear')
  assert set(np.unique(picked)) <= {0, 255}


@pytest.mark.parametrize('antialias', [False, True])
@pytest.mark.parametrize('interpolation', resampling.INTERPOLATIONS)
def test_an_image_of_the_size_keeps_its_pixels(interpolation, antialias):
  image = RNG.integers(0, 256, (9, 7, 3), np.uint8)
  got = resampling.resize(
    image, 9, 7, interpolation=interpolation, antialias=antialias
  )
  np.testing.assert_array_equal(got, image)


@pytest.mark.parametrize('interpolation', resampling.INTERPOLATIONS)
@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (3, 1)])
def test_a_flat_image_stays_flat(interpolation, shape):
  image = np.full((*shape, 3), 77, np.uint8)
  assert np.all(plain(image, 4, 6, interpolation) == 77)
