"""Lookup of objects by name in dicts of `name -> 'module:object'`."""

import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from overlap.core import errors

# Number of names that fit in a message.
_FEW = 5


def nearest(name: str, choices: Iterable[str]) -> str:
  """Returns `did you mean ...? ` text for a misspelt name, or ''."""
  return did_you_mean(close(name, choices))


def close(name: str, choices: Iterable[str]) -> list[str]:
  """Returns a few of `choices` similar to a misspelt name, nearest first."""
  return difflib.get_close_matches(str(name), list(choices), n=3, cutoff=0.5)


def did_you_mean(choices: Sequence[str]) -> str:
  """Returns the question of an error message; '' if there are no choices."""
  return f'Did you mean {" or ".join(map(repr, choices))}? ' if choices else ''


def few(names: Sequence[str]) -> str:
  """Formats names for one line: the first few, and how many there are."""
  if len(names) <= _FEW:
    return ', '.join(names)
  return f'{len(names)}: {", ".join(names[:_FEW])}, ...'


def check_choice(kind: str, name: str, choices: Iterable[str]) -> str:
  """Returns `name` if it is one of `choices`.

  Raises:
    UsageError: it is not; the message lists the choices and the nearest.
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
    kind: kind of object, for the error message ('model', 'analysis').
    name: key of `table`.
    table: dictionary from names to `'module:object'`.

  Raises:
    UsageError: the name is unknown; the message lists the names and the
      nearest.
  """
  module, _, attribute = table[check_choice(kind, name, table)].partition(':')
  return getattr(importlib.import_module(module), attribute)
