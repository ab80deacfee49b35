"""Tests of overlap.data.examples."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.data import examples


def make(**changes):
  values = {
    'dataset': 'd', 'split': 's', 'images': np.zeros((3, 2, 2), np.uint8),
    'labels': np.array([0, 1, 1]), 'ids': ['a', 'b', 'c'],
    'class_names': ['x', 'y'],
  } | changes  # fmt: skip
  return examples.ArrayExamples(**values)


class FromFile(examples.Examples):
  """Reads one by one, and counts."""

  def __init__(self, labels, class_names=('x', 'y')):
    super().__init__(
      dataset='d', split='s', ids=[f'i{n}' for n in range(len(labels))],
      class_names=class_names, channels=3, image_size=1,
    )  # fmt: skip
    self._values = np.asarray(labels)
    self.num_reads = 0

  def read(self, indices):
    self.num_reads += len(indices)
    return np.zeros((len(indices), 1, 1, 3), np.uint8), self._values[indices]


def test_array_examples_have_the_interface(numbered, numbers_of):
  data = numbered(5)
  assert len(data) == 5
  assert data.ids.tolist() == ['n/0', 'n/1', 'n/2', 'n/3', 'n/4']
  assert (data.channels, data.image_size) == (1, 4)
  assert data.class_names == ('class 0', 'class 1', 'class 2')
  np.testing.assert_array_equal(data.labels(), [0, 1, 2, 0, 1])
  assert data.labels().dtype == np.int32
  batch = data.fetch([4, 0, 4])
  assert batch['image'].shape == (3, 4, 4, 1)
  assert batch['image'].dtype == np.uint8
  assert batch['label'].dtype == np.int32
  np.testing.assert_array_equal(numbers_of(batch['image']), [4, 0, 4])
  np.testing.assert_array_equal(batch['label'], [1, 0, 1])


def test_nothing_asked_for_gives_an_empty_batch(numbered):
  batch = numbered(2).fetch([])
  assert batch['image'].shape == (0, 4, 4, 1)
  assert batch['label'].shape == (0,)


@pytest.mark.parametrize('indices', [[-1], [3], [0, 3], [-4]])
def test_indices_beyond_the_split_raise(indices):
  with pytest.raises(IndexError, match=r'\[0, 3\)'):
    make().fetch(indices)


def test_rgb_images_keep_their_channels():
  data = make(images=np.zeros((3, 2, 2, 3), np.uint8))
  assert data.channels == 3


@pytest.mark.parametrize(
  ('images', 'got'),
  [
    (np.zeros((3, 2, 2), np.float32), 'float32'),
    (np.zeros((3, 2, 4), np.uint8), r'\[3, 2, 4, 1\]'),
    (np.zeros((3, 2, 2, 2), np.uint8), r'\[3, 2, 2, 2\]'),
    (np.zeros((3, 4), np.uint8), r'\[3, 4\]'),
  ],
)
def test_other_images_are_a_fault(images, got):
  with pytest.raises(errors.DataError, match=got):
    make(images=images)


def test_numbers_of_images_labels_and_ids_must_agree():
  with pytest.raises(errors.DataError, match='got 3, 2 and 3'):
    make(labels=np.zeros(2))


def test_a_repeated_id_is_named():
  with pytest.raises(errors.DataError, match="got 'b' 2 times"):
    make(ids=['a', 'b', 'b'])


@pytest.mark.parametrize('label', [-1, 2])
def test_a_label_outside_the_classes_names_the_id(label):
  with pytest.raises(errors.DataError, match=f"got {label} for example 'c'"):
    make(labels=np.array([0, 1, label]))


def test_a_label_outside_the_classes_names_the_id_where_it_is_read():
  data = FromFile([0, 1, -1, 0])
  data.fetch([0, 1, 3])
  with pytest.raises(errors.DataError, match="example 'i2'"):
    data.fetch([3, 2])
  with pytest.raises(errors.DataError, match="example 'i2'"):
    data.labels()


@pytest.mark.parametrize('count', [0, 1, 4, 5])
def test_labels_are_read_once_in_chunks(monkeypatch, count):
  monkeypatch.setattr(examples, '_LABEL_CHUNK', 2)
  data = FromFile(np.arange(count) % 2)
  for _ in range(2):
    np.testing.assert_array_equal(data.labels(), np.arange(count) % 2)
  assert data.num_reads == count
