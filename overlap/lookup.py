"""Names to objects: a dict of `name -> 'module:object'`, imported lazily."""

import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from overlap import errors

# So many names are read at a glance.
_FEW = 5


def nearest(name: str, choices: Iterable[str]) -> str:
  """Returns `did you mean ...? ` text for a misspelt name, or ''."""
  return did_you_mean(close(name, choices))


def close(name: str, choices: Iterable[str]) -> list[str]:
  """The few of `choices` that a misspelt name is like, the nearest first."""
  return difflib.get_close_matches(str(name), list(choices), n=3, cutoff=0.5)


def did_you_mean(choices: Sequence[str]) -> str:
  """The question that an error's text asks; '' where there are no choices."""
  return f'Did you mean {" or ".join(map(repr, choices))}? ' if choices else ''


def few(names: Sequence[str]) -> str:
  """Names for one line: the first of many, and how many there are."""
  if len(names) <= _FEW:
    return ', '.join(names)
  return f'{len(names)}: {", ".join(names[:_FEW])}, ...'


def check(kind: str, name: str, choices: Iterable[str]) -> str:
  """Returns `name` where it is one of `choices`.

  Raises:
    UsageError: it is not; the text lists the choices and the nearest.
  """
  choices = list(choices)
  if name not in choices:
    raise errors.UsageError(
      f'No {kind} is called {name!r}. {nearest(name, choices)}'
      f'Choices: {", ".join(c or "(empty)" for c in choices) or "none"}.'
    )
  return name


def lookup(kind: str, name: str, table: Mapping[str, str]) -> Any:
  """Imports and returns the object that `table` names.

  Args:
    kind: what is looked up, for the error text ('model', 'analysis').
    name: key in `table`.
    table: from names to `'module:object'`.

  Raises:
    UsageError: no such name; lists the names and the nearest.
  """
  module, _, attribute = table[check(kind, name, table)].partition(':')
  return getattr(importlib.import_module(module), attribute)
