"""Collects rows of one array and writes whole chunks in the background."""

import collections
import dataclasses

import numpy as np
import tensorstore as ts

from overlap.store import arrays

# Chunks in flight per array (at most 2 MiB each, unless a row is longer):
# bounds the memory whatever the number of rows.
_MAX_IN_FLIGHT = 8
_MAX_OPEN = 4


@dataclasses.dataclass
class _Chunk:
  """Chunk that is being filled: its values and a mask of the rows it has."""

  start: int
  values: np.ndarray
  filled: np.ndarray


class ChunkWriter:
  """Collects the rows of one array and writes them chunk by chunk.

  Rows may come in any order, each once. Rows in order cost one write per
  chunk. If more than a few chunks are incomplete, the oldest is written as far
  as it is filled, and TensorStore merges the rest into it later.

  Attributes:
    layout: layout of the array.
    written: mask of the rows written so far, bool [rows].
  """

  def __init__(self, array: ts.TensorStore, layout: arrays.Layout):
    self.layout = layout
    self.written = np.zeros(layout.shape[0], bool)
    self._array = array
    self._open: dict[int, _Chunk] = {}
    self._in_flight: collections.deque[ts.WriteFutures] = collections.deque()

  def write(self, start: int, values: np.ndarray) -> None:
    """Copies rows `[start, start + len(values))`, each written only once.

    Raises:
      FAULTS (see `arrays`): an earlier write failed.
    """
    stop = start + len(values)
    self.written[start:stop] = True
    size = self.layout.chunk_rows
    for index in range(start // size, -(-stop // size)):
      low, high = max(start, index * size), min(stop, (index + 1) * size)
      self._put(index, low, values[low - start : high - start])

  def flush(self) -> None:
    """Writes incomplete chunks and waits for all writes.

    Raises:
      FAULTS (see `arrays`): a write failed.
    """
    for index in list(self._open):
      self._close(index)
    while self._in_flight:
      self._wait()

  def abandon(self) -> None:
    """Waits for writes in flight, ignoring failures, and drops the rest."""
    self._open.clear()
    while self._in_flight:
      self._in_flight.popleft().commit.exception()

  def _put(self, index: int, start: int, values: np.ndarray) -> None:
    chunk = self._open.get(index) or self._begin(index)
    rows = slice(start - chunk.start, start - chunk.start + len(values))
    chunk.values[rows] = values
    chunk.filled[rows] = True
    if chunk.filled.all():
      self._close(index)

  def _begin(self, index: int) -> _Chunk:
    if len(self._open) >= _MAX_OPEN:
      self._close(next(iter(self._open)))
    start = index * self.layout.chunk_rows
    rows = min(self.layout.chunk_rows, self.layout.shape[0] - start)
    values = np.empty((rows, *self.layout.shape[1:]), self.layout.dtype)
    self._open[index] = _Chunk(start, values, np.zeros(rows, bool))
    return self._open[index]

  def _close(self, index: int) -> None:
    chunk = self._open.pop(index)
    target, values = self._array, chunk.values
    if chunk.filled.all():
      target = target[chunk.start : chunk.start + len(values)]
    else:
      rows = np.flatnonzero(chunk.filled)
      target, values = target[chunk.start + rows], values[rows]
    # `values` is not used again, so TensorStore needs no copy.
    future = target.write(values, can_reference_source_data_indefinitely=True)
    self._in_flight.append(future)
    if len(self._in_flight) > _MAX_IN_FLIGHT:
      self._wait()

  def _wait(self) -> None:
    # A failed write stays in the queue and fails all later calls.
    self._in_flight[0].result()
    self._in_flight.popleft()
