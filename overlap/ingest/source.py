"""Common result of every reader: scores or classes, ids, labels, names."""

import dataclasses
import decimal
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overlap.core import errors

LOGITS = 'logits'
PROBS = 'probs'
LOG_PROBS = 'log_probs'
CLASSES = 'classes'
KINDS = (LOGITS, PROBS, LOG_PROBS, CLASSES)

# What arrays of scores, and columns with lists of them, are called.
SCORES = {
  'logits': LOGITS,
  'probs': PROBS,
  'probabilities': PROBS,
  'log_probs': LOG_PROBS,
  'log_probabilities': LOG_PROBS,
}

# Rows are read in blocks of about so many bytes.
BLOCK_BYTES = 4 << 20

# Ids and names have fewer characters: with more, the rows of a long file, all
# padded to the longest, would not fit in memory.
_LONGEST_TEXT = 1024
_NUMBER = re.compile(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?')

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
    predicted: predicted classes, `[rows]`: integers, or names as text; else
      None.
    confidence: float32 `[rows]` beside `predicted`, or None.
    ids: text `[rows]`, or None where the file has none.
    labels: integers or names `[rows]`, or None.
    class_names: names that the format or the file gives, or None.
    columns: reads the further columns or arrays that may hold ids, text
      `[rows]` by name; None where there are none.
    notes: what was guessed about the file, one line each.
    answered: bool `[rows]`, which rows of `predicted` are classes; None for
      all. The others gave no answer.
    observers: text `[rows]`, the model or person of each row, in files that
      may hold several; else None.
    conditions: text `[rows]`, the condition of each row, '' for none, in files
      that may hold several; else None.
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
  columns: Callable[[], Mapping[str, np.ndarray]] | None = None
  notes: tuple[str, ...] = ()
  answered: np.ndarray | None = None
  observers: np.ndarray | None = None
  conditions: np.ndarray | None = None


class Only(NamedTuple):
  """Some rows of a file that may hold several models and conditions.

  Attributes:
    observer: whose rows.
    condition: of which condition; '' for all.
  """

  observer: str
  condition: str


def rows_of(source: Source, only: Only) -> np.ndarray:
  """Returns the rows of an observer and a condition, bool `[rows]`."""
  assert source.observers is not None
  rows = source.observers == only.observer
  if only.condition:
    rows = rows & (source.conditions == only.condition)
  return rows


def select(source: Source, only: Only) -> Source:
  """The rows of one model or person, over one condition or all.

  Args:
    source: classes with `observers` and `conditions`.
    only: which rows.
  """
  rows = rows_of(source, only)
  fields = (
    'predicted', 'ids', 'labels', 'answered', 'observers', 'conditions',
  )  # fmt: skip
  values = {name: getattr(source, name) for name in fields}
  return dataclasses.replace(
    source,
    rows=int(rows.sum()),
    **{name: v[rows] for name, v in values.items() if v is not None},
  )


def block_rows(row_bytes: int) -> int:
  """Returns how many rows of this many bytes are read at once."""
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
  if array.dtype == object and all(
    isinstance(v, (str, int)) and not isinstance(v, bool) for v in array
  ):
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
  _check_lengths(values, what)
  try:
    return np.asarray(values)
  except ValueError as e:
    raise errors.DataError(
      f'{what} must be one an example, got lists in some rows.'
    ) from e


def _check_lengths(values: object, what: str) -> None:
  """Refuses text so long that NumPy, which pads all to it, fills the memory.

  Raises:
    DataError: a text has more than `_LONGEST_TEXT` characters.
  """
  if isinstance(values, np.ndarray) and values.dtype == object:
    values = values.tolist()
  if not isinstance(values, list):
    return
  for row, value in enumerate(values):
    if isinstance(value, (str, bytes)) and len(value) > _LONGEST_TEXT:
      raise errors.DataError(
        f'{what} must have at most {_LONGEST_TEXT} characters a row, got '
        f'{len(value)} in row {row}, which begins with {value[:30]!r}: look '
        'there for a quotation mark that is not closed.'
      )


def _are_characters(array: np.ndarray) -> bool:
  """Returns whether text holds Unicode's numbers alone; a file may hold any."""
  native = np.ascontiguousarray(array, array.dtype.newbyteorder('='))
  return not native.dtype.itemsize or bool(
    (native.view(np.uint32) <= sys.maxunicode).all()
  )


def classes_or_names(values: object, what: str) -> np.ndarray:
  """Classes `[rows]`: int64 where all are whole numbers, else text.

  Whole numbers may be written otherwise: `10.0`, `1.000e+01`, ` 10`, `+10`.
  A single column `[rows, 1]` is taken for its values. Text is without spaces
  around it and in Unicode's form NFC. Missing values
  stay in it, as `''` or as the file writes them; see `classes.missing`.

  Raises:
    DataError: they are neither, or no list.
  """
  array = _array(values, what)
  if array.ndim == 2 and array.shape[1] == 1:
    array = array[:, 0]
  if array.ndim == 1 and array.dtype.kind in 'iu':
    return array.astype(np.int64)
  if array.ndim == 1 and array.dtype.kind in 'bfO':
    array = _written(array, what)
  names = normalised(text(array, what))
  numbers = whole_numbers(names)
  return numbers if numbers is not None else names


def normalised(names: np.ndarray) -> np.ndarray:
  """Text without spaces around it, in Unicode's form NFC."""
  forms = [
    unicodedata.normalize('NFC', name.strip()) for name in names.tolist()
  ]
  return np.array(forms, np.str_)


def whole_numbers(names: np.ndarray) -> np.ndarray | None:
  """Text `[rows]` as int64; None where one is no whole number of 31 bits."""
  if not len(names):
    return None
  unique, inverse = np.unique(names, return_inverse=True)
  numbers = [whole_number(name) for name in unique.tolist()]
  if None in numbers:
    return None
  return np.array(numbers, np.int64)[inverse]


def is_number(name: str) -> bool:
  """Returns whether text is a decimal number, whole or not."""
  return _NUMBER.fullmatch(name) is not None


def whole_number(name: str) -> int | None:
  """Text as a whole number of 31 bits; None where it is none."""
  if not is_number(name):
    return None
  value = float(name)
  return int(value) if abs(value) < 2**31 and value == int(value) else None


def _written(array: np.ndarray, what: str) -> np.ndarray:
  """Numbers, truths and missing values as text; text as it is."""
  return np.array(
    [_word(value, row, what) for row, value in enumerate(array.tolist())],
    np.str_,
  )


def _word(value: object, row: int, what: str) -> str:
  if value is None:
    return ''
  if isinstance(value, (str, bool)):
    return str(value)
  if isinstance(value, (int, float, decimal.Decimal)):
    if value != value:  # NaN
      return ''
    if -(2**31) < value < 2**31 and value == int(value):
      return str(int(value))
    shown = str(value)[:100]
  else:
    shown = f'a {type(value).__name__}'
  raise errors.DataError(
    f'{what} must be classes, whole numbers, got {shown} in row {row}.'
  )


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
