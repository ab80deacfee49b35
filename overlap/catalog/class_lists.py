"""Lists of classes in the order of their indices, and names matched to them.

A list is given as names, as 'imagenet', or as a file in one of these common
formats: a name per line; lines of an index and a name in either order, as in
Places365's `categories_places365.txt`; lines that begin with a WordNet synset
id, as in ImageNet's `LOC_synset_mapping.txt`; JSON with a list of names, with
an index by name, or with a name (or a list of a synset id and a name) by index.
"""

import collections
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from overlap.catalog import prompts
from overlap.core import errors, lookup
from overlap.core.natural_order import sort_naturally

IMAGENET = 'imagenet'
_SYNSET = re.compile(r'n\d{8}\b')
_INDEX_LAST = re.compile(r'(.*\S)[\s,;:]+(\d{1,9})')
_NUMBER = re.compile(r'-?[0-9]{1,9}')
_INDEX_FIRST = re.compile(r'(\d{1,9})[\s,;:]+(\S.*)')


def read_class_list(given: Sequence[str]) -> tuple[str, ...]:
  """Returns names of classes in the order of their indices.

  Args:
    given: names; or one item, a file or 'imagenet', which stands for the 1,000
      synset ids of ImageNet; empty for no list.

  Raises:
    DataError: the file can't be read, or has another format.
    UsageError: a name is given twice, is empty, or is no text.
  """
  if not all(isinstance(name, str) for name in given):
    raise errors.UsageError(
      f'A list of classes must hold names as text, got {tuple(given)!r}.'
    )
  if list(given) == [IMAGENET]:
    return tuple(prompts.imagenet_names())
  if len(given) != 1:
    names, what = list(given), 'A list of classes'
  else:
    names, what = _read_file(given[0]), given[0]
  names = [_normalise(name) for name in names]
  if names == [_normalise(n) for n in prompts.imagenet_names().values()]:
    return tuple(prompts.imagenet_names())  # Two of the names occur twice.
  seen: set[str] = set()
  for name in names:
    if not name or name in seen:
      raise errors.UsageError(
        f'{what} must name every class once, got {name!r} '
        f'{"again" if name else "for a class"}.'
      )
    seen.add(name)
  return tuple(names)


def is_part_of_imagenet(names: Sequence[str]) -> bool:
  """Returns whether names are synset ids of a proper subset of ImageNet."""
  known = prompts.imagenet_names()
  return 0 < len(names) < len(known) and set(names) <= known.keys()


def match(names: Sequence[str], classes: Sequence[str], what: str) -> list[int]:
  """Returns the index of each name in a list of classes.

  Names may equal those of the list; be ImageNet synset ids where the list has
  ImageNet names, or vice versa; or be whole numbers, taken as indices.

  Args:
    names: names of the classes of a data set.
    classes: all names, in the order of their indices.
    what: description of the data set, for the error message.

  Raises:
    DataError: a name is not in the list.
  """
  places = {name: i for i, name in enumerate(classes)}
  synsets = _by_synset(classes)
  own = [_normalise(name) for name in names]
  found = [places.get(name, synsets.get(name)) for name in own]
  if all(place is None for place in found) and all(map(_is_index, own)):
    found = [int(n) if int(n) < len(classes) else None for n in own]
  missing = [name for name, place in zip(names, found) if place is None]
  if missing:
    raise errors.DataError(
      f'{what}: all classes must be in the list of {len(classes)} that '
      f'config.data.classes gives, got {len(missing)} of {len(names)} that are '
      f'not: {lookup.few(list(map(repr, missing)))}. '
      f'{lookup.nearest(missing[0], classes)}The list begins with '
      f'{", ".join(map(repr, classes[:3]))}.'
    )
  indices = [place for place in found if place is not None]
  if len(set(indices)) < len(indices):
    raise errors.DataError(
      f'{what}: each class must have an index of its own in the list that '
      'config.data.classes gives, got two with the same.'
    )
  return indices


def number(
  classes: Sequence[str], names: Sequence[str], what: str
) -> tuple[np.ndarray, list[str], str]:
  """Returns labels, class names, and a description of the classes' order.

  Args:
    classes: class of each example [M]: whole numbers from 0, or names.
    names: names of the classes in order; empty if unknown: then numbers are
      their own names, and names are sorted in natural order.
    what: description of the data set, for the error message.

  Raises:
    DataError: numbers and names are mixed, or a name is not in `names`.
  """
  are_numbers = [bool(_NUMBER.fullmatch(each)) for each in classes]
  if all(are_numbers):
    labels = np.array([int(each) for each in classes], np.int64)
    if names:
      return labels, list(names), 'order of the names beside the files'
    count = int(labels.max(initial=-1)) + 1
    return labels, [str(i) for i in range(count)], 'order of their numbers'
  if any(are_numbers):
    row = are_numbers.index(not are_numbers[0])
    raise errors.DataError(
      f'{what}: classes must all be whole numbers or all be names, got '
      f'{classes[0]!r} and {classes[row]!r} (example {row}).'
    )
  order = 'order of the names beside the files' if names else 'natural order'
  names = list(names) or sort_naturally(set(classes))
  places = {name: place for place, name in enumerate(names)}
  unknown = next((each for each in classes if each not in places), None)
  if unknown is not None:
    raise errors.DataError(
      f'{what}: classes must be among the {len(names)} named beside the files, '
      f'got {unknown!r}.'
    )
  return np.array([places[each] for each in classes]), names, order


def _by_synset(classes: Sequence[str]) -> dict[str, int]:
  """Returns indices by ImageNet's other identifier: synset id or name."""
  known = prompts.imagenet_names()
  counts = collections.Counter(known.values())
  by_name = {name: wnid for wnid, name in known.items() if counts[name] == 1}
  other = known | by_name
  return {other[name]: i for i, name in enumerate(classes) if name in other}


def _normalise(name: str) -> str:
  """Normalises a name to NFC, without the leading slash of Places365."""
  return unicodedata.normalize('NFC', name.strip()).removeprefix('/')


def _is_index(name: str) -> bool:
  return name.isascii() and name.isdigit() and len(name) < 10


def _read_file(given: str) -> list[str]:
  path = epath.Path(given).expanduser()
  try:
    text = path.read_bytes().decode('utf-8-sig')
  except (OSError, ValueError) as e:
    raise errors.DataError(
      f'A list of classes must be {IMAGENET!r}, two names or more, or a '
      f'readable text file, got {given!r}: {e}.'
    ) from e
  try:
    if path.suffix.lower() == '.json':
      names = _from_json(json.loads(text))
    else:
      names = _from_lines([line.strip() for line in text.splitlines()])
  except (ValueError, RecursionError) as e:
    raise errors.DataError(
      f'{given} must list names of classes in their order, got: {e}.'
    ) from e
  if not names:
    raise errors.DataError(f'{given} must name classes, and names none.')
  return names


def _from_lines(lines: Sequence[str]) -> list[str]:
  lines = [line for line in lines if line]
  if all(map(_SYNSET.match, lines)):
    return [line[:9] for line in lines]
  for pattern, index, name in ((_INDEX_LAST, 2, 1), (_INDEX_FIRST, 1, 2)):
    matches = [pattern.fullmatch(line) for line in lines]
    by_index = {int(m[index]): m[name] for m in matches if m}
    are_names = len(set(by_index.values())) == len(lines)
    if are_names and sorted(by_index) == list(range(len(lines))):
      return _in_order(by_index, len(lines))
  return list(lines)


def _from_json(value: Any) -> list[str]:
  if isinstance(value, Mapping):
    if all(type(index) is int for index in value.values()):
      return _in_order(dict(zip(value.values(), value)), len(value))
    if not all(map(_is_index, value)):
      raise ValueError('an object that is no map between names and indices')
    value = _in_order(
      {int(index): name for index, name in value.items()}, len(value)
    )
  if not isinstance(value, list):
    raise ValueError(f'JSON of type {type(value).__name__}')
  # Keras has [synset id, name] for each class of ImageNet.
  value = [v[0] if isinstance(v, list) and v else v for v in value]
  for name in value:
    if not isinstance(name, str):
      raise ValueError(f'{name!r} for a name')
  return value


def _in_order(by_index: Mapping[int, Any], count: int) -> list[Any]:
  if sorted(by_index) != list(range(count)):
    raise ValueError(f'other indices than 0 to {count - 1}, each once')
  return [by_index[i] for i in range(count)]
