"""Tar files of images and classes, as WebDataset writes them.

A sample is the members KEY.cls and KEY.jpg (or another image) of one file; all
other members are left alone. Nothing is extracted, see `tar_files`. The files
of a split are those of the folder SPLIT, or those with SPLIT in their names, as
in 'imagenet1k-train-0000.tar'. A class is a whole number from 0, or a name;
`classnames.txt` beside the files names the numbers.
"""

import glob
import os
import re

import numpy as np

from overlap.catalog import class_lists
from overlap.core import errors, lookup, progress
from overlap.data import images, source, tar_files
from overlap.data.encoded import ListedImages
from overlap.data.examples import Examples

_KINDS = {'.cls': 'class'} | dict.fromkeys(images.EXTENSIONS, 'image')
_NAMES = 'classnames.txt'


class WebDataset(ListedImages):
  """A split in tar files, of which images are read when they are asked for.

  An id is 'FILE/KEY', FILE being a tar file's path below the root without its
  suffix.
  """

  def __init__(
    self,
    *,
    dataset: str,
    root: str,
    split: str,
    image_size: int = 0,
    channels: int = 0,
  ):
    """Goes through the files once, from member to member, and reads classes.

    Args:
      dataset: name in the store.
      root: folder of the files.
      split: see above.
      image_size: S, 0 for the images' own size.
      channels: 0 for what a sample of the images has.

    Raises:
      DataError: a file is damaged, or a sample has no image or no class.
      UsageError: no such split.
    """
    self._paths = find_shards(root, split)
    ids: list[str] = []
    classes: list[str] = []
    shards, places = [], []
    for shard, path in enumerate(
      progress.track(
        self._paths, total=len(self._paths), what=f'index {dataset}',
        unit='file',
      )
    ):  # fmt: skip
      name = os.path.relpath(path, root).removesuffix('.tar')
      samples = tar_files.list_samples(path, _KINDS)
      for key, sample in samples.items():
        if len(sample) < 2:
          raise errors.DataError(
            f'{path} must have an image and a class (.cls) in every sample, '
            f'got {" and ".join(sample) or "neither"} in {key!r}.'
          )
      ids += [f'{name}/{key}' for key in samples]
      found = tar_files.read(path, [s['class'][1:] for s in samples.values()])
      classes += [text.decode('utf-8', 'replace').strip() for text in found]
      places += [s['image'][1:] for s in samples.values()]
      shards += [shard] * len(samples)
    self._shards, self._places = np.array(shards), np.array(places)
    labels, names, self.class_order = class_lists.number(
      classes, _class_names(root), dataset
    )
    super().__init__(
      dataset=dataset, split=split, ids=ids, labels=labels, class_names=names,
      image_size=image_size, channels=channels,
    )  # fmt: skip

  def content(self, index: int) -> bytes:
    path = self._paths[self._shards[index]]
    return tar_files.read(path, [self._places[index]])[0]


def find_shards(root: str, split: str) -> list[str]:
  """Returns the tar files of a split, sorted.

  Raises:
    DataError: there is no tar file at all.
    UsageError: there is none of this split.
  """
  pattern = os.path.join(glob.escape(root), '**', '*.tar')
  paths = sorted(glob.glob(pattern, recursive=True))
  if not paths:
    raise errors.DataError(f'{root} must hold tar files, and holds none.')
  # As a word of the name: 'val' is none of 'validation'.
  word = re.compile(f'(?<![a-z]){re.escape(split.lower())}(?![a-z])')
  names = [os.path.relpath(path, root) for path in paths]
  found = [p for p, name in zip(paths, names) if word.search(name.lower())]
  if not found:
    raise errors.UsageError(
      f'No tar file of {root} has the split {split!r} in its name, got '
      f'{lookup.few(names)}.'
    )
  return found


def _class_names(root: str) -> tuple[str, ...]:
  path = os.path.join(root, _NAMES)
  return class_lists.read_class_list([path]) if os.path.isfile(path) else ()


def _obtain(*, dataset: str, data_dir: str) -> None:
  root = source.folder(dataset, data_dir)
  pattern = os.path.join(glob.escape(root), '**', '*.tar')
  if next(glob.iglob(pattern, recursive=True), None) is None:
    raise errors.DataError(f'{root} must hold tar files, and holds none.')


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """'webdataset' or 'webdataset:NAME': data_dir, or data_dir/NAME."""
  return WebDataset(
    dataset=dataset, root=source.folder(dataset, data_dir), split=split,
    image_size=image_size, channels=channels,
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)
