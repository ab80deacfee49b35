"""Checks and conversion of the options that models are built with."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from overlap.core import errors, lookup

# Fields of every module that are not options.
_GIVEN = ('num_classes', 'dtype', 'parent', 'name')


def option_types(module: type[nn.Module]) -> dict[str, Any]:
  """Returns the types of a module's options by name."""
  hints = typing.get_type_hints(module)
  names = [f.name for f in dataclasses.fields(module)]
  return {name: hints[name] for name in names if name not in _GIVEN}


def convert_options(
  model_name: str, module: type[nn.Module], options: Mapping[str, Any]
) -> dict[str, Any]:
  """Converts options to the module's types: lists to tuples, ints to floats.

  Raises:
    UsageError: the module has no such option, or a value has the wrong type.
  """
  hints = option_types(module)
  converted = {}
  for name, value in options.items():
    lookup.check_choice(f'option of {model_name}', name, hints)
    try:
      converted[name] = _as(hints[name], value)
    except TypeError as e:
      text = getattr(hints[name], '__name__', '')
      if typing.get_origin(hints[name]) is tuple:
        text = str(hints[name])
      raise errors.UsageError(
        f'The option {name} of {model_name} must be of type {text}, '
        f'got {value!r}.'
      ) from e
  return converted


def _as(wanted: Any, value: Any) -> Any:
  """Converts `value` to a type; raises TypeError if it doesn't match."""
  if typing.get_origin(wanted) is tuple:
    if not isinstance(value, (list, tuple)):
      raise TypeError
    item = typing.get_args(wanted)[0]
    return tuple(_as(item, v) for v in value)
  if wanted is float and type(value) is int:
    return float(value)
  if wanted in (bool, int, float, str) and type(value) is not wanted:
    raise TypeError
  return value


def require(holds: bool, module: nn.Module, field: str, rule: str) -> None:
  """Raises an error 'FIELD must be RULE, got VALUE' unless `holds`.

  Raises:
    UsageError: `holds` is false.
  """
  if not holds:
    raise errors.UsageError(
      f'{type(module).__name__}: {field} must be {rule}, '
      f'got {getattr(module, field)!r}.'
    )


def check_ranges(
  module: nn.Module, *, positive: tuple[str, ...], rates: tuple[str, ...]
) -> None:
  """Checks the ranges of a module's fields.

  Raises:
    UsageError: a field of `positive` is empty or has an item that is not above
      0, or a field of `rates` is not in [0, 1).
  """
  for field in positive:
    value = getattr(module, field)
    items = value if isinstance(value, tuple) else (value,)
    require(min(items, default=0) > 0, module, field, 'positive')
  for field in rates:
    require(0 <= getattr(module, field) < 1, module, field, 'in [0, 1)')


def check_strides(module: nn.Module, field: str, count: int) -> None:
  """Raises UsageError unless the field is `count` strides of 1 or 2."""
  strides = getattr(module, field)
  require(
    len(strides) == count and set(strides) <= {1, 2},
    module,
    field,
    f'{count} times 1 or 2',
  )
