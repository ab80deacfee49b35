"""The examples for comparing representations, and their features."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from overlap.analyses import hashed
from overlap.analyses.members import Split
from overlap.analyses.similarity.options import Similarity

# Rows of the store read at a time if only some are needed.
_ROWS = 4096


class Chosen(NamedTuple):
  """Examples as ascending positions.

  Attributes:
    rows: positions in the store.
    near: positions in `rows` of the examples for the neighbour search.
  """

  rows: np.ndarray
  near: np.ndarray


def choose(ids: Iterable[str], asked: Similarity, seed: int) -> Chosen:
  """Draws examples by a hash of their ids.

  The order of two examples depends only on their ids and the seed.
  """
  order = hashed.order(ids, 'similarity', seed)
  rows = np.sort(order[: asked.max_examples or len(order)])
  near = np.sort(order[: min(asked.neighbour_examples, len(rows))])
  return Chosen(rows, np.searchsorted(rows, near))


class StoredFeatures:
  """A model's features of some examples, read on demand.

  Attributes:
    shape: `(examples, dimensions)`.
  """

  def __init__(self, split: Split, model: str, width: int, rows: np.ndarray):
    self._split, self._model, self._rows = split, model, rows
    self.shape = (len(rows), width)

  def __getitem__(self, rows: slice) -> np.ndarray:
    wanted = self._rows[rows]
    if not len(wanted) or wanted[-1] - wanted[0] + 1 == len(wanted):
      first = int(wanted[0]) if len(wanted) else 0
      return self._read(first, first + len(wanted))
    found = np.empty((len(wanted), self.shape[1]), np.float32)
    for first in range(int(wanted[0]), int(wanted[-1]) + 1, _ROWS):
      inside = (wanted >= first) & (wanted < first + _ROWS)
      if inside.any():
        places = wanted[inside]
        low, high = int(places[0]), int(places[-1]) + 1
        found[inside] = self._read(low, high)[places - low]
    return found

  def _read(self, start: int, stop: int) -> np.ndarray:
    return self._split.read(self._model, 'features', slice(start, stop))
