"""Sentences about models: how they name them and how long they get."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from overlap.figures import wording

_NAMED = 6  # Longer lists of models are cut short.


class Finding(NamedTuple):
  """A heading and sentences of plain text; `warning` asks for attention."""

  title: str
  sentences: tuple[str, ...]
  warning: bool = False


def quote(name: str) -> str:
  """A model's name as it stands in a sentence."""
  return f'“{name}”'


def both(pair: Mapping[str, Any]) -> str:
  """The names of a pair as they stand in a sentence."""
  return f'{quote(pair["model_1"])} and {quote(pair["model_2"])}'


def named(models: Iterable[str]) -> str:
  """Names in a row, the later ones as a number: '“a”, “b” and 3 more'."""
  return cut([quote(name) for name in models])


def cut(texts: Sequence[str]) -> str:
  """Texts in a row, the later ones as a number; 'none' where there are none."""
  if not texts:
    return 'none'
  left = len(texts) - _NAMED
  listed = ', '.join(texts[:_NAMED])
  return f'{listed} and {left} more' if left > 0 else listed


def either(words: Sequence[str]) -> str:
  """'a, b or c'."""
  *first, last = words
  return f'{", ".join(first)} or {last}' if first else last


def inconsistency(row: Mapping[str, Any]) -> str:
  """A row's error inconsistency with its interval."""
  name = 'error_inconsistency'
  return wording.percent(
    row[name], row.get(f'{name}_lower'), row.get(f'{name}_upper')
  )
