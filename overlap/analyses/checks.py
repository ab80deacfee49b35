"""Checks of what an analysis is told: each raises UsageError in one line."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from overlap import errors, lookup

T = TypeVar('T')


def filled(kind: type[T], given: Mapping[str, Any], where: str = '') -> T:
  """A dataclass of options from those given, the defaults for the rest.

  A field whose default is itself a dataclass is given as a mapping.

  Args:
    kind: the dataclass.
    given: names and values.
    where: what comes before the names in messages, 'greedy.' for instance.

  Raises:
    UsageError: no such option; a group of options that is no mapping.
  """
  # In a fixed order, whatever order they were given in.
  fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
  for name in given:
    lookup.check(
      'option of the analysis',
      f'{where}{name}',
      [f'{where}{field}' for field in fields],
    )
  values = {}
  for name, value in given.items():
    default = fields[name].default
    if dataclasses.is_dataclass(default):
      if not isinstance(value, Mapping):
        raise errors.UsageError(
          f'Option {where}{name} must hold options, got {value!r}.'
        )
      value = filled(type(default), value, f'{where}{name}.')
    values[name] = value
  return kind(**values)


def names(kind: str, given: Any, choices: Mapping[str, Any]) -> None:
  """Checks a list of names that is not empty."""
  if isinstance(given, str) or not isinstance(given, Sequence) or not given:
    raise errors.UsageError(
      f'The {kind}s must be a list of {", ".join(choices)}, got {given!r}.'
    )
  for name in given:
    lookup.check(kind, name, choices)


def integer(name: str, value: Any, least: int) -> None:
  """Checks an integer, at least `least`."""
  if not isinstance(value, int) or isinstance(value, bool) or value < least:
    raise errors.UsageError(
      f'Option {name} must be an integer, at least {least}, got {value!r}.'
    )


def level(name: str, value: Any) -> None:
  """Checks a level strictly between 0 and 1."""
  if not is_number(value) or not 0 < value < 1:
    raise errors.UsageError(
      f'Option {name} must be a level between 0 and 1, such as 0.95, got '
      f'{value!r}.'
    )


def is_number(value: Any) -> bool:
  """Whether it is an int or a float, and no bool."""
  return isinstance(value, (int, float)) and not isinstance(value, bool)
