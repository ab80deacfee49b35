"""What every reader makes of a file: scores or classes, ids, labels, names."""

import dataclasses
import re
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from overlap import errors

LOGITS = 'logits'
PROBS = 'probs'
LOG_PROBS = 'log_probs'
CLASSES = 'classes'
KINDS = (LOGITS, PROBS, LOG_PROBS, CLASSES)

# Rows are read in blocks of about so many bytes.
BLOCK_BYTES = 4 << 20

# `(first row, values)` in the order of the file.
Blocks = Iterator[tuple[int, np.ndarray]]


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
  """The predictions in one file, before they are checked and ordered.

  Attributes:
    kind: one of `KINDS`, or '' where the file doesn't say which scores.
    rows: how many predictions there are.
    classes: how many columns the scores have; None for classes.
    blocks: reads the scores `[rows, classes]` from the start; None for
      classes.
    predicted: of classes, `[rows]`: integers, or names as text; else None.
    confidence: float32 `[rows]` beside `predicted`, or None.
    ids: text `[rows]`, or None where the file has none.
    labels: integers or names `[rows]`, or None.
    class_names: that the format or the file itself gives, or None.
  """

  kind: str
  rows: int
  classes: int | None = None
  blocks: Callable[[], Blocks] | None = None
  predicted: np.ndarray | None = None
  confidence: np.ndarray | None = None
  ids: np.ndarray | None = None
  labels: np.ndarray | None = None
  class_names: Sequence[str] | None = None


def block_rows(row_bytes: int) -> int:
  """How many rows of so many bytes are read at once."""
  return max(1, BLOCK_BYTES // max(1, row_bytes))


def sliced(values: np.ndarray) -> Callable[[], Blocks]:
  """Blocks of an array `[rows, classes]` that is in memory or mapped."""

  def blocks() -> Blocks:
    step = block_rows(values.itemsize * values.shape[1])
    for start in range(0, len(values), step):
      yield start, np.asarray(values[start : start + step])

  return blocks


def text(values: object, what: str) -> np.ndarray:
  """Ids or names as unicode `[rows]`; whole numbers become their digits.

  Raises:
    DataError: they are neither text nor whole numbers, or no list of them.
  """
  array = _array(values, what)
  if array.dtype == object and all(isinstance(v, (str, int)) for v in array):
    array = np.array([str(v) for v in array])
  if array.dtype.kind == 'S':
    try:
      array = np.strings.decode(array, 'utf-8')
    except UnicodeDecodeError as e:
      raise errors.DataError(f'{what} must be UTF-8 text, got: {e}.') from e
  if not array.size and array.ndim == 1:
    return array.astype(np.str_)
  if array.dtype.kind == 'U' and not _are_characters(array):
    raise errors.DataError(
      f'{what} must be Unicode text, got numbers that stand for no character.'
    )
  if array.ndim != 1 or array.dtype.kind not in 'Uiu':
    raise errors.DataError(
      f'{what} must be a list of text, got {array.dtype} of shape '
      f'{list(array.shape)}.'
    )
  return array.astype(np.str_)


def _array(values: object, what: str) -> np.ndarray:
  try:
    return np.asarray(values)
  except ValueError as e:
    raise errors.DataError(
      f'{what} must be one an example, got lists in some rows.'
    ) from e


def _are_characters(array: np.ndarray) -> bool:
  """Whether text holds Unicode's numbers alone; a file may hold any."""
  native = np.ascontiguousarray(array, array.dtype.newbyteorder('='))
  return not native.dtype.itemsize or bool(
    (native.view(np.uint32) <= sys.maxunicode).all()
  )


def classes_or_names(values: object, what: str) -> np.ndarray:
  """Classes `[rows]`: int64 where all are whole numbers, else text.

  Raises:
    DataError: they are neither, or no list.
  """
  array = _array(values, what)
  if array.ndim == 1 and array.dtype.kind in 'iu':
    return array.astype(np.int64)
  if array.ndim == 1 and array.dtype.kind == 'f':
    whole = np.isfinite(array) & (array == np.floor(array))
    whole &= np.abs(array) < 2**31
    if whole.all():
      return array.astype(np.int64)
    row = int(np.argmin(whole))
    raise errors.DataError(
      f'{what} must be classes, whole numbers, got {array[row]} in row {row}.'
    )
  names = text(array, what)
  # As `text` leaves them, numbers among names are text as well.
  if names.size and all(re.fullmatch(r'[+-]?\d{1,9}', name) for name in names):
    return names.astype(np.int64)
  return names


def confidences(values: object, what: str) -> np.ndarray:
  """Confidences, float32 `[rows]`.

  Raises:
    DataError: they are no list of numbers in [0, 1].
  """
  try:
    array = np.asarray(values, np.float64)
  except (TypeError, ValueError) as e:
    raise errors.DataError(
      f'{what} must be numbers in [0, 1], got: {e}.'
    ) from e
  if array.ndim != 1:
    raise errors.DataError(
      f'{what} must be one an example, got shape {list(array.shape)}.'
    )
  # Rounding may put a probability a little above one.
  inside = (array >= 0) & (array <= 1 + 1e-6)
  if not inside.all():
    row = int(np.argmin(inside))
    raise errors.DataError(
      f'{what} must be in [0, 1], got {array[row]} in row {row}.'
    )
  return np.minimum(array, 1).astype(np.float32)
