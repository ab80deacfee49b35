"""Natural sort order: numbers within names compare as numbers."""

import re
from collections.abc import Iterable, Sequence

_DIGITS = re.compile(r'([0-9]+)')
_FIRST = 3


def sort_naturally(names: Iterable[str]) -> list[str]:
  """Returns the names sorted, with `class_2` before `class_10`.

  Names without numbers are sorted as text, by code points.

  Args:
    names: names to sort, possibly with duplicates; equal numbers of different
      lengths (`7`, `007`) are sorted as text.
  """
  return sorted(map(str, names), key=_key)


def describe_order(names: Sequence[str]) -> str:
  """Describes an order for the log: the first three names, last and count.

  Args:
    names: names in their order.

  Returns:
    Text such as `12: class_0, class_1, class_2, ..., class_11`; all names if
    there are at most four.
  """
  shown = [repr(str(name)) for name in names]
  if len(shown) > _FIRST + 1:
    shown = [*shown[:_FIRST], '...', shown[-1]]
  return f'{len(names)}: {", ".join(shown)}' if shown else '0'


def _key(name: str) -> tuple[list[object], str]:
  # Text and digits alternate, starting with text. Digits compare by length and
  # then as text, since `int` refuses more than 4,300 of them.
  parts: list[object] = []
  for place, part in enumerate(_DIGITS.split(name)):
    if place % 2:
      part = part.lstrip('0')
      parts += [len(part), part]
    else:
      parts.append(part)
  return parts, name
