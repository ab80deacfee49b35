"""Sizes of data sets as published, for plans made where their files are not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overlap.catalog import wordnet
from overlap.core import errors, lookup
from overlap.data import cifar10, fashion_mnist
from overlap.data.examples import Examples


class Published(NamedTuple):
  """Published facts about a data set.

  Attributes:
    splits: number of examples by split.
    class_names: names in the order of the labels.
    image_size: S; 0 where images differ in size.
    channels: 1 or 3.
  """

  splits: Mapping[str, int]
  class_names: Sequence[str]
  image_size: int
  channels: int


class Described(Examples):
  """Examples of which only the number, classes and sizes are known."""

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    raise errors.DataError(f'{self.dataset} must be here to be read.')


def describe(dataset: str, split: str, image_size: int) -> Examples | None:
  """Returns what is known of a split without its files; None for nothing.

  Args:
    dataset: name of the data set, see `data.load_examples`; of TFDS, without a
      version.
    split: the source's name of the split.
    image_size: S, 0 for the data set's own.

  Raises:
    UsageError: no such split.
  """
  found = _all().get(dataset.removeprefix('tfds:'))
  size = image_size or (found.image_size if found else 0)
  if not (found and size):
    return None
  lookup.check_choice('split', split, found.splits)
  return Described(
    dataset=dataset, split=split,
    ids=[f'{split}/{i}' for i in range(found.splits[split])],
    class_names=found.class_names, channels=found.channels, image_size=size,
  )  # fmt: skip


def _all() -> dict[str, Published]:
  digits = [str(digit) for digit in range(10)]
  synsets = list(wordnet.lexicographer_files())
  large = {'train': 60_000, 'test': 10_000}
  return {
    'cifar10': Published(
      {'train': 50_000, 'test': 10_000}, cifar10.CLASS_NAMES, 32, 3
    ),
    'fashion_mnist': Published(large, fashion_mnist.CLASS_NAMES, 28, 1),
    'foolbox_imagenet': Published({'test': 20}, synsets, 224, 3),
    'imagenet2012': Published(
      {'train': 1_281_167, 'validation': 50_000}, synsets, 0, 3
    ),
    'mnist': Published(large, digits, 28, 1),
    'mnist_5k': Published(
      {'all': 5000, 'train': 4000, 'test': 1000}, digits, 28, 1
    ),
  }
