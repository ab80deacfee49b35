"""Features as rows that are read in slices and checked when read."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from overlap.core import errors
from overlap.distributed import meshes

# Values in one block: 64 MiB of float32.
_BLOCK_NUMBERS = 1 << 24


@dataclasses.dataclass(frozen=True)
class Rows:
  """Features that need not be in memory.

  Attributes:
    read: function `(start, stop) -> [stop - start, d]`, of any float type.
    shape: shape `(n, d)`.
    what: name of the split, for error messages.
    parts: rows of each device of this process, in order; evenly divided if
      empty.
  """

  read: Callable[[int, int], Any]
  shape: tuple[int, ...]
  what: str = 'training'
  parts: tuple[slice, ...] = ()

  def blocks(self, size: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """Returns an iterator of `(start, features float32 [rows, d])`, in order.

    Args:
      size: rows per block (the last may have fewer); 0 for blocks of 64 MiB.

    Raises:
      DataError: a value is not finite.
    """
    return self.part_blocks(slice(0, self.shape[0]), size)

  def local_parts(self) -> Sequence[slice]:
    """The rows of each device of this process."""
    return self.parts or meshes.local_parts(self.shape[0])

  def part_blocks(
    self, part: slice, size: int = 0
  ) -> Iterator[tuple[int, np.ndarray]]:
    """`blocks` of the rows of one device."""
    size = size or max(1, _BLOCK_NUMBERS // self.shape[1])
    for start in range(part.start, part.stop, size):
      stop = min(start + size, part.stop)
      yield start, self._checked(start, stop)

  def _checked(self, start: int, stop: int) -> np.ndarray:
    with np.errstate(over='ignore'):
      block = np.asarray(self.read(start, stop), np.float32)
    if block.shape != (stop - start, self.shape[1]):
      raise errors.DataError(
        f'Rows [{start}, {stop}) of the {self.what} features must be '
        f'{[stop - start, self.shape[1]]}, got {list(block.shape)}.'
      )
    bad = ~np.all(np.isfinite(block), axis=1)
    if bad.any():
      raise errors.DataError(
        f'The {self.what} features must be finite in float32, got NaN or '
        f'infinity in {bad.sum()} of rows [{start}, {stop}), the first of '
        f'them row {start + bad.argmax()}.'
      )
    return block


def as_rows(features: Any, what: str = 'training') -> Rows:
  """Returns features as `Rows`.

  Args:
    features: array `[n, d]`, an object with slices and a shape like one, or
      `Rows`.
    what: name of the split, for error messages.

  Raises:
    DataError: the shape is not `[n, d]`, or n or d is 0.
  """
  if isinstance(features, Rows):
    rows = dataclasses.replace(features, what=what)
  else:
    if not hasattr(features, 'shape'):
      features = np.asarray(features)
    rows = Rows(lambda a, b: features[a:b], tuple(features.shape), what)
  if len(rows.shape) != 2 or 0 in rows.shape:
    raise errors.DataError(
      f'The {what} features must be [n, d], neither 0, got shape '
      f'{list(rows.shape)}.'
    )
  return rows


def joined(first: Rows, second: Rows) -> Rows:
  """Returns the rows of two splits, those of both side by side on each device.

  Labels are joined likewise by `joined_labels`.
  """
  sources, parts, place = [], [], 0
  for one, two in zip(first.local_parts(), second.local_parts()):
    start = place
    for source, part in ((first, one), (second, two)):
      sources.append((source, part, place))
      place += part.stop - part.start
    parts.append(slice(start, place))

  def read(start: int, stop: int) -> np.ndarray:
    found = []
    for source, part, offset in sources:
      low = max(start - offset, 0) + part.start
      high = min(stop - offset + part.start, part.stop)
      if low < high:
        found.append(np.asarray(source.read(low, high)))
    return np.concatenate(found)

  return Rows(read, (place, first.shape[1]), 'training', tuple(parts))


def joined_labels(
  first: tuple[Rows, np.ndarray], second: tuple[Rows, np.ndarray]
) -> np.ndarray:
  """Labels `[n, ...]` of the rows of `joined`, given those of both splits."""
  (one, labels_1), (two, labels_2) = first, second
  return np.concatenate(
    [
      labels
      for part_1, part_2 in zip(one.local_parts(), two.local_parts())
      for labels in (labels_1[part_1], labels_2[part_2])
    ]
  )


def check_labels(
  labels: Any, count: int, num_classes: int, what: str = 'training'
) -> np.ndarray:
  """Returns labels as int32, `[n]`, or `[n, classes]` for multi-label rows.

  Raises:
    DataError: the shape, type or range of the labels does not fit.
  """
  labels = np.asarray(labels)
  if labels.shape not in ((count,), (count, num_classes)):
    raise errors.DataError(
      f'The {what} labels must be one for each of {count} rows, or '
      f'[{count}, {num_classes}] of 0 and 1, got shape {list(labels.shape)}.'
    )
  if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool):
    raise errors.DataError(
      f'The {what} labels must be integers, got {labels.dtype}.'
    )
  highest = num_classes - 1 if labels.ndim == 1 else 1
  if labels.min() < 0 or labels.max() > highest:
    raise errors.DataError(
      f'The {what} labels must be in 0 … {highest}, got '
      f'{labels.min()} … {labels.max()}.'
    )
  return labels.astype(np.int32)
