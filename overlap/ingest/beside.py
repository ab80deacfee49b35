"""The files beside the predictions: labels, ids, names of the classes."""

import types
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from overlap.core import errors
from overlap.ingest import (
  advice,
  arrays,
  columns,
  identify,
  json_table,
  json_text,
  raw_file,
  table_file,
)
from overlap.ingest import source as source_lib
from overlap.ingest.columns import CLASS, TEXT
from overlap.ingest.faults import readable

_LINES = ('.txt', '.json')
_ALL = ('.npy', '.npz', '.txt', *table_file.EXTENSIONS)


class Labels(NamedTuple):
  """Labels in a file beside the predictions.

  Attributes:
    labels: `[rows]`, from `source.classes_or_names`.
    ids: text `[rows]`, or None where the file has none of a usual name.
    path: the file, for error texts.
    columns: further columns that may hold the ids, text `[rows]` by name.
  """

  labels: np.ndarray
  ids: np.ndarray | None
  path: str = '--labels'
  columns: Mapping[str, np.ndarray] = types.MappingProxyType({})


def read_labels(path: str) -> Labels:
  """Reads labels.

  Args:
    path: `.npy`, or `.json` or `.txt` (a line each), in the order of the
      predictions; or a table (CSV, Parquet, JSON) with `label` and perhaps
      `id`, or ids in a column of another usual name; or `.npz` with the arrays
      `labels` and perhaps `ids`.

  Raises:
    UsageError: another extension.
    DataError: absent, damaged, or no labels.
  """
  _check_extension('--labels', path, _ALL)
  table = _table(path, 'label')
  ids, others = None, {}
  if table is not None:
    values = columns.read_columns(table, {'label': CLASS})['label']
    others = columns.texts(table, [n for n in table.names if n != 'label'])
    ids = _ids(table, others)
  else:
    values = _listed(path)
  labels = source_lib.classes_or_names(values, f'labels of {path}')
  return Labels(labels, ids, path, others)


def read_ids(path: str) -> np.ndarray:
  """Reads ids, text `[rows]`; as `read_labels`."""
  _check_extension('--ids', path, _ALL)
  table = _table(path)
  if table is not None:
    ids = _ids(table, columns.texts(table, table.names))
    return (
      columns.read_columns(table, {'id': TEXT})['id'] if ids is None else ids
    )
  return source_lib.text(_listed(path), f'ids of {path}')


def read_class_names(path: str) -> tuple[str, ...]:
  """Reads the names of the classes, in their order: `.txt` or `.json`.

  Raises:
    UsageError: another extension.
    DataError: absent, damaged, empty, or a name given twice.
  """
  _check_extension('--class_names', path, _LINES)
  values = source_lib.text(_listed(path), f'names of {path}')
  names = tuple(source_lib.normalised(values).tolist())
  if not names or len(set(names)) < len(names):
    raise errors.DataError(
      f'{path} must name every class, each once, got {len(names)} names, '
      f'{len(set(names))} of them different.'
    )
  return names


def _ids(
  table: columns.Table, texts: Mapping[str, np.ndarray]
) -> np.ndarray | None:
  """The column `id`, which must be sound, or one of another usual name."""
  if 'id' in table.names:
    return columns.read_columns(table, {'id': TEXT})['id']
  usual = identify.usual_name(texts)
  return None if usual is None else texts[usual]


def _check_extension(flag: str, path: str, choices: tuple[str, ...]) -> None:
  if raw_file.split_extension(path)[1] not in choices:
    way = advice.for_file(path)
    raise errors.UsageError(
      f'{flag} must be a file of one of the kinds {", ".join(choices)}, got '
      f'{path!r}{f": {way}" if way else ""}.'
    )


def _table(path: str, column: str = '') -> columns.Table | None:
  """Opens a file that is a table; None for one of listed values."""
  if raw_file.split_extension(path)[1] == '.npz':
    return _table_of_arrays(path)
  if raw_file.split_extension(path)[1] not in table_file.EXTENSIONS:
    return None
  return table_file.find_table(path, column=column)


def _table_of_arrays(path: str) -> columns.Table:
  found = {n: v.tolist() for n, v in arrays.load_npz(path).items()}
  table = json_table.make_json_table(path, found, 'id')
  if table is None:
    lengths = ', '.join(f'{len(v)} in {n}' for n, v in found.items())
    raise errors.DataError(
      f'{path} must hold arrays of the same length, got {lengths or "none"}.'
    )
  return table


def _listed(path: str) -> np.ndarray:
  extension = raw_file.split_extension(path)[1]
  if extension == '.npy':
    return arrays.load_npy(path)
  if extension in table_file.JSON:
    values = json_text.load(path)
    if not isinstance(values, list) or not all(
      value is None or isinstance(value, (bool, int, float, str))
      for value in values
    ):
      raise errors.DataError(
        f'{path} must hold a list of text or of whole numbers, got other JSON.'
      )
  else:
    with readable(path, 'text'), raw_file.open_text(path) as f:
      values = f.read().rstrip().splitlines()
  if not values:
    return np.array([], np.str_)
  listed = np.empty(len(values), object)
  listed[:] = values
  return listed
