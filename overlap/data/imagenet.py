"""ImageNet's files as they are downloaded: a flat `val`, and tar files.

The images of `val` lie beside each other, and their classes are in a file:

* `ILSVRC2012_validation_ground_truth.txt` of the development kit, whose
  numbers 1 ... 1000 are in an order of the kit's own. `meta.mat` of the kit
  says which synset has which number.
* `LOC_val_solution.csv` of Kaggle.
* A list of files and classes, `val.txt` or `places365_val.txt`.

They are looked for in the data folder, in the kit's folders and archive, and
above Kaggle's `ILSVRC/Data/CLS-LOC`. Classes are ImageNet's 1,000 in the order
of their synset ids, which every framework uses.
"""

import csv
import os
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overlap.catalog import prompts
from overlap.core import errors, lookup
from overlap.core.natural_order import sort_naturally
from overlap.data import log, mat_file, tar_files, trees
from overlap.data.encoded import ListedImages, read_file

_GROUND_TRUTH = 'ILSVRC2012_validation_ground_truth.txt'
_META = 'meta.mat'
_KIT = 'ILSVRC2012_devkit_t12'
_KIT_FOLDERS = ('', 'data', f'{_KIT}/data', 'devkit/data')
_KIT_BYTES = 2**26  # More than any file of the kit has.


class Flat(NamedTuple):
  """Images of a split that lie beside each other.

  Attributes:
    ids: 'SPLIT/CLASS/FILE', as in a tree of the same images.
    files: paths below the data folder.
    class_names: C names.
    labels: int64 [M].
    class_order: the order of the classes, for the log.
  """

  ids: list[str]
  files: list[str]
  class_names: list[str]
  labels: np.ndarray
  class_order: str


def is_flat(path: str) -> bool:
  """Returns whether a folder has images and no folder of any class."""
  if not os.path.isdir(path):
    return False
  folder = trees.list_folder(path)
  return bool(folder.files) and not folder.folders


def list_flat(root: str, split: str) -> Flat:
  """Lists the images of a flat split with their classes.

  Raises:
    DataError: no file has their classes, or it lacks an image's.
  """
  files = trees.list_folder(os.path.join(root, split)).files
  classes, names, order = _classes(root, split, files)
  ids = [f'{split}/{c}/{file}' for c, file in zip(classes, files)]
  labels = _labels(classes, names)
  return Flat(ids, [f'{split}/{f}' for f in files], names, labels, order)


def _labels(classes: Sequence[str], names: Sequence[str]) -> np.ndarray:
  """Returns the place of each class among the names, int64 `[images]`."""
  places = {name: place for place, name in enumerate(names)}
  return np.array([places[c] for c in classes], np.int64)


class TarImages(ListedImages):
  """A split of ImageNet in `ILSVRC2012_img_SPLIT.tar`, as downloaded.

  That of 'train' holds a tar file for each class. Ids are as in a tree of the
  same images, 'SPLIT/CLASS/FILE'.
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
    """Goes through the file once, from member to member.

    Args:
      dataset: name in the store.
      root: folder of the file.
      split: 'train' or 'val'.
      image_size: S, 0 for the images' own size.
      channels: 0 for what a sample of the images has.

    Raises:
      DataError: a file is damaged, or an image's class is unknown.
    """
    self._path = _tar(root, split)
    members = list(_members(self._path, split))
    files = [os.path.basename(member.name) for _, member in members]
    if split == 'train':
      classes = [os.path.splitext(inner)[0] for inner, _ in members]
      names, self.class_order = _class_names(classes)
    else:
      classes, names, self.class_order = _classes(root, split, files)
    self._places = np.array([(m.offset, m.size) for _, m in members], np.int64)
    super().__init__(
      dataset=dataset, split=split,
      ids=[f'{split}/{c}/{file}' for c, file in zip(classes, files)],
      labels=_labels(classes, names),
      class_names=names, image_size=image_size, channels=channels,
    )  # fmt: skip

  def content(self, index: int) -> bytes:
    return tar_files.read(self._path, [self._places[index]])[0]


def has_tar(root: str, split: str) -> bool:
  """Returns whether a split is in a tar file, and not in a folder."""
  folder = os.path.join(root, split)
  return os.path.isfile(_tar(root, split)) and not os.path.isdir(folder)


def is_here(root: str) -> bool:
  """Returns whether a folder has a split of ImageNet that is no tree."""
  return any(
    has_tar(root, split) or is_flat(os.path.join(root, split))
    for split in ('train', 'val')
  )


def _tar(root: str, split: str) -> str:
  return os.path.join(root, f'ILSVRC2012_img_{split}.tar')


def _members(path: str, split: str) -> Iterable[tuple[str, tar_files.Member]]:
  """Image files of a tar file, with the name of the tar file they are in."""
  log.once(f'{path}: looking for the images in it')
  if split == 'train':
    members = tar_files.list_nested(path)
  else:
    members = (('', member) for member in tar_files.list_members(path))
  return (found for found in members if not trees.reason(found[1].name))


def _classes(
  root: str, split: str, files: Sequence[str]
) -> tuple[list[str], list[str], str]:
  """Returns the class of each image, the names of all classes, their order."""
  for find in (_from_list, _from_kaggle, _from_kit):
    found = find(root, split)
    if found is not None:
      break
  else:
    raise errors.DataError(
      f'{os.path.join(root, split)} must have a folder of images a class, or a '
      f'file with the classes of its {len(files)} images: {split}.txt (a file '
      f'and a class a line), LOC_{split}_solution.csv, or {_GROUND_TRUTH} '
      f'with {_META} of {_KIT}; got neither in {root}.'
    )
  path, by_file = found
  stems = [os.path.splitext(file)[0] for file in files]
  missing = [file for file, stem in zip(files, stems) if stem not in by_file]
  if missing:
    raise errors.DataError(
      f'{path} must have the class of every image of {split}, got none of '
      f'{len(missing)} of {len(files)}: {lookup.few(missing)}.'
    )
  classes = [by_file[stem] for stem in stems]
  names, order = _class_names(classes)
  return classes, names, f'{order}, by {path}'


def _class_names(classes: Iterable[str]) -> tuple[list[str], str]:
  """Returns names of all classes, and their order in words."""
  used = set(classes)
  if used <= prompts.imagenet_names().keys():
    return list(prompts.imagenet_names()), "ImageNet's order"
  return sort_naturally(used), 'natural order'


# A file, and the class of each image by its name without a suffix.
_Found = tuple[str, Mapping[str, str]]


def _from_list(root: str, split: str) -> _Found | None:
  """Classes of lines such as 'ILSVRC2012_val_00000001.JPEG 65'."""
  for name in (f'{split}.txt', f'places365_{split}.txt'):
    path = os.path.join(root, name)
    if os.path.isfile(path):
      pairs = [line.rsplit(maxsplit=1) for line in _lines(path)]
      if any(len(pair) != 2 for pair in pairs):
        raise errors.DataError(
          f'{path} must have a file and a class in every line, got other lines.'
        )
      return path, {_stem(file): label for file, label in pairs}
  return None


def _from_kaggle(root: str, split: str) -> _Found | None:
  """Classes of `ImageId,PredictionString`: a synset and a box, or several."""
  folder = os.path.abspath(root)
  for _ in range(4):
    path = os.path.join(folder, f'LOC_{split}_solution.csv')
    if os.path.isfile(path):
      return path, dict(_solutions(path))
    folder = os.path.dirname(folder)
  return None


def _solutions(path: str) -> Iterable[tuple[str, str]]:
  for row in csv.DictReader(_lines(path)):
    boxes = (row.get('PredictionString') or '').split()
    synsets = set(boxes[::5])
    if not row.get('ImageId') or len(synsets) != 1:
      raise errors.DataError(
        f'{path} must have one class for every ImageId, got '
        f'{sorted(synsets)} for {row.get("ImageId")!r}.'
      )
    yield row['ImageId'], synsets.pop()


def _from_kit(root: str, split: str) -> _Found | None:
  """Classes by the numbers in the files' names, of the development kit."""
  content = _read_kit(root, _GROUND_TRUTH) if split == 'val' else None
  if content is None:
    return None
  numbers = content.decode('ascii', 'replace').split()
  synsets = _synsets(root)
  unknown = [number for number in numbers if number not in synsets]
  if unknown:
    raise errors.DataError(
      f'{_GROUND_TRUTH} must hold numbers of classes as {_META} has them, got '
      f'{unknown[0]!r}.'
    )
  return _GROUND_TRUTH, {
    f'ILSVRC2012_val_{i:08d}': synsets[number]
    for i, number in enumerate(numbers, 1)
  }


def _synsets(root: str) -> dict[str, str]:
  """From the numbers of the development kit to synset ids."""
  content = _read_kit(root, _META)
  if content is None:
    raise errors.DataError(
      f'{_GROUND_TRUTH} holds numbers whose order is that of {_META} in '
      f'{_KIT}.tar.gz, and not that of the synset ids; got no such file in '
      f'{root}: put either there.'
    )
  try:
    rows = mat_file.read_structures(content, 'synsets')
    return {f'{row["ILSVRC2012_ID"]:.0f}': str(row['WNID']) for row in rows}
  except (ValueError, KeyError, TypeError) as e:
    raise errors.DataError(f'{_META} must be that of {_KIT}, got: {e}.') from e


def _read_kit(root: str, name: str) -> bytes | None:
  """Reads a file of the development kit; None where it is not there."""
  for folder in _KIT_FOLDERS:
    path = os.path.join(root, folder, name)
    if os.path.isfile(path):
      return read_file(path)
  path = os.path.join(root, f'{_KIT}.tar.gz')
  if not os.path.isfile(path):
    return None
  try:
    with tarfile.open(path) as tar:
      for member in tar:
        if os.path.basename(member.name) == name and member.isfile():
          part = tar.extractfile(member)
          return part.read(_KIT_BYTES) if part else None
  except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as e:
    raise errors.DataError(f'{path} must be readable, got: {e}.') from e
  return None


def _lines(path: str) -> list[str]:
  try:
    text = read_file(path).decode('utf-8-sig')
  except UnicodeDecodeError as e:
    raise errors.DataError(f'{path} must be UTF-8 text, got: {e}.') from e
  return [line for line in text.splitlines() if line.strip()]


def _stem(file: str) -> str:
  return os.path.splitext(os.path.basename(file))[0]
