"""Images with captions of their own, in the forms that researchers have.

A table of files, tar files as WebDataset and img2dataset write them, or a
prepared data set of TFDS.
"""

import abc
import glob
import os
from collections.abc import Sequence

import numpy as np
from absl import logging

from overlap.core import errors, lookup
from overlap.data.encoded import EncodedExamples

TABLES = ('.csv', '.tsv')
SHARDS = '.tar'
_TFDS = 'tfds:'
_FORMS = {
  'table': 'overlap.data.pair_tables:TablePairs',
  'shards': 'overlap.data.pair_shards:ShardPairs',
  'tfds': 'overlap.data.pair_tfds:TfdsPairs',
}


class Pairs(EncodedExamples):
  """Examples with a text each. They have no classes: all labels are 0."""

  def __init__(
    self,
    pairs: str,
    *,
    ids: np.ndarray | Sequence[str],
    image_size: int,
    channels: int,
  ):
    """Takes the ids.

    Args:
      pairs: name of the pairs, see `open_pairs`.
      ids: ids of the pairs.
      image_size: S.
      channels: 1 or 3.

    Raises:
      DataError: two share an id.
    """
    super().__init__(
      dataset=dataset_name(pairs), split='train', ids=ids,
      class_names=('image',), channels=channels, image_size=image_size,
    )  # fmt: skip

  @abc.abstractmethod
  def texts(self, indices: np.ndarray) -> list[str]:
    """The captions at indices [B].

    Raises:
      DataError: one can't be read.
    """

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return np.zeros(len(indices), np.int64)


def open_pairs(
  pairs: str,
  *,
  image_size: int,
  channels: int,
  data_dir: str = '',
  caption: str = '',
) -> Pairs:
  """Opens images with captions.

  Args:
    pairs: a table; a folder of tar files, one of them, or a pattern of them;
      or 'tfds:NAME[/CONFIG][:VERSION]', of which 'train' is taken.
    image_size: S.
    channels: 1 or 3.
    data_dir: where TFDS's data sets lie; '' is 'data'.
    caption: TFDS's feature that has the texts, as 'KEY' or 'KEY/KEY'; '' where
      there is one only.

  Raises:
    DataError: they can't be read, or there is none.
    UsageError: no such feature.
  """
  form = _form(pairs)
  folder = os.path.expanduser(data_dir or 'data')
  more = {'data_dir': folder, 'caption': caption} if form == 'tfds' else {}
  return lookup.lookup('form of pairs', form, _FORMS)(
    os.path.expanduser(pairs),
    image_size=image_size, channels=channels, **more,
  )  # fmt: skip


def require(pairs: str, *, data_dir: str = '') -> None:
  """Looks for the files of pairs, without reading them.

  Args:
    pairs: name of the pairs, see `open_pairs`.
    data_dir: folder of data sets.

  Raises:
    DataError: there are none.
  """
  form, path = _form(pairs), os.path.expanduser(pairs)
  if form == 'tfds':
    from overlap.data import tfds_source

    tfds_source.find_builder(pairs, os.path.expanduser(data_dir or 'data'))
  elif form == 'shards':
    find_shards(path)
  elif not os.path.isfile(path):
    raise errors.DataError(f'Pairs must be in a file, got {path!r}.')


def find_shards(path: str) -> list[str]:
  """Returns the tar files of a folder, or those of a pattern, sorted.

  Raises:
    DataError: there is none.
  """
  if os.path.isdir(path):
    found = glob.glob(os.path.join(glob.escape(path), f'*{SHARDS}'))
  else:
    found = [path] if os.path.exists(path) else glob.glob(path)
  found = sorted(file for file in found if file.endswith(SHARDS))
  if not found:
    raise errors.DataError(
      f'Pairs must be in a file of {" or ".join(TABLES)}, in {SHARDS} files '
      f"(a folder or a pattern), or in 'tfds:NAME', got {path!r}, which has "
      'none of them.'
    )
  return found


def check_pairs(pairs: str, caption: str) -> None:
  """Checks what `open_pairs` is given, before anything is read.

  Raises:
    UsageError: there are no features to choose from.
  """
  if caption and _form(pairs) != 'tfds':
    raise errors.UsageError(
      f'caption names a feature of pairs={_TFDS}NAME, got {caption!r} for '
      f'{pairs!r}.'
    )


def dataset_name(pairs: str) -> str:
  """Returns the name of the data set: that of the table, the folder or TFDS."""
  if pairs.startswith(_TFDS):
    return pairs.removeprefix(_TFDS)
  parts = os.path.normpath(pairs).split(os.sep)
  # Of a pattern, the last folder that has a name.
  while len(parts) > 1 and glob.has_magic(parts[-1]):
    parts.pop()
  name, extension = os.path.splitext(parts[-1])
  return name if extension.lower() in (*TABLES, SHARDS) else parts[-1]


def warn_left_out(dataset: str, ids: Sequence[str], found: int) -> None:
  """Says how many samples are no pairs, and which is the first.

  Args:
    dataset: their name.
    ids: ids of the examples that were left out.
    found: how many pairs there are.

  Raises:
    DataError: there is none.
  """
  count = f'{len(ids)} of {len(ids) + found} samples'
  if not found:
    raise errors.DataError(
      f'{dataset} must have samples with an image and a caption, got none: '
      f'{count} lack one.'
    )
  if ids:
    logging.warning(
      '%s: %s have no image or no caption and are left out, the first %s',
      dataset, count, ids[0],
    )  # fmt: skip


def _form(pairs: str) -> str:
  """A key of `_FORMS`, told by the text alone: reports need no data."""
  if pairs.startswith(_TFDS):
    return 'tfds'
  return 'table' if pairs.lower().endswith(TABLES) else 'shards'
