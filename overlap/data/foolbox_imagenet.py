"""Twenty photographs with an ImageNet label each, from the package foolbox.

Too few to measure a model by, and enough to see whether one was loaded well.
"""

import importlib.util
import os
import pathlib
import re
from collections.abc import Callable

import numpy as np

from overlap.catalog import wordnet
from overlap.core import errors, lookup
from overlap.data import source
from overlap.data.encoded import EncodedExamples
from overlap.data.examples import Examples

_NAME = re.compile(r'imagenet_\d+_(\d+)\.jpg')
SPLITS = ('test',)


class Photographs(EncodedExamples):
  """The photographs, read when they are asked for."""

  def __init__(self, *, dataset: str, split: str, image_size: int):
    """Lists the files.

    Args:
      dataset: name in the store.
      split: one of `SPLITS`.
      image_size: 0 where each model prepares them by itself (`input.resize`),
        and else for squares of 224.
    """
    lookup.check_choice('split', split, SPLITS)
    self._files = _files()
    matches = filter(None, map(_NAME.fullmatch, self._files))
    self._classes = np.array([int(match.group(1)) for match in matches])
    super().__init__(
      dataset=dataset, split=split, ids=list(self._files),
      class_names=list(wordnet.lexicographer_files()),
      channels=3, image_size=image_size or 224,
    )  # fmt: skip

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    def content(row: int) -> bytes:
      return pathlib.Path(self._files[self.name(indices[row])]).read_bytes()

    return content, self._classes[indices]

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._classes[indices]


def _files() -> dict[str, str]:
  """From name to path, in their order."""
  # Not importlib.resources, which imports the package it looks into.
  spec = importlib.util.find_spec('foolbox')
  for folder in (spec.submodule_search_locations if spec else None) or []:
    data = os.path.join(folder, 'data')
    names = sorted(filter(_NAME.fullmatch, os.listdir(data)))
    if names:
      return {name: os.path.join(data, name) for name in names}
  raise errors.DataError(
    'foolbox_imagenet needs the package foolbox, and it is not installed; '
    "`pip install 'overlap[pretrained]'`."
  )


def _obtain(*, dataset: str, data_dir: str) -> None:
  del dataset, data_dir
  _files()


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  del data_dir, channels
  return Photographs(dataset=dataset, split=split, image_size=image_size)


SOURCE = source.Source(_obtain, _load)
