"""Columns of Arrow as NumPy arrays: text, numbers, and lists of numbers."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overlap.core import errors
from overlap.ingest import source as source_lib

_BYTES = (
  pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary,
)  # fmt: skip
_TEXTS = (
  pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
)  # fmt: skip
_LISTS = (
  pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list,
)  # fmt: skip


def text(column: pa.Array, what: str, start: int) -> np.ndarray:
  """Text or whole numbers as unicode `[rows]`.

  Args:
    column: `[rows]`; bytes are UTF-8.
    what: the column, for error texts.
    start: number of the first row, for error texts.

  Raises:
    DataError: another type, or an empty cell.
  """
  column = _plain(column, what, start)
  if _is(column, _BYTES):
    column = column.cast(pa.large_string())
  if pa.types.is_decimal(column.type) and not column.type.scale:
    column = column.cast(pa.string())
  if not (_is(column, _TEXTS) or pa.types.is_integer(column.type)):
    raise errors.DataError(
      f'{what} must be text or whole numbers, got {column.type}.'
    )
  return source_lib.text(column.to_numpy(zero_copy_only=False), what)


def objects(column: pa.Array) -> np.ndarray:
  """Python values `[rows]`, None in empty cells; bytes are UTF-8."""
  column = _unwrapped(column)
  if _is(column, _BYTES):
    column = column.cast(pa.large_string())
  values = np.empty(len(column), object)
  values[:] = column.to_pylist()
  return values


def numbers(column: pa.Array, what: str, start: int) -> np.ndarray:
  """Numbers `[rows]` of the column's type, decimal ones as float64.

  Args and errors are those of `text`.
  """
  column = _plain(column, what, start)
  if pa.types.is_decimal(column.type):
    column = column.cast(pa.float64())
  if not (
    pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
  ):
    raise errors.DataError(f'{what} must be numbers, got {column.type}.')
  return column.to_numpy(zero_copy_only=False)


def rows(column: pa.Array, what: str, start: int, width: int) -> np.ndarray:
  """Lists of numbers `[rows, numbers]`, also as text; numbers are `[rows, 1]`.

  Args:
    column: `[rows]`.
    what: the column, for error texts.
    start: number of the first row, for error texts.
    width: how long all lists must be; 0: as the first one.

  Raises:
    DataError: another type, an empty cell, or lists of other lengths.
  """
  column = _plain(column, what, start)
  if _is(column, _TEXTS):
    parsed = [
      _parsed(cell, what, start + row)
      for row, cell in enumerate(column.to_pylist())
    ]
    column = pa.array(parsed, pa.list_(pa.float64()))
  if not _is(column, _LISTS):
    return numbers(column, what, start)[:, np.newaxis]
  lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
  width = width or (int(lengths[0]) if len(lengths) else 0)
  other = lengths != width
  if other.any():
    row = int(np.argmax(other))
    raise errors.DataError(
      f'{what} must have lists of the same length in all rows, {width}, got '
      f'{lengths[row]} in row {start + row}.'
    )
  values = column.flatten()
  if values.null_count:
    place = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
    raise errors.DataError(
      f'{what} must have numbers in its lists, got none in row '
      f'{start + place // width}.'
    )
  return numbers(values, what, start).reshape(len(column), width)


def split_list(cell: str) -> list[str] | None:
  """The items of a list as Python or NumPy print it; None for other text."""
  cell = cell.strip()
  if not (cell.startswith('[') and cell.endswith(']')):
    return None
  inner = cell[1:-1]
  if "'" in inner or '"' in inner:
    return [a or b for a, b in re.findall(r"'([^']*)'|\"([^\"]*)\"", inner)]
  return inner.replace(',', ' ').split()


def _parsed(cell: str, what: str, row: int) -> list[float]:
  items = split_list(cell)
  try:
    return [float(item) for item in ([cell] if items is None else items)]
  except ValueError as e:
    cut = items is not None and '...' in items
    raise errors.DataError(
      f'{what} must be numbers or lists of them, as [0.5, 1.5], got '
      f'{cell[:40]!r} in row {row}'
      f'{", which was cut where it was printed" if cut else ""}.'
    ) from e


def _plain(column: pa.Array, what: str, start: int) -> pa.Array:
  """The column as `_unwrapped`; refuses empty cells."""
  if column.null_count:
    empty = column.is_null().to_numpy(zero_copy_only=False)
    raise errors.DataError(
      f'{what} must have a value in every row, got none in row '
      f'{start + int(np.argmax(empty))}.'
    )
  return _unwrapped(column)


def _unwrapped(column: pa.Array) -> pa.Array:
  """The column without the types that wrap its values."""
  if isinstance(column, pa.ExtensionArray):
    column = column.storage
  if pa.types.is_dictionary(column.type):
    column = column.dictionary_decode()
  return column


def _is(column: pa.Array, kinds: tuple[Callable[[Any], bool], ...]) -> bool:
  return any(kind(column.type) for kind in kinds)
