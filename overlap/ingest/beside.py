"""The files beside the predictions: labels, ids, names of the classes."""

import os
from typing import NamedTuple

import numpy as np

from overlap import errors
from overlap.ingest import arrays, columns, json_file
from overlap.ingest import source as source_lib
from overlap.ingest.columns import CLASS, TEXT
from overlap.ingest.faults import readable

_LINES = ('.txt', '.json')
_TABLES = ('.csv', '.parquet', '.pq')


class Labels(NamedTuple):
  """Labels `[rows]`, integers or names, and the ids they are of, or None."""

  labels: np.ndarray
  ids: np.ndarray | None


def read_labels(path: str) -> Labels:
  """Reads labels.

  Args:
    path: `.npy`, or `.json` or `.txt` (a line each), in the order of the
      predictions; or `.csv` or `.parquet` with `label` and perhaps `id`.

  Raises:
    UsageError: another extension.
    DataError: absent, damaged, or no labels.
  """
  extension = _extension('--labels', path, ('.npy', *_LINES, *_TABLES))
  if extension in _TABLES:
    table = _table(path, extension)
    columns.require(table, ['label'])
    ids = {'id': TEXT} if 'id' in table.names else {}
    found = columns.read(table, {'label': CLASS} | ids)
  else:
    found = {'label': _listed(path, extension)}
  labels = source_lib.classes_or_names(found['label'], f'labels of {path}')
  return Labels(labels, found.get('id'))


def read_ids(path: str) -> np.ndarray:
  """Reads ids, text `[rows]`; as `read_labels`, with a column `id`."""
  extension = _extension('--ids', path, ('.npy', *_LINES, *_TABLES))
  if extension in _TABLES:
    return columns.read(_table(path, extension), {'id': TEXT})['id']
  return source_lib.text(_listed(path, extension), f'ids of {path}')


def read_class_names(path: str) -> tuple[str, ...]:
  """Reads the names of the classes, in their order: `.txt` or `.json`.

  Raises:
    UsageError: another extension.
    DataError: absent, damaged, empty, or a name given twice.
  """
  extension = _extension('--class_names', path, _LINES)
  values = source_lib.text(_listed(path, extension), f'names of {path}')
  names = tuple(source_lib.normalised(values).tolist())
  if not names or len(set(names)) < len(names):
    raise errors.DataError(
      f'{path} must name every class, each once, got {len(names)} names, '
      f'{len(set(names))} of them different.'
    )
  return names


def _extension(flag: str, path: str, choices: tuple[str, ...]) -> str:
  extension = os.path.splitext(path)[1].lower()
  if extension not in choices:
    raise errors.UsageError(
      f'{flag} must be a file of one of the kinds {", ".join(choices)}, got '
      f'{path!r}.'
    )
  return extension


def _table(path: str, extension: str) -> columns.Table:
  if extension == '.csv':
    return columns.open_csv(path)
  return columns.open_parquet(path)


def _listed(path: str, extension: str) -> np.ndarray:
  if extension == '.npy':
    return arrays.load_npy(path)
  if extension == '.json':
    values = json_file.load(path)
    if not isinstance(values, list) or not all(
      value is None or isinstance(value, (bool, int, float, str))
      for value in values
    ):
      raise errors.DataError(
        f'{path} must hold a list of text or of whole numbers, got other JSON.'
      )
  else:
    with readable(path, 'text'), open(path, encoding='utf-8-sig') as f:
      values = f.read().rstrip().splitlines()
  if not values:
    return np.array([], np.str_)
  listed = np.empty(len(values), object)
  listed[:] = values
  return listed
