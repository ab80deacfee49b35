"""Trees of image files: {split}/{class}/{file}.

The classes are the names of the folders, sorted; an id is the file's path
below the tree's root.
"""

import os
from collections.abc import Callable

import numpy as np

from overlap import errors, lookup
from overlap.data import images as images_lib
from overlap.data import source
from overlap.data.encoded import EncodedExamples, read_file
from overlap.data.examples import Examples

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.ppm')
# So many files are looked at to tell whether a tree is grey.
_PROBES = 64


class ImageFolder(EncodedExamples):
  """One split of a tree; images are read and decoded when they are asked for.

  Raises:
    DataError: the tree is absent or empty, or its splits' classes differ.
    UsageError: no such split.
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
    """Lists the files of a split.

    Args:
      dataset: name in the store.
      root: of the tree.
      split: name of a folder in it.
      image_size: 0 for the files' own, which then must all be alike.
      channels: 0 for grey where the tree's files are grey, else RGB.
    """
    classes = tree_classes(root)
    lookup.check('split', split, classes)
    names = classes[split]
    files = [_files(root, split, name) for name in names]
    ids = [name for listed in files for name in listed]
    first = read_file(os.path.join(root, ids[0]))
    super().__init__(
      dataset=dataset, split=split, ids=ids, class_names=names,
      channels=channels or _tree_channels(root, classes),
      image_size=image_size or images_lib.square_size(first, ids[0]),
    )  # fmt: skip
    self._root = root
    self.native = not image_size
    counts = [len(listed) for listed in files]
    self._label_array = np.repeat(np.arange(len(names)), counts)

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    def content(row: int) -> bytes:
      return read_file(os.path.join(self._root, self.name(indices[row])))

    return content, self._label_array[indices]

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._label_array[indices]


def tree_classes(root: str) -> dict[str, tuple[str, ...]]:
  """Returns the class names of every split of a tree.

  A folder without folders in it is no split.

  Raises:
    DataError: there is no split, or two differ in their classes.
  """
  splits = {name: tuple(_folders(root, name)) for name in _folders(root)}
  splits = {name: classes for name, classes in splits.items() if classes}
  if not splits:
    raise errors.DataError(
      f'{root} must be a folder of {{split}}/{{class}}/{{image}}, got '
      f'{"no such tree in it" if os.path.isdir(root) else "no folder"}.'
    )
  (first, expected), *others = splits.items()
  for name, classes in others:
    if classes != expected:
      differing = sorted(set(classes) ^ set(expected))
      raise errors.DataError(
        f'{root}: all splits must have the same classes, got {first!r} and '
        f'{name!r}, of which one alone has {differing[0]!r}.'
      )
  return splits


def _folders(*parts: str) -> list[str]:
  path = os.path.join(*parts)
  if not os.path.isdir(path):
    return []
  with os.scandir(path) as entries:
    names = [entry.name for entry in entries if entry.is_dir()]
  return sorted(name for name in names if not name.startswith('.'))


def _files(root: str, split: str, name: str) -> list[str]:
  """Returns the ids of a class, sorted."""
  with os.scandir(os.path.join(root, split, name)) as entries:
    found = [entry.name for entry in entries if _is_image(entry.name)]
  if not found:
    raise errors.DataError(
      f'{root}: every class must have an image ({", ".join(EXTENSIONS)}), got '
      f'none in {split}/{name}.'
    )
  return [f'{split}/{name}/{file}' for file in sorted(found)]


def _is_image(file: str) -> bool:
  return file.lower().endswith(EXTENSIONS) and not file.startswith('.')


def _tree_channels(root: str, classes: dict[str, tuple[str, ...]]) -> int:
  """Returns 1 where the files of the tree are grey, else 3.

  The first file of every class and split, `_PROBES` at most: trees of
  photographs hold some grey files, never only.
  """
  folders = [
    (split, name) for split, names in classes.items() for name in names
  ]
  step = -(-len(folders) // _PROBES)
  for split, name in folders[::step]:
    file = _files(root, split, name)[0]
    content = read_file(os.path.join(root, file))
    if images_lib.native_shape(content, file)[2] == 3:
      return 3
  return 1


def _obtain(*, dataset: str, data_dir: str) -> None:
  tree_classes(source.folder(dataset, data_dir))


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """'image_folder' or 'image_folder:NAME': data_dir, or data_dir/NAME."""
  return ImageFolder(
    dataset=dataset, root=source.folder(dataset, data_dir), split=split,
    image_size=image_size, channels=channels,
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)
