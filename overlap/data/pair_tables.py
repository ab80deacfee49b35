"""Pairs of an image file and a caption, listed in a table."""

import csv
import os
from collections.abc import Callable, Iterable

import numpy as np

from overlap.core import errors
from overlap.data import pairs
from overlap.data.encoded import read_file

_SEPARATORS = {'.csv': ',', '.tsv': '\t'}
_COLUMNS = ('path', 'caption')


class TablePairs(pairs.Pairs):
  """Pairs of a table; images are read when they are asked for.

  An id is the file's path as the table has it, with '#2' and so on for its
  further captions.

  Attributes:
    captions: a text an example.
  """

  def __init__(self, path: str, *, image_size: int, channels: int):
    """Reads the table.

    Args:
      path: path of a CSV or TSV file with the columns 'path', from the table's
        folder, and 'caption'.
      image_size: S.
      channels: 1 or 3.

    Raises:
      DataError: it can't be read, or is empty.
    """
    self._folder = os.path.dirname(path)
    self._files, self.captions = _read(path)
    super().__init__(
      path, ids=numbered(self._files), image_size=image_size, channels=channels
    )

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    def content(row: int) -> bytes:
      return read_file(os.path.join(self._folder, self.name(indices[row])))

    return content, self.read_labels(indices)

  def name(self, index: int) -> str:
    return self._files[index]

  def texts(self, indices: np.ndarray) -> list[str]:
    return [self.captions[i] for i in indices.tolist()]


def numbered(names: Iterable[str]) -> list[str]:
  """Names, with '#2' and so on where one comes again."""
  seen: dict[str, int] = {}
  ids = []
  for name in names:
    seen[name] = count = seen.get(name, 0) + 1
    ids.append(name if count == 1 else f'{name}#{count}')
  return ids


def _read(path: str) -> tuple[list[str], list[str]]:
  separator = _SEPARATORS[os.path.splitext(path)[1].lower()]
  try:
    with open(path, encoding='utf-8', newline='') as f:
      rows = list(csv.DictReader(f, delimiter=separator))
  except (OSError, UnicodeDecodeError, csv.Error) as e:
    raise errors.DataError(f'{path} must be readable, got: {e}.') from e
  if not rows or any(
    row.get(name) is None for row in rows for name in _COLUMNS
  ):
    raise errors.DataError(
      f'{path} must have rows with the columns {" and ".join(_COLUMNS)}, got '
      f'{"no rows" if not rows else ", ".join(map(str, rows[0]))}.'
    )
  return [row['path'] for row in rows], [row['caption'] for row in rows]
