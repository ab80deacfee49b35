"""Tests of overlap.data.views."""

import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from overlap.core import errors
from overlap.data import examples, preparation, views
from overlap.data.examples import ArrayExamples
from overlap.data.preparation import Preparation


class Counting(examples.Examples):
  """Another data set's examples, which counts how often each is read."""

  def __init__(self, inner):
    super().__init__(
      dataset=inner.dataset, split=inner.split, ids=inner.ids,
      class_names=inner.class_names, channels=inner.channels,
      image_size=inner.image_size,
    )  # fmt: skip
    self._inner = inner
    self.reads = np.zeros(len(inner), int)

  def read(self, indices):
    np.add.at(self.reads, indices, 1)
    return self._inner.read(indices)


@pytest.mark.parametrize('positions', [[], [2], [0, 3, 4], [4, 0]])
def test_selected_is_the_parent_at_positions(numbered, numbers_of, positions):
  data = views.Selected(numbered(5), np.array(positions, int))
  assert len(data) == len(positions)
  assert data.ids.tolist() == [f'n/{i}' for i in positions]
  np.testing.assert_array_equal(data.labels(), np.array(positions, int) % 3)
  batch = data.fetch(np.arange(len(positions)))
  np.testing.assert_array_equal(numbers_of(batch['image']), positions)
  assert data.in_memory


def test_cached_reads_every_example_once(numbered, numbers_of):
  counting = Counting(numbered(6))
  data = views.Cached(counting)
  for indices in ([1, 4, 1], [4], [], [5, 1, 0], [0, 5]):
    batch = data.fetch(indices)
    np.testing.assert_array_equal(numbers_of(batch['image']), indices)
    np.testing.assert_array_equal(batch['label'], np.array(indices, int) % 3)
  assert counting.reads.tolist() == [1, 1, 0, 0, 1, 1]
  assert not counting.in_memory
  assert data.in_memory


def test_cached_serves_threads(numbered, numbers_of):
  data = views.Cached(Counting(numbered(300)))
  rng = np.random.default_rng(0)
  asked = [rng.integers(0, 300, 50) for _ in range(200)]
  with concurrent.futures.ThreadPoolExecutor(8) as threads:
    for indices, batch in zip(asked, threads.map(data.fetch, asked)):
      np.testing.assert_array_equal(numbers_of(batch['image']), indices)
      np.testing.assert_array_equal(batch['label'], indices % 3)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('size', [2, 7, 16])
def test_resized_is_pillows_bicubic(channels, size):
  images = np.random.default_rng(0).integers(
    0, 256, (5, 8, 8, channels), np.uint8
  )
  data = views.Resized(
    examples.ArrayExamples(
      dataset='d', split='s', images=images, labels=np.arange(5),
      ids=list('abcde'), class_names=list('vwxyz'),
    ),
    size,
  )  # fmt: skip
  assert data.image_size == size
  batch = data.fetch([3, 1])
  for row, index in enumerate([3, 1]):
    image = Image.fromarray(images[index].squeeze())
    expected = np.asarray(image.resize((size, size), Image.BICUBIC))
    np.testing.assert_array_equal(batch['image'][row].squeeze(), expected)
  np.testing.assert_array_equal(batch['label'], [3, 1])
  np.testing.assert_array_equal(data.labels(), np.arange(5))


def test_prepared_goes_back_to_the_originals():
  originals = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
  whole = examples.ArrayExamples(
    dataset='d', split='s', images=originals, labels=np.arange(5),
    ids=list('abcde'), class_names=list('vwxyz'),
  )  # fmt: skip
  how = Preparation(4, crop=0.5, interpolation='bilinear')
  want = [preparation.prepare(image, how) for image in originals]
  # What these do to the images does not matter, which they choose does.
  for view in (
    whole,
    views.Resized(whole, 2),
    views.Cached(views.Resized(whole, 2)),
    views.Prepared(whole, Preparation(3, 'crop_first')),
  ):
    chosen = views.Selected(view, np.array([4, 0, 2]))
    data = views.Prepared(chosen, how)
    assert (data.image_size, data.channels, len(data)) == (4, 3, 3)
    assert not data.in_memory
    batch = data.fetch([1, 0])
    np.testing.assert_array_equal(batch['image'], [want[0], want[4]])
    np.testing.assert_array_equal(batch['label'], [0, 4])
    np.testing.assert_array_equal(data.labels(), [4, 0, 2])
    assert data.ids.tolist() == ['e', 'a', 'c']


def test_num_bytes(numbered):
  assert views.num_bytes(numbered(5)) == 5 * 4 * 4


@pytest.mark.parametrize('count', [0, 1, 3, 7, 8])
def test_a_sample_depends_on_the_ids_alone(count):
  ids = np.array([f'id{i}' for i in range(7)])
  images = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1)

  def sampled(order):
    examples = ArrayExamples(
      dataset='d',
      split='s',
      ids=ids[order],
      class_names=['a'],
      images=images[order],
      labels=np.zeros(7, np.int32),
    )
    chosen = views.sample(examples, count)
    pixels = chosen.fetch(np.arange(len(chosen)))['image'].ravel()
    return dict(zip(chosen.ids.tolist(), pixels.tolist()))

  got = sampled(np.arange(7))
  assert len(got) == (count if 0 < count < 7 else 7)
  assert got == sampled(np.arange(7)[::-1])
  assert all(got[f'id{i}'] == i for i in range(7) if f'id{i}' in got)


def test_labels_are_positions_in_another_list(numbered, numbers_of):
  data = numbered(6)
  classes = ['class 2', 'more', 'class 0', 'class 1']
  shown = views.Relabelled(data, classes, [2, 3, 0])
  assert shown.class_names == tuple(classes)
  np.testing.assert_array_equal(shown.labels(), [2, 3, 0, 2, 3, 0])
  batch = shown.fetch([4, 2])
  np.testing.assert_array_equal(numbers_of(batch['image']), [4, 2])
  np.testing.assert_array_equal(batch['label'], [3, 0])
  made = shown.fetch_made([5], lambda _, image: np.asarray(image), (4, 4))
  np.testing.assert_array_equal(made['label'], [0])
  slice_of_it = views.Selected(shown, np.array([1, 2]))
  assert slice_of_it.class_names == tuple(classes)
  np.testing.assert_array_equal(slice_of_it.labels(), [3, 0])


def test_what_is_no_class_stays_a_fault_in_another_list(numbered):
  data = numbered(4)
  data._label_array = np.array([0, -1, 3, 2])
  shown = views.Relabelled(data, ['class 2', 'class 1', 'class 0'], [2, 1, 0])
  for index in (1, 2):
    with pytest.raises(errors.DataError, match=f"'n/{index}'"):
      shown.fetch([index])
