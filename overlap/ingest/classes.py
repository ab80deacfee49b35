"""Meaning of labels and predicted classes: whole numbers, names, no value.

Readers give them as `source.classes_or_names` does. Whole numbers are indices
of the classes, names are looked up. Where a data set is new and no list of its
classes is given, the names are sorted naturally, `class_2` before `class_10`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from overlap.catalog import prompts
from overlap.core import errors, natural_order
from overlap.ingest import source as source_lib

_MISSING = {
  '', 'na', 'n/a', '<na>', '#n/a', '#na', 'nan', '-nan', 'null', 'none', 'nat',
}  # fmt: skip
_TRUTHS = ('False', 'True')
# Above this, whole numbers are ids of something and no classes.
_MOST = 1 << 20


def missing(values: np.ndarray, names: Sequence[str] | None) -> np.ndarray:
  """Returns whether each row has no value: empty, NA, NaN, null or None.

  Args:
    values: `[rows]`, from `source.classes_or_names`.
    names: names of the classes where they are known; one of them is a value.

  Returns:
    bool `[rows]`.
  """
  if values.dtype.kind != 'U':
    return np.zeros(len(values), bool)
  words = {
    word
    for word in set(values.tolist())
    if word.casefold() in _MISSING and word not in _indices_of(names or ())
  }
  return np.isin(values, sorted(words))


def settled(values: np.ndarray) -> np.ndarray:
  """The same values, int64 where all are whole numbers.

  So they may be once the missing ones are left out.
  """
  if values.dtype.kind != 'U':
    return values
  numbers = source_lib.whole_numbers(values)
  return values if numbers is None else numbers


def names_of(
  values: np.ndarray,
  scores: int | None,
  what: str,
  rows: np.ndarray | None = None,
) -> list[str]:
  """The names of the classes of a new data set, in their order.

  Args:
    values: labels `[rows]`, none missing.
    scores: how many classes the predictions have scores of, or None.
    what: what the labels are, for error texts.
    rows: int `[rows]`, in which row of its file each label is.

  Raises:
    DataError: both numbers and names, or numbers that are no classes.
  """
  if values.dtype.kind != 'U':
    count = scores
    if count is None:
      count = max(0, int(values.max(initial=-1)) + 1)
    if count > _MOST:
      raise errors.DataError(
        f'{what} must be whole numbers up to {_MOST:,}, for they number the '
        f'classes, got {count - 1}; --class_names names all classes.'
      )
    return [str(i) for i in range(count)]
  _check_alike(values, what, np.arange(len(values)) if rows is None else rows)
  unique = set(values.tolist())
  if unique and {name.casefold() for name in unique} <= {'false', 'true'}:
    return list(_TRUTHS)
  synsets = list(prompts.imagenet_names())
  if scores == len(synsets) and unique <= set(synsets):
    return synsets
  return natural_order.sort_naturally(unique)


def indices(
  values: np.ndarray,
  class_names: Sequence[str],
  what: str,
  rows: np.ndarray | None = None,
) -> np.ndarray:
  """Classes as indices: names are looked up, whole numbers are indices.

  ImageNet's WordNet ids ('n01440764') and names ('tench') stand for each
  other; truths are classes 0 and 1. Where classes are called by numbers other
  than their indices, whole numbers are taken for what they can be.

  Args:
    values: `[rows]`, from `source.classes_or_names`.
    class_names: `[classes]`.
    what: what the values are, for error texts.
    rows: int `[rows]`, in which row of its file each value is.

  Returns:
    int64 `[rows]`.

  Raises:
    DataError: a value is missing, a name is none of the classes', or an index
      is outside them; a number may be a name and the index of another class.
  """
  if rows is None:
    rows = np.arange(len(values))
  if values.dtype.kind == 'U' and len(values):
    return _of_names(values, class_names, what, rows)
  values = values.astype(np.int64)
  outside = (values < 0) | (values >= len(class_names))
  unique = set(values.tolist())
  numbers = {
    number: index
    for index, name in enumerate(class_names)
    if (number := source_lib.whole_number(name)) is not None
  }
  are_names = unique <= numbers.keys()
  if not outside.any():
    other = sorted(v for v in unique if numbers.get(v, v) != v)
    if are_names and other:
      index = numbers[other[0]]
      raise errors.DataError(
        f'{what} must be indices of classes or their names, and may be both, '
        f'for classes are called by numbers: {other[0]} is the name of class '
        f'{index} and the index of the class {class_names[other[0]]!r}. '
        'Give scores, or rows with every class.'
      )
    return values
  if are_names:
    return np.array([numbers[value] for value in values.tolist()], np.int64)
  row = int(np.argmax(outside))
  raise errors.DataError(
    f'{what} must be in [0, {len(class_names)}), the number of classes, '
    f'got {values[row]} in row {rows[row]} and {outside.sum() - 1} more; '
    '--class_names names all classes when the data set is new.'
  )


def _of_names(
  values: np.ndarray, class_names: Sequence[str], what: str, rows: np.ndarray
) -> np.ndarray:
  known = _indices_of(class_names)
  unique, inverse = np.unique(values, return_inverse=True)
  for table in (known, *_other_names(known)):
    if all(name in table for name in unique.tolist()):
      found = [table[name] for name in unique.tolist()]
      return np.array(found, np.int64)[inverse]
  gaps = missing(values, class_names)
  if gaps.any():
    row = int(np.argmax(gaps))
    raise errors.DataError(
      f'{what} must have a class in every row, got {str(values[row])!r} in row '
      f'{rows[row]} and {gaps.sum() - 1} more.'
    )
  _check_alike(values, what, rows)
  unknown = [name for name in unique.tolist() if name not in known]
  raise errors.DataError(
    f'{what} must be among the {len(class_names)} classes '
    f'({", ".join(class_names[:10])}{", ..." * (len(class_names) > 10)}), '
    f'got {len(unknown)} other names, among them {unknown[0]!r}; '
    '--class_names names all classes when the data set is new.'
  )


def _indices_of(class_names: Sequence[str]) -> dict[str, int]:
  names = source_lib.normalised(np.array(class_names, np.str_))
  return {name: index for index, name in enumerate(names.tolist())}


def _other_names(known: Mapping[str, int]) -> list[dict[str, int]]:
  """Further names of the classes, in tables that are tried one by one."""
  truths = {
    form: index
    for index, name in enumerate(_TRUTHS)
    for form in (name, name.lower(), name.upper())
    if index < len(known)
  }
  words = prompts.imagenet_names()
  synsets: dict[str, str] = {}
  for synset, word in words.items():
    # Two pairs of classes share a name, which tells neither.
    synsets[word] = '' if word in synsets else synset
  other = [truths]
  for table in (words, synsets):
    other.append({a: known[b] for a, b in table.items() if b in known})
  if len(known) == len(words) and not known.keys() & words.keys():
    other.append({synset: index for index, synset in enumerate(words)})
  return other


def _check_alike(values: np.ndarray, what: str, rows: np.ndarray) -> None:
  """Raises DataError unless all are names, or all are whole numbers."""
  unique, inverse = np.unique(values, return_inverse=True)
  number = np.array([source_lib.is_number(v) for v in unique.tolist()])[inverse]
  whole = np.array(
    [source_lib.whole_number(v) is not None for v in unique.tolist()]
  )[inverse]
  if not number.any() or whole.all():
    return
  if number.all():
    rule, odd = 'whole numbers', ~whole
  else:
    rule = 'whole numbers or names, not both'
    odd = number if 2 * number.sum() < len(values) else ~number
  row = int(np.argmax(odd))
  raise errors.DataError(
    f'{what} must be {rule}, got {str(values[row])!r} in row {rows[row]} and '
    f'{odd.sum() - 1} more; --class_names names all classes when the data set '
    'is new.'
  )
