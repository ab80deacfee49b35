"""Groups of classes: from options to class indices (Sec. 4.4)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from overlap.analyses.specialisation.options import Specialisation
from overlap.catalog import wordnet
from overlap.core import errors, lookup

Groups = dict[str, np.ndarray]

# The paper's groups of ImageNet's classes (Fig. 4), both ends included.
IMAGENET = {'nature': ('0-300',), 'anthropogenic': ('500-900',)}
_IMAGENET_CLASSES = 1000


def resolve(options: Specialisation, class_names: Sequence[str]) -> Groups:
  """Returns the groups of a data set's classes.

  Args:
    options: options, of which `groups` and `grouping` are used.
    class_names: names of the classes, `[classes]`.

  Returns:
    A mapping from names to ascending class indices, int64, none of them empty.
    Groups may overlap and need not cover all classes. They are in the order of
    their lowest class.

  Raises:
    UsageError: the data set has no such class, or the grouping does not fit it.
  """
  grouping = options.grouping or _default(options, len(class_names))
  if grouping == 'none':
    found: Groups = {}
  elif grouping == 'wordnet':
    found = _wordnet(class_names)
  elif grouping == 'imagenet':
    found = _imagenet(class_names)
  else:
    return configured(options.groups, class_names)
  return _in_order(found)


def configured(
  groups: Mapping[str, Any],
  class_names: Sequence[str],
  option: str = 'specialisation.groups',
) -> Groups:
  """Returns the groups of an option, as `resolve` does.

  Args:
    groups: mapping from names to classes: names, indices and ranges.
    class_names: names of the classes, `[classes]`.
    option: name of the option, for messages.
  """
  found = {}
  for name, items in groups.items():
    if isinstance(items, str):
      items = [item.strip() for item in items.split(',')]
    if _is_of_other_data(items, class_names):
      logging.warning(
        'No group %s: none of its classes is one of this data set.', name
      )
      continue
    found[name] = _indices(f'{option}.{name}', items, class_names)
  return _in_order(found)


def _in_order(found: Groups) -> Groups:
  return dict(sorted(found.items(), key=lambda item: (item[1][0], item[0])))


def as_text(classes: np.ndarray) -> str:
  """Formats class indices as ranges: '0-300' or '0,2-4,6'."""
  breaks = np.flatnonzero(np.diff(classes) != 1) + 1
  runs = np.split(np.asarray(classes), breaks)
  return ','.join(
    str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}' for run in runs
  )


def _default(options: Specialisation, classes: int) -> str:
  if options.groups:
    return 'config'
  return 'imagenet' if classes == _IMAGENET_CLASSES else 'none'


def _imagenet(class_names: Sequence[str]) -> Groups:
  if len(class_names) != _IMAGENET_CLASSES:
    raise errors.UsageError(
      'Option specialisation.grouping must not be imagenet but where there are '
      f'1,000 classes, got {len(class_names):,}.'
    )
  return {
    name: _indices(f'specialisation.groups.{name}', items, class_names)
    for name, items in IMAGENET.items()
  }


def _wordnet(class_names: Sequence[str]) -> Groups:
  files = wordnet.lexicographer_files()
  filed = np.array([files.get(str(name), '') for name in class_names])
  if not (filed != '').any():
    raise errors.UsageError(
      'Option specialisation.grouping must not be wordnet but where classes '
      "are called by ImageNet's WordNet ids, such as 'n01440764', got "
      f'{", ".join(map(repr, class_names[:3]))}.'
    )
  return {
    name.removeprefix('noun.'): np.flatnonzero(filed == name)
    for name in np.unique(filed[filed != '']).tolist()
  }


def _is_of_other_data(items: Sequence[Any], class_names: Sequence[str]) -> bool:
  """Returns whether all items are class names of another data set."""
  return not any(
    isinstance(item, int) or item in class_names or _range(item)
    for item in items
  )


def _indices(
  option: str, items: Sequence[Any], class_names: Sequence[str]
) -> np.ndarray:
  """Returns the classes of one group, ascending, int64.

  Raises:
    UsageError: an item is not a class.
  """
  names = list(class_names)
  chosen: set[int] = set()
  for item in items:
    if item in names:
      chosen.add(names.index(item))
      continue
    ends = (item, item) if isinstance(item, int) else _range(item)
    if ends is None:
      lookup.check_choice(f'class for {option}', item, names)
    elif not 0 <= ends[0] <= ends[1] < len(names):
      raise errors.UsageError(
        f'Option {option} must have classes within 0-{len(names) - 1}, got '
        f'{item!r}.'
      )
    else:
      chosen.update(range(ends[0], ends[1] + 1))
  return np.array(sorted(chosen), np.int64)


def _range(item: str) -> tuple[int, int] | None:
  """Parses '3' and '5-7' as both ends; None for other texts."""
  match = re.fullmatch(r'(\d+)(?:-(\d+))?', item)
  if not match:
    return None
  first, last = match.groups()
  return int(first), int(last or first)
