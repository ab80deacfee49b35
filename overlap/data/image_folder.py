"""Trees of image files: SPLIT/CLASS/FILE, classes nested or not.

Classes are in natural order of their folders' names, and an id is a file's
path below the tree's root. See `trees` for what is listed and what is left
out, and `images` for how files are decoded.
"""

import os
from collections.abc import Callable

import numpy as np

from overlap import errors, lookup
from overlap.data import images as images_lib
from overlap.data import log, source, trees
from overlap.data.encoded import EncodedExamples, read_file
from overlap.data.examples import Examples

# Files that are looked at to tell whether a tree is grey.
_SAMPLE = 256


class ImageFolder(EncodedExamples):
  """One split of a tree; images are read and decoded when they are asked for.

  Raises:
    DataError: the tree is absent or empty, or a file's class is ambiguous.
    UsageError: no such split.
  """

  class_order = 'natural order of the folders'

  def __init__(
    self,
    *,
    dataset: str,
    root: str,
    split: str,
    image_size: int = 0,
    channels: int = 0,
  ):
    """Lists the files of a split, and logs what was left out.

    Args:
      dataset: name in the store.
      root: folder of the tree.
      split: name of a folder in it.
      image_size: S, 0 for the files' own size, which then must be the same
        for all.
      channels: 0 for 1 where a random sample of the tree's files is grey,
        else 3.
    """
    lookup.check('split', split, split_names(root))
    listed = trees.list_split(os.path.join(root, split))
    ids = [
      f'{split}/{name}/{file}'
      for name, files in listed.classes.items()
      for file in files
    ]
    if not ids:
      raise errors.DataError(
        f'{os.path.join(root, split)} must hold a folder of images a class, '
        f'got {trees.describe_left_out(listed.left_out) or "none"}.'
      )
    if listed.left_out:
      log.once(
        f'{dataset}, split {split!r}: {len(ids)} images; left out: '
        f'{trees.describe_left_out(listed.left_out)}'
      )
    self._root = root
    super().__init__(
      dataset=dataset, split=split, ids=ids, class_names=list(listed.classes),
      channels=channels or _tree_channels(dataset, root),
      image_size=image_size or _square_size(root, ids[0]),
    )  # fmt: skip
    self.native = not image_size
    counts = [len(files) for files in listed.classes.values()]
    self._label_array = np.repeat(np.arange(len(counts)), counts)

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    def content(row: int) -> bytes:
      return read_file(os.path.join(self._root, self.name(indices[row])))

    return content, self._label_array[indices]

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._label_array[indices]


def split_names(root: str) -> list[str]:
  """Returns the names of the folders of a tree that have folders in them.

  Raises:
    DataError: there is none.
  """
  folders = trees.list_folder(root).folders if os.path.isdir(root) else []
  names = [
    name
    for name in folders
    if trees.list_folder(os.path.join(root, name)).folders
  ]
  if names:
    return names
  got = 'no folder'
  if os.path.isdir(root):
    got = 'no folder of folders in it'
    if folders:
      got += f' but {lookup.few(folders)}; put those of a split into one'
  raise errors.DataError(
    f'{root} must be a folder of {{split}}/{{class}}/{{image}}, got {got}.'
  )


def _square_size(root: str, file: str) -> int:
  return images_lib.square_size(read_file(os.path.join(root, file)), file)


def _tree_channels(dataset: str, root: str) -> int:
  """Returns 1 where a random sample of the tree's files is grey, else 3.

  The sample is of all splits, so that they agree. Faulty files are left to
  those who read them.
  """
  grey = coloured = 0
  for file in trees.sample_files(root, _SAMPLE):
    try:
      content = read_file(os.path.join(root, file))
      is_coloured = images_lib.native_shape(content, file)[2] == 3
    except errors.DataError:
      continue
    grey, coloured = grey + (not is_coloured), coloured + is_coloured
  log.once(
    f'{dataset}: images are read in {"colour" if coloured else "grey"}: '
    f'{coloured} of {grey + coloured} files sampled are in colour'
  )
  return 3 if coloured or not grey else 1


def _obtain(*, dataset: str, data_dir: str) -> None:
  split_names(source.folder(dataset, data_dir))


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """'image_folder' or 'image_folder:NAME': data_dir, or data_dir/NAME."""
  return ImageFolder(
    dataset=dataset, root=source.folder(dataset, data_dir), split=split,
    image_size=image_size, channels=channels,
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)
