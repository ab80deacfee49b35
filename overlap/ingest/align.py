"""Which row of the store each row of a file is: by id, else by row order."""

import numpy as np

from overlap import errors

BY_ID, BY_ROW = 'id', 'row order'
_SHOWN = 3


def by_id(ids: np.ndarray, stored: np.ndarray, what: str) -> np.ndarray:
  """Finds each row's example.

  Args:
    ids: text `[rows]`, of the file.
    stored: text `[examples]`, unique.
    what: the file, for error texts.

  Returns:
    int64 `[rows]`: the place of every row's id among `stored`; every place is
    there once.

  Raises:
    DataError: ids are missing, are none of the stored ones, or repeated; the
      text counts them and shows three.
  """
  order = np.argsort(stored, kind='stable')
  if len(stored):
    at = np.searchsorted(stored, ids, sorter=order)
    places = order[np.minimum(at, len(stored) - 1)]
    known = stored[places] == ids
  else:
    places, known = np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
  unique, counts = np.unique(ids, return_counts=True)
  given = np.zeros(len(stored), bool)
  given[places[known]] = True
  faults = {
    'missing': stored[~given],
    'extra': np.unique(ids[~known]),
    'repeated': unique[counts > 1],
  }
  if any(map(len, faults.values())):
    raise errors.DataError(
      f'{what} must have each of the {len(stored)} ids of the data set once, '
      f'got {"; ".join(_told(*fault) for fault in faults.items())}.'
    )
  return places.astype(np.int64)


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


def _told(kind: str, ids: np.ndarray) -> str:
  shown = ', '.join(repr(str(name)) for name in ids[:_SHOWN])
  more = ', ...' if len(ids) > _SHOWN else ''
  return f'{len(ids)} {kind}' + (f' ({shown}{more})' if len(ids) else '')
