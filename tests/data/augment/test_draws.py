"""One key an example, and checks of arguments."""

import jax
import numpy as np
import pytest

from overlap.core import errors
from overlap.data.augment import draws


@pytest.mark.parametrize('batch', [1, 5])
def test_uniform_restated_for_each_example(batch):
  key = jax.random.key(3)
  drawn = draws.uniform(key, batch, 4)
  assert drawn.shape == (4, batch, 1, 1, 1)
  for i, one in enumerate(jax.random.split(key, batch)):
    expected = jax.random.uniform(one, (4,))
    np.testing.assert_array_equal(drawn[:, i, 0, 0, 0], expected)


def test_uniform_does_not_depend_on_the_size_of_the_batch():
  key = jax.random.key(0)
  np.testing.assert_array_equal(
    draws.uniform(key, 9, 2)[:, :4], draws.uniform(key, 4, 2)
  )


def test_index_covers_its_range_evenly():
  drawn = draws.index(draws.uniform(jax.random.key(0), 7000, 1), 7)
  counts = np.bincount(np.ravel(drawn), minlength=7)
  assert len(counts) == 7
  # Standard deviation 29.
  assert np.all(np.abs(counts - 1000) < 150)


def test_index_of_the_largest_draw_is_in_range():
  largest = np.float32(1) - np.finfo(np.float32).epsneg
  for count in (1, 3, 14, 65, 1001):
    assert int(draws.index(largest, count)) == count - 1


@pytest.mark.parametrize(
  'images',
  [
    np.zeros((2, 4, 4, 3), np.uint8),
    np.zeros((2, 4, 4, 2), np.float32),
    np.zeros((4, 4, 3), np.float32),
  ],
  ids=['type', 'channels', 'rank'],
)
def test_images_of_another_kind_are_refused(images):
  with pytest.raises(errors.DataError, match='float32'):
    draws.check_images(images)


def test_ranges():
  draws.check_range('size', 0, 0)
  draws.check_range('p', 1, 0, 1)
  for value in (-1, 2, float('nan')):
    with pytest.raises(errors.UsageError, match='p must be 0 … 1'):
      draws.check_range('p', value, 0, 1)
  with pytest.raises(errors.UsageError, match='size must be at least 0'):
    draws.check_range('size', -1, 0)


def test_bounds():
  draws.check_bounds('scale', (0.5, 0.5), 0, 1)
  for bounds in ((0, 1), (0.6, 0.5), (0.5, 1.5), (float('nan'), 1)):
    with pytest.raises(errors.UsageError, match='scale must be'):
      draws.check_bounds('scale', bounds, 0, 1)
  with pytest.raises(errors.UsageError, match='inf'):
    draws.check_bounds('ratio', (1, float('inf')), 0, float('inf'))
