"""Column or array of a file that holds the ids, whatever its name.

Where the examples' ids are known, it is the one that holds just those. Where
the data set is new, it is one of a usual name whose values differ.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from overlap.core import errors
from overlap.ingest import align
from overlap.ingest.source import Source

# Usual names of ids, in lower case; pandas gives its index the last three.
_USUAL = (
  'id', 'ids', 'image_id', 'sample_id', 'example_id', 'filename', 'filenames',
  'file_name', 'file', 'files', 'filepath', 'file_path', 'path', 'paths',
  'image_path', 'img_path', 'image_name', 'imagename', 'image', 'images', 'img',
  'key', 'keys', '__key__', 'name', 'names', 'uid', 'uuid',
  '', 'unnamed: 0', '__index_level_0__',
)  # fmt: skip


def numbered(rows: int) -> np.ndarray:
  """Ids of examples that have none: the numbers of their rows."""
  return np.array([f'{row:07d}' for row in range(rows)], np.str_)


def are_numbered(ids: np.ndarray) -> bool:
  """Returns whether ids are no more than the numbers of the rows."""
  return bool(np.array_equal(ids, numbered(len(ids))))


def by_usual_name(source: Source) -> Source:
  """The source with ids of a usual name, for a data set that is new."""
  if source.ids is not None or source.columns is None:
    return source
  columns = source.columns()
  name = usual_name(columns)
  return source if name is None else _with_ids(source, name, columns[name])


def usual_name(columns: Mapping[str, np.ndarray]) -> str | None:
  """The column of a usual name that may be ids: `id`, or values that differ.

  Those that number the rows, as a pandas index does, are none.
  """
  for name, values in _usual(columns).items():
    texts = values.tolist()
    counts_rows = texts == [str(row) for row in range(len(texts))]
    if name == 'id' or (len(set(texts)) == len(texts) and not counts_rows):
      return name
  return None


def by_number(source: Source, what: str, *, by_order: bool) -> Source:
  """The source with ids that are the rows' numbers, where it has such.

  Args:
    source: the predictions.
    what: the file, for error texts.
    by_order: whether other ids are left aside.

  Raises:
    DataError: its ids are others, and not `by_order`.
  """
  columns = {} if source.ids is None else {'id': source.ids}
  numbers = sorted(map(str, range(source.rows)))
  others = source.columns() if source.columns else {}
  for name, values in {**columns, **_usual(others)}.items():
    if sorted(values.tolist()) == numbers:
      ids = np.array([f'{int(value):07d}' for value in values], np.str_)
      return _with_ids(source, name, ids)
  if source.ids is None or np.isin(source.ids, numbered(source.rows)).any():
    return source
  if not by_order:
    raise errors.DataError(
      f'{what} must have no ids but the numbers of its rows, for the examples '
      f'of the data set have no others, got {str(source.ids[0])!r}: --by_order '
      'says that the rows are in the same order.'
    )
  note = 'the order of the rows counts, and not their ids'
  return dataclasses.replace(source, ids=None, notes=(*source.notes, note))


def check_agree(source: Source, what: str, ids: np.ndarray) -> None:
  """Raises DataError where a column holds ids given beside in other rows."""
  columns = source.columns() if source.columns else {}
  rows = np.arange(len(ids))
  for name, values in columns.items():
    places = align.locate(values, ids).places
    if np.array_equal(np.sort(places), rows) and (places != rows).any():
      row = int(np.argmax(places != rows))
      raise errors.DataError(
        f'--ids must give the ids of the rows of {what}, whose column {name!r} '
        f'holds the same in another order: {str(values[row])!r} in row {row}, '
        f'and --ids has {str(ids[row])!r}.'
      )


def by_content(
  source: Source,
  what: str,
  stored: np.ndarray,
  *,
  whose: str,
  every: bool,
  extra: bool,
  by_order: bool,
) -> Source:
  """The source with the column as ids that holds those of the examples.

  Args:
    source: the predictions.
    what: the file, for error texts.
    stored: text `[examples]`, the ids of the examples.
    whose: where those ids are from, for error texts.
    every: whether every example must have a row.
    extra: whether rows may be of no example.
    by_order: whether row order counts where there is no such column.

  Raises:
    DataError: no column holds the ids, and not `by_order`; or two columns do,
      in different orders.
  """

  def fits(ids: np.ndarray) -> np.ndarray | None:
    places = align.locate(ids, stored).places
    known = places[places >= 0]
    if not len(known) or len(np.unique(known)) < len(known):
      return None
    if every and len(known) < len(stored):
      return None
    return places if extra or len(known) == len(ids) else None

  if source.ids is not None and fits(source.ids) is not None:
    return source
  columns = source.columns() if source.columns else {}
  found = {
    name: places
    for name, ids in columns.items()
    if (places := fits(ids)) is not None
  }
  if found:
    (first, places), *others = found.items()
    for name, other in others:
      if not np.array_equal(places, other):
        raise errors.DataError(
          f'{what} must have one column that holds the ids of {whose}, got '
          f'{first!r} and {name!r} with the ids in different orders: call the '
          'right one id.'
        )
    return _with_ids(source, first, columns[first])
  if source.ids is not None or by_order:
    return source
  looked = ', '.join(repr(name) for name in list(columns)[:5])
  raise errors.DataError(
    f'{what} must say of which example each row is, for {whose} has ids, such '
    f'as {str(stored[0])!r}, and {f"none of {looked}" if looked else "nothing"}'
    ' in the file holds just those: --ids=FILE gives them, or --by_order says '
    'that the rows are in the same order.'
  )


def _usual(columns: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
  lower = {name.strip().lower(): name for name in columns}
  return {lower[n]: columns[lower[n]] for n in _USUAL if n in lower}


def _with_ids(source: Source, name: str, ids: np.ndarray) -> Source:
  notes = tuple(source.notes)
  if name != 'id':
    where = repr(name) if name else 'the column without a name'
    notes += (f'the ids are in {where}',)
  return dataclasses.replace(source, ids=ids, notes=notes)
