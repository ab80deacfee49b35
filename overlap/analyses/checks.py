"""Checks of options, each raising UsageError with a one-line message."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from overlap.core import errors, lookup

T = TypeVar('T')


def filled(kind: type[T], given: Mapping[str, Any], where: str = '') -> T:
  """Returns a dataclass with the values of a mapping, defaults for the rest.

  A field whose default is itself a dataclass takes a mapping.

  Args:
    kind: dataclass of the options.
    given: mapping from names to values.
    where: prefix of the names in messages, for instance 'greedy.'.

  Raises:
    UsageError: an option is unknown, or a group of options is not a mapping.
  """
  # The order of the fields is fixed, independent of the mapping's.
  fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
  for name in given:
    lookup.check_choice(
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
  """Raises UsageError unless a list is not empty and has known names."""
  if isinstance(given, str) or not isinstance(given, Sequence) or not given:
    raise errors.UsageError(
      f'The {kind}s must be a list of {", ".join(choices)}, got {given!r}.'
    )
  for name in given:
    lookup.check_choice(kind, name, choices)


def integer(name: str, value: Any, least: int) -> None:
  """Raises UsageError unless a value is an integer of at least `least`."""
  if not isinstance(value, int) or isinstance(value, bool) or value < least:
    raise errors.UsageError(
      f'Option {name} must be an integer, at least {least}, got {value!r}.'
    )


def level(name: str, value: Any) -> None:
  """Raises UsageError unless a level is strictly between 0 and 1."""
  if not is_number(value) or not 0 < value < 1:
    raise errors.UsageError(
      f'Option {name} must be a level between 0 and 1, such as 0.95, got '
      f'{value!r}.'
    )


def is_number(value: Any) -> bool:
  """Returns whether a value is an int or a float, but not a bool."""
  return isinstance(value, (int, float)) and not isinstance(value, bool)
