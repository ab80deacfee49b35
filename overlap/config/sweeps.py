"""Sweeps as data: lists of runs, each with a name and a few fields.

A sweep file has `get_sweep(arg='')`, which returns a list of `Item`. Items are
made of axes and combined:

  seeds = sweeps.named('seed', 'seed', range(3))
  rates = sweeps.named('lr', 'train.learning_rate', (0.1, 0.2))
  return sweeps.variants('base', sweeps.grid(rates, seeds))

An item is one of three things: an unchanged model of the study (`models`), a
further model that changes fields of one of the study's (`variants`), or fields
of the whole study, which then becomes a separate study.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from overlap.core import errors, python_file

_LONGEST_NAME = 100
_NAME = re.compile(r'[A-Za-z0-9_]+')


@dataclasses.dataclass(frozen=True)
class Item:
  """One run of a sweep.

  Attributes:
    name: name of letters, digits and underscores, unique in the sweep.
    overrides: values by the dotted paths of their fields in the study, or in
      the model that a variant changes.
    model: model of the study to train; '' for all.
    variant_of: model of which `model` is a variant; '' for none.
  """

  name: str
  overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  model: str = ''
  variant_of: str = ''


def named(
  label: str, field: str, values: Sequence[Any] | Mapping[str, Any]
) -> list[Item]:
  """Returns an axis: one field with several values.

  Args:
    label: prefix of the items' names.
    field: dotted path of the field.
    values: the values, which also end the items' names, or a dictionary from
      endings of the names to values.
  """
  if isinstance(values, Mapping):
    pairs = list(values.items())
  else:
    pairs = [(value, value) for value in values]
  return [
    Item(safe(f'{label}_{word}'), {field: value}) for word, value in pairs
  ]


def grid(*axes: Sequence[Item]) -> list[Item]:
  """Returns all combinations of the axes' items, the last axis fastest.

  Raises:
    UsageError: two axes set the same field; there are no axes.
  """
  if not axes:
    raise errors.UsageError('A grid needs axes, got none.')
  return [_joined(items) for items in itertools.product(*axes)]


def zipped(*axes: Sequence[Item]) -> list[Item]:
  """Combines the axes' first items, their second items, and so on.

  Raises:
    UsageError: the lengths differ; two axes set the same field; there are no
      axes.
  """
  lengths = [len(axis) for axis in axes]
  if not axes or len(set(lengths)) > 1:
    raise errors.UsageError(
      'Axes that are zipped must have equally many values, got '
      f'{", ".join(map(str, lengths)) or "no axes"}.'
    )
  return [_joined(items) for items in zip(*axes, strict=True)]


def models(*names: str) -> list[Item]:
  """Returns items for unchanged models of the study, one per model."""
  return [Item(safe(name), model=name) for name in names]


def variants(model: str, items: Iterable[Item]) -> list[Item]:
  """Returns items for variants of a model, one per item of changed fields.

  Args:
    model: model of the study that is changed.
    items: items whose overrides are fields of that model.
  """
  return [
    Item(name, item.overrides, model=name, variant_of=model)
    for item in items
    for name in [safe(f'{model}_{item.name}')]
  ]


def check_items(items: Sequence[Item]) -> list[Item]:
  """Returns the items if their runs can coexist.

  Raises:
    UsageError: there are no items; a name is duplicate or invalid.
  """
  if not items:
    raise errors.UsageError('A sweep needs items, got none.')
  seen: set[str] = set()
  for item in items:
    if not isinstance(item, Item):
      raise errors.UsageError(
        f'A sweep must be a list of sweeps.Item, got {item!r} in it.'
      )
    if not _NAME.fullmatch(item.name) or len(item.name) > _LONGEST_NAME:
      raise errors.UsageError(
        'The name of an item must be of letters, digits and underscores, at '
        f'most {_LONGEST_NAME}, got {item.name!r}.'
      )
    # Names become files, so they must differ even if case is ignored.
    if item.name.lower() in seen:
      raise errors.UsageError(
        f'The items of a sweep must have different names, got {item.name!r} '
        'twice: name the values that differ, as in '
        "named('seed', 'seed', {'a': 0, 'b': 1})."
      )
    seen.add(item.name.lower())
    if item.model and item.overrides and not item.variant_of:
      raise errors.UsageError(
        f'The item {item.name!r} must not change fields of the model '
        f"{item.model!r}, which is the study's own: make it a variant, as in "
        f'variants({item.model!r}, ...).'
      )
  return list(items)


def load(path: str) -> list[Item]:
  """Returns the checked items of a file, FILE.py or FILE.py:ARGUMENT.

  Raises:
    UsageError: the file or its `get_sweep` is missing; see `check`.
  """
  made = python_file.call(path, 'get_sweep', '--sweep')
  if not isinstance(made, Iterable):
    raise errors.UsageError(
      f'{path} must return a list of sweeps.Item, got {made!r}.'
    )
  return check_items(list(made))


def _joined(items: Sequence[Item]) -> Item:
  overrides: dict[str, Any] = {}
  for item in items:
    twice = overrides.keys() & item.overrides.keys()
    if twice:
      raise errors.UsageError(
        f'Each axis must set fields of its own, got {min(twice)!r} in two.'
      )
    overrides |= item.overrides
  return Item('_'.join(item.name for item in items), overrides)


def safe(text: str) -> str:
  """Returns text as a name of letters, digits and underscores."""
  # No dots: flags name the fields of a model by its name and dots.
  return re.sub(r'[^A-Za-z0-9]+', '_', text).strip('_')
