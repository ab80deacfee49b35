"""The scores that can matter to an ensemble, cut out of all scores.

A class that every model ranks below the label wins no ensemble of them, so
only the others are kept: for most examples none or a few dozen of a thousand.
What is left of a store of many gigabytes tends to fit in memory; what doesn't
is read again when it is needed.
"""

import concurrent.futures
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from overlap import progress
from overlap.analyses import ensembles
from overlap.compiled import compiled

# Scores of all models that one worker holds: 256 MB in float32, so that even of
# a hundred models a block has all rows of the store's chunks (2 MiB): of fewer,
# each chunk would be read several times.
_BLOCK = 2**26
# Scores that all workers together hold: 2 GB.
_HELD = 2**29
# Examples of a block: several blocks, so that several workers share them.
_ROWS = 2**13
# Bytes of compact blocks that are kept between passes.
KEPT_BYTES = 2**30


class Compact(NamedTuple):
  """A block of examples, with the classes that can beat the label.

  Attributes:
    own: float32 `[rows, models]`, the labels' scores.
    offsets: int64 `[rows + 1]`; example i has the classes from
      `offsets[i]` to `offsets[i + 1]`.
    lower: int64 `[rows]`, how many of these come before the label: they win
      ties with it.
    scores: float32 `[classes of all rows * models]`, these classes' scores:
      row by row, in each row model by model, for each model in the order of
      the classes.
  """

  own: np.ndarray
  offsets: np.ndarray
  lower: np.ndarray
  scores: np.ndarray

  @property
  def nbytes(self) -> int:
    """The memory it takes."""
    return sum(field.nbytes for field in self)


class Scores:
  """The compact scores of several models, in blocks of examples.

  Every pass goes through the blocks in order, several at a time; those for
  which there was room are kept from the first pass on.
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
    """Reads nothing yet.

    Args:
      models: calibrated logits `[examples, classes]` of each.
      labels: `[examples]` class indices.
      max_members: how many scores are summed up at most: rounding of longer
        sums could let other classes win.
      method: a key of `ensembles.METHODS`.
      kept_bytes: how much may be kept between passes.
      rows: of a block, a multiple of 8; by default, what memory allows.
    """
    self._models, self._method = list(models), method
    self._labels = np.asarray(labels, np.int64)
    self._slack = max_members * 2.0**-21
    classes = models[0].shape[1] if models else 1
    row = max(1, len(models) * classes)
    fitting = min(max(8, _BLOCK // row), _ROWS)
    # A power of two, so that blocks tend to end where the store's chunks do.
    self.rows = rows or 1 << (fitting.bit_length() - 1)
    self._workers = max(1, min(os.cpu_count() or 1, _HELD // (self.rows * row)))
    self._left = kept_bytes
    self._kept: dict[int, Compact] = {}

  @property
  def models(self) -> int:
    """How many models there are."""
    return len(self._models)

  @property
  def examples(self) -> int:
    """How many examples there are."""
    return len(self._labels)

  def map(
    self, function: Callable[[slice, Compact], np.ndarray], *, what: str
  ) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields slices of rows and what a function makes of them, in order.

    Args:
      function: of a slice of rows and their block; it runs in a thread.
      what: said of the progress.
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
  """Keeps the classes that a sum of models' scores could let win.

  Args:
    scores: of each model, float32 `[rows, classes]`.
    labels: `[rows]` class indices.
    slack: how far below the label's a class must be, relative to the label's,
      to be left out.
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


@compiled
def _mark(values, labels, slack, near, own):
  """Sets `near` where a class is not below the label's score."""
  rows, classes = values.shape
  for row in range(rows):
    label = values[row, labels[row]]
    own[row] = label
    # As `not <`, so that NaN and what infinity makes of it stay in.
    least = label - slack * abs(label)
    mine, flags = values[row], near[row]
    for c in range(classes):
      flags[c] |= not (mine[c] < least)


@compiled
def _index(near, labels):
  """Where each row's classes are, how many precede its label, which."""
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


@compiled
def _gather(values, offsets, kept, model, models, scores):
  """Copies one model's scores to their places."""
  for row in range(len(values)):
    first, last = offsets[row], offsets[row + 1]
    place = first * models + model * (last - first)
    for entry in range(first, last):
      scores[place + entry - first] = values[row, kept[entry]]
