"""Compact scores: the classes that can beat the label in an ensemble.

A class that every model ranks below the label cannot win in any ensemble of
them, so only the other classes are kept: for most examples none or a few dozen
of a thousand. This usually reduces a store of many gigabytes to what fits in
memory; blocks that do not fit are read again in each pass.
"""

import concurrent.futures
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses import ensembles
from overlap.core import progress
from overlap.core.jit import jit_cpu

# Scores of all models per worker: 256 MB in float32. With a hundred models, a
# block still has all rows of a chunk of the store (2 MiB); with fewer rows,
# each chunk would be read several times.
_BLOCK = 2**26
# Scores of all workers together: 2 GB.
_HELD = 2**29
# Largest block, in examples, so that several workers share the work.
_ROWS = 2**13
# Bytes of compact blocks cached between passes.
KEPT_BYTES = 2**30


class Compact(NamedTuple):
  """A block of examples with the classes that can beat the label.

  Attributes:
    own: scores of the labels, float32 `[rows, models]`.
    offsets: int64 `[rows + 1]`; example i has the classes from `offsets[i]` to
      `offsets[i + 1]`.
    lower: number of these classes that come before the label and win ties with
      it, int64 `[rows]`.
    scores: scores of these classes, float32 `[classes of all rows * models]`:
      row by row, in each row model by model, for each model in the order of the
      classes.
  """

  own: np.ndarray
  offsets: np.ndarray
  lower: np.ndarray
  scores: np.ndarray

  @property
  def nbytes(self) -> int:
    """Size in bytes."""
    return sum(field.nbytes for field in self)


class Scores:
  """Compact scores of several models, in blocks of examples.

  Each pass goes through the blocks in order, several at a time. Blocks are
  cached in the first pass while there is room.
  """

  def __init__(
    self,
    models: Sequence[ensembles.Logits],
    labels: np.ndarray,
    *,
    max_members: int,
    method: str = 'logits',
    kept_bytes: int = KEPT_BYTES,
    rows: int | None = None,
  ):
    """Prepares the blocks without reading any scores.

    Args:
      models: calibrated logits `[examples, classes]` of each model.
      labels: class indices `[examples]`.
      max_members: largest number of scores that are summed; the rounding of
        longer sums could let other classes win.
      method: a key of `ensembles.METHODS`.
      kept_bytes: bytes of blocks that may be cached between passes.
      rows: number of examples per block, a multiple of 8; by default as many as
        fit in memory.
    """
    self._models, self._method = list(models), method
    self._labels = np.asarray(labels, np.int64)
    self._slack = max_members * 2.0**-21
    classes = models[0].shape[1] if models else 1
    row = max(1, len(models) * classes)
    fitting = min(max(8, _BLOCK // row), _ROWS)
    # A power of two, to align blocks with the chunks of the store.
    self.rows = rows or 1 << (fitting.bit_length() - 1)
    self._workers = max(1, min(os.cpu_count() or 1, _HELD // (self.rows * row)))
    self._left = kept_bytes
    self._kept: dict[int, Compact] = {}

  @property
  def models(self) -> int:
    """Number of models."""
    return len(self._models)

  @property
  def examples(self) -> int:
    """Number of examples."""
    return len(self._labels)

  def map(
    self, function: Callable[[slice, Compact], np.ndarray], *, what: str
  ) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields slices of rows with a function's result for each, in order.

    Args:
      function: function of a slice of rows and its block; runs in a thread.
      what: label of the progress display.
    """
    starts = range(0, self.examples if self._models else 0, self.rows)
    workers = self._workers
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
      waiting = [
        pool.submit(self._one, start, function)
        for start in starts[: workers + 1]
      ]
      for start in progress.track(
        starts, total=len(starts), what=what, unit='block'
      ):
        block, result = waiting.pop(0).result()
        self._keep(start, block)
        following = start + (workers + 1) * self.rows
        if following < self.examples:
          waiting.append(pool.submit(self._one, following, function))
        yield slice(start, min(start + self.rows, self.examples)), result

  def _one(
    self, start: int, function: Callable[[slice, Compact], np.ndarray]
  ) -> tuple[Compact, np.ndarray]:
    rows = slice(start, min(start + self.rows, self.examples))
    block = self._kept.get(start)
    if block is None:
      block = self._read(rows)
    return block, function(rows, block)

  def _read(self, rows: slice) -> Compact:
    scores = [np.asarray(m[rows], np.float32) for m in self._models]
    if self._method == 'probs':
      scores = [ensembles.softmax(values) for values in scores]
    return compact(scores, self._labels[rows], self._slack)

  def _keep(self, start: int, block: Compact) -> None:
    if start not in self._kept and block.nbytes <= self._left:
      self._left -= block.nbytes
      self._kept[start] = block


def compact(
  scores: Sequence[np.ndarray], labels: np.ndarray, slack: float
) -> Compact:
  """Keeps the classes that a sum of the models' scores could let win.

  Args:
    scores: scores of each model, float32 `[rows, classes]`.
    labels: class indices `[rows]`.
    slack: margin below the label's score, relative to it, from which a class is
      left out.
  """
  labels = np.asarray(labels, np.int64)
  scores = [np.ascontiguousarray(values, np.float32) for values in scores]
  near = np.zeros(scores[0].shape, np.uint8)
  own = np.empty((len(labels), len(scores)), np.float32)
  for model, values in enumerate(scores):
    _mark(values, labels, np.float32(slack), near, own[:, model])
  offsets, lower, classes = _index(near, labels)
  kept = np.empty(len(classes) * len(scores), np.float32)
  for model, values in enumerate(scores):
    _gather(values, offsets, classes, model, len(scores), kept)
  return Compact(own, offsets, lower, kept)


@jit_cpu
def _mark(values, labels, slack, near, own):
  """Sets `near` where a class is not below the label's score."""
  rows, classes = values.shape
  for row in range(rows):
    label = values[row, labels[row]]
    own[row] = label
    # `not <` keeps NaN and what becomes NaN from infinities.
    least = label - slack * abs(label)
    mine, flags = values[row], near[row]
    for c in range(classes):
      flags[c] |= not (mine[c] < least)


@jit_cpu
def _index(near, labels):
  """Returns each row's offset, its count before the label, and its classes."""
  rows, classes = near.shape
  offsets = np.zeros(rows + 1, np.int64)
  lower = np.zeros(rows, np.int64)
  for row in range(rows):
    near[row, labels[row]] = 0
    count = 0
    for c in range(classes):
      count += near[row, c]
    offsets[row + 1] = offsets[row] + count
  kept = np.empty(offsets[rows], np.int32)
  entry = 0
  for row in range(rows):
    for c in range(classes):
      if near[row, c]:
        kept[entry] = c
        entry += 1
        lower[row] += c < labels[row]
  return offsets, lower, kept


@jit_cpu
def _gather(values, offsets, kept, model, models, scores):
  """Copies one model's scores to their positions."""
  for row in range(len(values)):
    first, last = offsets[row], offsets[row + 1]
    place = first * models + model * (last - first)
    for entry in range(first, last):
      scores[place + entry - first] = values[row, kept[entry]]
