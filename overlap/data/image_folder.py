"""Trees of image files: SPLIT/CLASS/FILE, classes nested or not.

Classes are in natural order of their folders' names, and an id is a file's
path below the tree's root. See `trees` for what is listed and what is left
out, and `images` for how files are decoded. A split may also be as ImageNet's
are downloaded, see `imagenet`.
"""

import os
from collections.abc import Callable, Iterator

import numpy as np

from overlap.core import errors, lookup
from overlap.data import imagenet, log, source, trees
from overlap.data.encoded import ListedImages, read_file
from overlap.data.examples import Examples


class ImageFolder(ListedImages):
  """One split of a tree; images are read and decoded when they are asked for.

  Raises:
    DataError: the tree is absent or empty, or a file's class is unknown.
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
    self._root = root
    path = os.path.join(root, split)
    if imagenet.is_flat(path):
      files = imagenet.list_flat(root, split)
      ids, names, labels = files.ids, files.class_names, files.labels
      self._files, self.class_order = files.files, files.class_order
    else:
      lookup.check_choice('split', split, split_names(root))
      ids, names, labels = _list(dataset, path, split)
      self._files = ids
    super().__init__(
      dataset=dataset, split=split, ids=ids, class_names=names, labels=labels,
      image_size=image_size, channels=channels,
    )  # fmt: skip

  def content(self, index: int) -> bytes:
    return read_file(os.path.join(self._root, self._files[index]))

  def sample(self, count: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yields random images of all splits of the tree, so that they agree."""
    for file in trees.sample_files(self._root, count):
      path = os.path.join(self._root, file)
      yield file, lambda path=path: read_file(path)  # type: ignore[misc]


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
    for suffix, kind in (('.tar', 'webdataset'), ('.parquet', 'parquet')):
      if any(name.endswith(suffix) for name in os.listdir(root)):
        got += f'; {kind}:DIR reads its {suffix} files'
  raise errors.DataError(
    f'{root} must be a folder of {{split}}/{{class}}/{{image}}, got {got}.'
  )


def _list(
  dataset: str, path: str, split: str
) -> tuple[list[str], list[str], np.ndarray]:
  """Returns ids, class names and labels of a split, and logs what is left."""
  found = trees.list_split(path)
  left_out = trees.describe_left_out(found.left_out)
  ids = [
    f'{split}/{name}/{file}'
    for name, files in found.classes.items()
    for file in files
  ]
  if not ids:
    raise errors.DataError(
      f'{path} must hold a folder of images a class, got {left_out or "none"}.'
    )
  if left_out:
    log.once(
      f'{dataset}, split {split!r}: {len(ids)} images; left out: {left_out}'
    )
  counts = [len(files) for files in found.classes.values()]
  return ids, list(found.classes), np.repeat(np.arange(len(counts)), counts)


def _obtain(*, dataset: str, data_dir: str) -> None:
  root = source.folder(dataset, data_dir)
  if not imagenet.is_here(root):
    split_names(root)


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """'image_folder' or 'image_folder:NAME': data_dir, or data_dir/NAME."""
  root = source.folder(dataset, data_dir)
  kind = imagenet.TarImages if imagenet.has_tar(root, split) else ImageFolder
  return kind(
    dataset=dataset, root=root, split=split, image_size=image_size,
    channels=channels,
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)
