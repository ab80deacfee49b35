"""Pairs in tar files, as WebDataset and img2dataset write them.

A sample is the members KEY.txt and KEY.jpg (or another image) of one file; all
other members are left alone. Nothing is extracted: an index of where members
lie is made once, in some 0.2 ms a pair, and they are read from there.
"""

import os
from collections.abc import Callable

import numpy as np

from overlap.core import errors, progress
from overlap.data import images, pairs, tar_files

_KINDS = {'.txt': 'caption'} | dict.fromkeys(images.EXTENSIONS, 'image')
# Where a sample's image and caption are: offsets and sizes, in bytes.
_IMAGE, _CAPTION = slice(0, 2), slice(2, 4)


class ShardPairs(pairs.Pairs):
  """Pairs of tar files, of which images and captions are read when asked for.

  An id is 'SHARD/KEY', SHARD being the file's path without '.tar', from the
  folder that all of them are in. The index takes 36 bytes a pair beside it.
  """

  def __init__(self, path: str, *, image_size: int, channels: int):
    """Indexes the files: they are gone through from member to member.

    Args:
      path: path of a folder with tar files, of one, or a pattern of them.
      image_size: S.
      channels: 1 or 3.

    Raises:
      DataError: there is no such file, one is damaged, or there are no pairs.
    """
    self._paths = pairs.find_shards(path)
    folder = os.path.commonpath([os.path.dirname(p) for p in self._paths])
    name = pairs.dataset_name(path)
    ids, places, left_out = [], [], []
    for file in progress.track(
      self._paths, total=len(self._paths), what=f'index {name}', unit='file'
    ):
      shard = os.path.relpath(file, folder or '.').removesuffix(pairs.SHARDS)
      keys, found, others = _index(file)
      ids.append(np.array([f'{shard}/{key}' for key in keys], np.str_))
      places.append(found)
      left_out += [f'{shard}/{key}' for key in others]
    self._places = np.concatenate(places)
    self._shards = np.repeat(np.arange(len(places)), [len(p) for p in places])
    pairs.warn_left_out(name, left_out, len(self._places))
    super().__init__(
      path, ids=np.concatenate(ids), image_size=image_size, channels=channels
    )

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    def content(row: int) -> bytes:
      return self._read(indices[row], _IMAGE)

    return content, self.read_labels(indices)

  def texts(self, indices: np.ndarray) -> list[str]:
    return [self._text(i) for i in indices.tolist()]

  def _text(self, index: int) -> str:
    try:
      return self._read(index, _CAPTION).decode('utf-8').strip()
    except UnicodeDecodeError as e:
      raise errors.DataError(
        f'The caption of {self.name(index)} must be UTF-8, got: {e}.'
      ) from e

  def _read(self, index: int, what: slice) -> bytes:
    path = self._paths[self._shards[index]]
    offset, size = self._places[index, what].tolist()
    return tar_files.read(path, [(offset, size)])[0]


def _index(path: str) -> tuple[list[str], np.ndarray, list[str]]:
  """Returns the keys of pairs, their places int64 [pairs, 4], others' keys."""
  samples = tar_files.list_samples(path, _KINDS)
  whole = {k: s for k, s in samples.items() if len(s) == 2}
  places = [(*s['image'][1:], *s['caption'][1:]) for s in whole.values()]
  others = [key for key in samples if key not in whole]
  return list(whole), np.array(places, np.int64).reshape(-1, 4), others
