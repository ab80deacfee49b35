"""Rows of a file matched with rows of the store: by id, else by row order."""

import re
import unicodedata
from typing import NamedTuple

import numpy as np

from overlap.core import errors

BY_ID, BY_ROW = 'id', 'row order'
_SHOWN = 3
_SUFFIX = re.compile(r'\.[A-Za-z][A-Za-z0-9]{0,5}$')


class Located(NamedTuple):
  """The places of ids among those of the data set.

  Attributes:
    places: int64 `[rows]`, -1 for an id that is none of them.
    keys: text `[rows]`, what was compared of each id.
    note: what was left off before they were compared; '' for nothing.
  """

  places: np.ndarray
  keys: np.ndarray
  note: str


def composed(ids: np.ndarray) -> np.ndarray:
  """Ids in Unicode's form NFC: macOS and Linux write `é` differently."""
  names = ids.tolist()
  if all(map(str.isascii, names)):
    return ids
  return np.array([unicodedata.normalize('NFC', name) for name in names])


def locate(ids: np.ndarray, stored: np.ndarray) -> Located:
  """Finds each row's example.

  Where none of the ids is known, they are compared without the folders and
  the suffix that all of a file share (`val/`, `.JPEG`), and matched so if
  either all rows or all examples are found.

  Args:
    ids: text `[rows]`, of the file.
    stored: text `[examples]`, unique.
  """
  keys, known = composed(ids), composed(stored)
  places = _places(keys, known)
  if (places >= 0).any() or not len(ids) or not len(stored):
    return Located(places, keys, '')
  (short, *mine), (stored_short, *theirs) = _trimmed(keys), _trimmed(known)
  trimmed = _places(short, stored_short)
  found = trimmed >= 0
  every = len(np.unique(trimmed[found])) == len(stored)
  if not (found.all() or every):
    return Located(places, keys, '')
  row = int(np.argmax(found))
  left_off = [repr(part) for part in dict.fromkeys([*mine, *theirs]) if part]
  note = (
    f'ids are matched without {" and ".join(left_off) or "backslashes"}, which '
    f'all in one file share: {str(ids[row])!r} is '
    f'{str(stored[trimmed[row]])!r}'
  )
  return Located(trimmed, short, note)


def by_id(
  ids: np.ndarray, stored: np.ndarray, what: str, *, extra: bool = False
) -> Located:
  """Finds each row's example; every example has one row.

  Args:
    ids: text `[rows]`, of the file.
    stored: text `[examples]`, unique.
    what: the file, for error texts.
    extra: whether ids may be none of the stored ones.

  Raises:
    DataError: ids are missing, are none of the stored ones, or repeated; the
      text counts them and shows three.
  """
  located = locate(ids, stored)
  known = located.places >= 0
  unique, counts = np.unique(located.keys, return_counts=True)
  given = np.zeros(len(stored), bool)
  given[located.places[known]] = True
  faults = {
    'missing': stored[~given],
    'extra': np.unique(ids[~known]),
    'repeated': unique[counts > 1],
  }
  if extra:
    faults['extra'] = faults['extra'][:0]
  if any(map(len, faults.values())):
    only_extra = not len(faults['missing']) and not len(faults['repeated'])
    hint = '; --missing=drop leaves such rows out' * only_extra
    raise errors.DataError(
      f'{what} must have each of the {len(stored)} ids of the data set once, '
      f'got {"; ".join(_told(*fault) for fault in faults.items())}{hint}.'
    )
  return located


def by_row(rows: int, stored: int, what: str) -> np.ndarray:
  """The examples in the order of the rows, where there are as many.

  Raises:
    DataError: there are more rows or fewer.
  """
  if rows != stored:
    raise errors.DataError(
      f'{what} has no ids, so that it must have a row for each of the '
      f'{stored} examples of the data set in their order, got {rows} rows: '
      'give --ids.'
    )
  return np.arange(rows)


def _places(keys: np.ndarray, stored: np.ndarray) -> np.ndarray:
  """The places of keys among the stored ones, -1 where there is none."""
  if not len(stored):
    return np.full(len(keys), -1, np.int64)
  order = np.argsort(stored, kind='stable')
  at = np.searchsorted(stored, keys, sorter=order)
  places = order[np.minimum(at, len(stored) - 1)].astype(np.int64)
  return np.where(stored[places] == keys, places, -1)


def _trimmed(ids: np.ndarray) -> tuple[np.ndarray, str, str]:
  """Ids without the folders and the suffix that all share, and both."""
  names = [name.replace('\\', '/') for name in ids.tolist()]
  first, last = min(names), max(names)
  pairs = enumerate(zip(first, last))
  end = next((i for i, (a, b) in pairs if a != b), len(first))
  prefix = first[: first.rfind('/', 0, end) + 1]
  match = _SUFFIX.search(names[0])
  suffix = match.group() if match else ''
  if not all(name.endswith(suffix) for name in names):
    suffix = ''
  short = [name[len(prefix) : len(name) - len(suffix)] for name in names]
  return np.array(short, np.str_), prefix, suffix


def _told(kind: str, ids: np.ndarray) -> str:
  shown = ', '.join(repr(str(name)) for name in ids[:_SHOWN])
  more = ', ...' if len(ids) > _SHOWN else ''
  return f'{len(ids)} {kind}' + (f' ({shown}{more})' if len(ids) else '')
