"""Building blocks of sentences about models: names and short lists."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from overlap.core import wording

_NAMED = 6  # Longer lists of models are cut short.


class Finding(NamedTuple):
  """Heading and sentences of plain text; `warning` marks a problem."""

  title: str
  sentences: tuple[str, ...]
  warning: bool = False


def quote(name: str) -> str:
  """Returns a model's name in quotation marks."""
  return f'“{name}”'


def both(pair: Mapping[str, Any]) -> str:
  """Returns the quoted names of a pair: '“a” and “b”'."""
  return f'{quote(pair["model_1"])} and {quote(pair["model_2"])}'


def named(models: Iterable[str]) -> str:
  """Returns a list of quoted names, cut short: '“a”, “b” and 3 more'."""
  return cut([quote(name) for name in models])


def cut(texts: Sequence[str]) -> str:
  """Returns a list of texts, cut short; 'none' if there are none."""
  if not texts:
    return 'none'
  left = len(texts) - _NAMED
  listed = ', '.join(texts[:_NAMED])
  return f'{listed} and {left} more' if left > 0 else listed


def either(words: Sequence[str]) -> str:
  """Returns words joined as 'a, b or c'."""
  *first, last = words
  return f'{", ".join(first)} or {last}' if first else last


def inconsistency(row: Mapping[str, Any]) -> str:
  """Returns a row's error inconsistency with its interval, as text."""
  name = 'error_inconsistency'
  return wording.percent(
    row[name], row.get(f'{name}_lower'), row.get(f'{name}_upper')
  )
