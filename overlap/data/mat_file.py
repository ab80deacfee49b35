"""Arrays of structures in MAT files of version 5, of text and whole numbers.

SciPy's reader, which reads all of the format, ends the process where a file is
damaged; this one raises ValueError.

Reference: MathWorks, 'MAT-File Format' (2019), chapter 1.
"""

import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_HEADER = 128
_MOST = 2**28  # Bytes that a compressed variable may have.
_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR = 2, 4
_NUMBERS = {
  1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8',
  12: 'i8', 13: 'u8',
}  # fmt: skip
_TEXTS = {1: 'utf-8', 2: 'utf-8', 4: 'utf-16', 16: 'utf-8', 17: 'utf-16'}
_ORDERS = {b'IM': '<', b'MI': '>'}

Value = str | float | None


class _Element(NamedTuple):
  """A data element: its type and its bytes."""

  kind: int
  content: bytes


def read_structures(content: bytes, name: str) -> list[dict[str, Value]]:
  """Returns the elements of an array of structures.

  Args:
    content: the file.
    name: name of the variable.

  Returns:
    The fields of each: text, single numbers, and None for all else.

  Raises:
    ValueError: the file is damaged, or has no such variable.
  """
  order = _ORDERS.get(content[126:128], '')
  if not order:
    raise ValueError('no MAT file of version 5')
  for element in _elements(content[_HEADER:], order):
    if element.kind == _COMPRESSED:
      inflated = _inflate(element.content)
      element = next(_elements(inflated, order), element)
    if element.kind == _MATRIX:
      parts = list(_elements(element.content, order))
      if len(parts) > 2 and _text(parts[2], order) == name:
        return _structures(parts, order)
  raise ValueError(f'no variable {name!r}')


def _structures(parts: list[_Element], order: str) -> list[dict[str, Value]]:
  """Structures of a matrix: flags, shape, name, names of fields, fields."""
  if len(parts) < 5 or _class(parts, order) != _STRUCT:
    raise ValueError('a variable that holds no structures')
  count = math.prod(_integers(parts[1], order))
  width = max([1, *_integers(parts[3], order)])
  joined = parts[4].content
  names = [
    joined[i : i + width].split(b'\0')[0].decode('ascii', 'replace')
    for i in range(0, len(joined), width)
  ]
  values = [_value(part, order) for part in parts[5:]]
  if count < 0 or len(values) != count * len(names):
    raise ValueError(f'{len(values)} values for {count} structures')
  return [
    dict(zip(names, values[row * len(names) : (row + 1) * len(names)]))
    for row in range(count)
  ]


def _value(element: _Element, order: str) -> Value:
  """Text or a number of a matrix; None for all else."""
  if element.kind != _MATRIX:
    raise ValueError(f'a value of the type {element.kind}')
  parts = list(_elements(element.content, order))
  if len(parts) < 4:
    return None
  if _class(parts, order) == _CHAR:
    return _text(parts[3], order)
  if _class(parts, order) == _STRUCT or parts[3].kind not in _NUMBERS:
    return None
  numbers = _numbers(parts[3], order).tolist()
  return float(numbers[0]) if len(numbers) == 1 else None


def _class(parts: list[_Element], order: str) -> int:
  """The class of a matrix, the lowest byte of its flags."""
  return sum(_integers(parts[0], order)[:1]) & 0xFF


def _elements(content: bytes, order: str) -> Iterator[_Element]:
  """Yields the data elements of a file or of a matrix."""
  word = np.dtype(f'{order}u4')
  place = 0
  while place + 8 <= len(content):
    first, size = np.frombuffer(content, word, 2, place).tolist()
    if first >> 16:  # A small one: type, size and content in eight bytes.
      kind, size, start = first & 0xFFFF, first >> 16, place + 4
      end = place + 8
    else:
      kind, start = first, place + 8
      end = start + (size if kind == _COMPRESSED else -(-size // 8) * 8)
    if start + size > min(end, len(content)):
      raise ValueError(f'an element of {size} bytes at byte {place}')
    yield _Element(kind, content[start : start + size])
    place = end


def _numbers(element: _Element, order: str) -> np.ndarray:
  kind = _NUMBERS.get(element.kind)
  if kind is None:
    raise ValueError(f'numbers of the type {element.kind}')
  return np.frombuffer(element.content, f'{order}{kind}')


def _integers(element: _Element, order: str) -> list[int]:
  numbers = _numbers(element, order)
  if numbers.dtype.kind == 'f':
    raise ValueError('fractions for whole numbers')
  return numbers.tolist()


def _text(element: _Element, order: str) -> str:
  encoding = _TEXTS.get(element.kind)
  if encoding is None:
    raise ValueError(f'text of the type {element.kind}')
  if encoding == 'utf-16':
    encoding += 'le' if order == '<' else 'be'
  return element.content.decode(encoding)


def _inflate(content: bytes) -> bytes:
  try:
    inflated = zlib.decompressobj().decompress(content, _MOST)
  except zlib.error as e:
    raise ValueError(str(e)) from e
  return inflated
