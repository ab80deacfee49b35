"""Fashion-MNIST, from wherever this machine can have it.

In this order: the four published IDX files in the data folder; the Debian
package dataset-fashion-mnist, installed or fetched into the data folder; the
files that TFDS has downloaded, or can download in less than a minute. A copy
that TFDS has prepared is of no use here: it is shuffled, and an example's id
is its position in the published files ('tfds:fashion_mnist' reads it).
"""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

import numpy as np
from absl import logging

from overlap.core import errors, lookup
from overlap.data import debian, idx, source, tfds_downloads
from overlap.data.examples import ArrayExamples, Examples

CLASS_NAMES = (
  'T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt',
  'Sneaker', 'Bag', 'Ankle boot',
)  # fmt: skip
COUNTS = {'train': 60_000, 'test': 10_000}
FILES = tuple(
  f'{prefix}-{kind}-ubyte.gz'
  for prefix in idx.SPLITS.values()
  for kind in ('images-idx3', 'labels-idx1')
)
_IMAGE_SHAPE = (28, 28)
_PACKAGE = 'dataset-fashion-mnist'
_IN_PACKAGE = 'usr/share/datasets/fashion-mnist'
_INSTALLED = f'/{_IN_PACKAGE}'
_FOLDER = 'fashion-mnist'


def obtain(data_dir: str) -> str:
  """Returns a folder with the four files, fetching them if need be.

  Fetched files are put into `data_dir`/fashion-mnist, each whole or not at
  all.

  Raises:
    DataError: there is no way to have them; the text lists what was tried.
  """
  if folder := _find(data_dir):
    return folder
  own = os.path.join(data_dir, _FOLDER)
  ways: dict[str, Callable[[str, str], str]] = {
    'the Debian package': _from_debian,
    'TFDS': _from_tfds,
  }
  reasons = []
  for what, way in ways.items():
    try:
      folder = _place(way, data_dir, own)
    except errors.DataError as e:
      reasons.append(f'{what}: {str(e).rstrip(".")}')
    else:
      logging.info('Fashion-MNIST comes from %s, in %s.', what, folder)
      return folder
  raise errors.DataError(
    f'Fashion-MNIST needs its four files ({", ".join(FILES)}) in {own}, and '
    f'they could not be fetched: {"; ".join(reasons)}.'
  )


def _find(data_dir: str) -> str | None:
  """Returns a folder with the four files, None where none has them yet."""
  for folder in (data_dir, os.path.join(data_dir, _FOLDER), _INSTALLED):
    if all(None not in idx.paths(folder, split) for split in idx.SPLITS):
      return folder
  return None


def _place(way: Callable[[str, str], str], data_dir: str, own: str) -> str:
  """Fetches the files aside, checks them, and moves them to `own`."""
  try:
    pathlib.Path(own).mkdir(parents=True, exist_ok=True)
    # On the same file system as `own`, so that a move is a rename.
    with tempfile.TemporaryDirectory(dir=own, prefix='.partial-') as aside:
      folder = way(data_dir, aside)
      for split in COUNTS:
        _read(folder, split)
      for file in FILES:
        os.replace(os.path.join(folder, file), os.path.join(own, file))
  except OSError as e:
    raise errors.DataError(
      f'{own} must be writable, got: {e.strerror or e}'
    ) from e
  return own


def _from_debian(data_dir: str, aside: str) -> str:
  del data_dir
  debian.unpack(_PACKAGE, aside)
  return os.path.join(aside, _IN_PACKAGE)


def _from_tfds(data_dir: str, aside: str) -> str:
  """Copies TFDS's downloads from its folder or ours, else downloads."""
  own_folder = os.environ.get('TFDS_DATA_DIR', '~/tensorflow_datasets')
  for folder in (data_dir, os.path.expanduser(own_folder), aside):
    if folder == aside:
      tfds_downloads.download(aside, 'fashion_mnist')
    found = tfds_downloads.find(folder, 'fashion_mnist', FILES)
    if len(found) == len(FILES):
      for file, path in found.items():
        shutil.copyfile(path, os.path.join(aside, file))
      return aside
  raise errors.DataError("TFDS's download lacks files")


def _read(folder: str, split: str) -> tuple[np.ndarray, np.ndarray]:
  """Reads a split and checks that it is whole.

  Returns:
    images uint8 [M, 28, 28] and labels [M].
  """
  images, labels = idx.read_split(folder, split)
  expected = (COUNTS[split], *_IMAGE_SHAPE)
  if images.shape != expected or labels.shape != expected[:1]:
    raise errors.DataError(
      f'Fashion-MNIST {split!r} must have images {list(expected)} and as many '
      f'labels, got {list(images.shape)} and {list(labels.shape)} in {folder}'
    )
  return images, labels


def _obtain(*, dataset: str, data_dir: str) -> None:
  del dataset
  obtain(data_dir)


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """Splits 'train' (60,000) and 'test' (10,000)."""
  del image_size, channels
  lookup.check_choice('split', split, COUNTS)
  images, labels = _read(obtain(data_dir), split)
  return ArrayExamples(
    dataset=dataset, split=split, images=images, labels=labels,
    ids=idx.numbered_ids(split, len(images)), class_names=CLASS_NAMES,
  )  # fmt: skip


def _is_here(*, dataset: str, data_dir: str) -> bool:
  del dataset
  return _find(data_dir) is not None


SOURCE = source.Source(_obtain, _load, _is_here)
