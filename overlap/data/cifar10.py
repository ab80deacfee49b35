"""CIFAR-10: a tree of image files where one lies in data_dir, else TFDS's."""

import os
from typing import Any

from overlap.core import errors
from overlap.data import image_folder, source, tfds_source, trees
from overlap.data.examples import Examples

CLASS_NAMES = (
  'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse',
  'ship', 'truck',
)  # fmt: skip
_TFDS = 'tfds:cifar10'


def find_tree(data_dir: str) -> str | None:
  """Returns data_dir/cifar10 or data_dir where it is a tree of CIFAR-10."""
  for root in (os.path.join(data_dir, 'cifar10'), data_dir):
    try:
      splits = image_folder.split_names(root)
    except errors.DataError:
      continue
    for split in splits:
      folders = trees.list_folder(os.path.join(root, split)).folders
      if tuple(folders) == CLASS_NAMES:
        return root
  return None


def _obtain(*, dataset: str, data_dir: str) -> None:
  del dataset
  if not find_tree(data_dir):
    _builder(data_dir)


def _builder(data_dir: str) -> Any:
  try:
    return tfds_source.find_builder(_TFDS, data_dir)
  except errors.DataError as e:
    raise errors.DataError(
      f'cifar10: no tree {{train,test}}/{{class}}/{{image}} lies in '
      f'{os.path.join(data_dir, "cifar10")}, and {e}'
    ) from e


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  if root := find_tree(data_dir):
    return image_folder.ImageFolder(
      dataset=dataset, root=root, split=split, image_size=image_size,
      channels=channels,
    )  # fmt: skip
  return tfds_source.TfdsExamples(
    dataset=dataset, builder=_builder(data_dir), split=split,
    image_size=image_size, channels=channels,
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)
