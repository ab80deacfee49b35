"""Blocks of examples of all models, in bounded memory.

A block is read, divided by temperatures and arranged by example, with all
models side by side, while the previous block is counted.
"""

import concurrent.futures
import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from overlap.analyses import prefetch
from overlap.core.jit import jit_cpu

_MIB = 2**20


class Logits(Protocol):
  """Logits `[examples, classes]`, read in slices of rows."""

  @property
  def shape(self) -> tuple[int, ...]: ...

  def __getitem__(self, rows: slice) -> np.ndarray: ...


class Block(NamedTuple):
  """Calibrated logits of a block of examples.

  Attributes:
    rows: range of the examples.
    scores: logits, float32, flat; row r of the block of model m is at
      `starts[m] + r * stride`.
    starts: offset of each model, int64 `[models]`.
    stride: distance between rows.
    classes: number of classes.
  """

  rows: slice
  scores: np.ndarray
  starts: np.ndarray
  stride: int
  classes: int

  def tile(self) -> np.ndarray:
    """Returns `[rows, models, classes]`, a copy if the layout differs."""
    shape = (self.rows.stop - self.rows.start, len(self.starts), self.classes)
    if (
      self.scores.size == np.prod(shape) and self.stride == shape[1] * shape[2]
    ):
      return self.scores.reshape(shape)
    lines = [self.scores[start:] for start in self.starts]
    steps = self.stride * self.scores.itemsize, self.scores.itemsize
    as_strided = np.lib.stride_tricks.as_strided
    return np.stack(
      [as_strided(line, shape[::2], steps) for line in lines], axis=1
    )


class Source:
  """The logits that blocks are read from."""

  def __init__(
    self,
    models: Sequence[Logits] | np.ndarray,
    used: np.ndarray,
    *,
    examples: int,
    temperatures: Sequence[np.ndarray | None] | None,
    memory_mb: int,
  ):
    """Prepares the blocks without reading any logits.

    Args:
      models: logits of each model, or of all models `[models, examples,
        classes]`.
      used: indices of the models to read, int.
      examples: number of examples.
      temperatures: temperatures of each model `[examples]`; None for logits
        that are already divided.
      memory_mb: memory for blocks, in MiB.
    """
    self._models, self._used = models, used
    self._temperatures = temperatures
    self.classes = int(models[used[0]].shape[1]) if len(used) else 0
    row = 4 * max(1, self.classes)
    self._readers = min(os.cpu_count() or 1, max(1, len(used)))
    # Two blocks, and the rows that each reader has just read.
    fitting = memory_mb * _MIB // (row * (2 * len(used) + self._readers))
    # A power of two, to align blocks with the chunks of the store.
    step = 1 << (max(1, fitting).bit_length() - 1)
    self.steps = [
      slice(start, min(start + step, examples))
      for start in range(0, examples if len(used) else 0, step)
    ]
    self._size = min(step, examples)

  def blocks(self, steps: Sequence[slice]) -> Iterator[Block]:
    """Yields blocks for some of `steps`; each is overwritten later."""
    if self._in_memory():
      yield from map(self._view, steps)
      return
    with contextlib.closing(self._arranged(steps)) as arranged:
      yield from prefetch.prefetch(arranged)

  def _in_memory(self) -> bool:
    return (
      isinstance(self._models, np.ndarray)
      and self._models.dtype == np.float32
      and self._models.flags.c_contiguous
      and self._models.size > 0
      and self._temperatures is None
    )

  def _view(self, rows: slice) -> Block:
    """Returns rows of an array without copying."""
    whole = np.asarray(self._models)
    starts = (self._used * whole.shape[1] + rows.start) * self.classes
    return Block(rows, whole.reshape(-1), starts, self.classes, self.classes)

  def _arranged(self, steps: Sequence[slice]) -> Generator[Block, None, None]:
    shape = (self._size, len(self._used), self.classes)
    # One block is filled while the other is used.
    tiles = [np.empty(shape, np.float32) for _ in range(min(2, len(steps)))]
    with concurrent.futures.ThreadPoolExecutor(self._readers) as pool:
      for number, rows in enumerate(steps):
        tile = tiles[number % 2][: rows.stop - rows.start]
        jobs = [
          pool.submit(self._arrange, rows, model, tile[:, place])
          for place, model in enumerate(self._used)
        ]
        for job in jobs:
          job.result()
        starts = np.arange(shape[1], dtype=np.int64) * self.classes
        yield Block(
          rows, tile.reshape(-1), starts, shape[1] * self.classes, self.classes
        )

  def _arrange(self, rows: slice, model: int, out: np.ndarray) -> None:
    """Writes a model's calibrated rows to `out`, `[rows, classes]`."""
    values = np.ascontiguousarray(self._models[model][rows], np.float32)
    by = self._temperatures[model] if self._temperatures is not None else None
    if by is None:
      out[:] = values
    elif values.size:
      _divide(values, np.asarray(by[rows], np.float32), out)


@jit_cpu
def _divide(values, by, out):
  for row in range(len(values)):
    for c in range(values.shape[1]):
      out[row, c] = values[row, c] / by[row]
