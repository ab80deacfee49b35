"""JSON: a list of classes or of rows of scores, or a table.

Lists are in the order of the examples. JSON has no blocks: the whole file is
in memory while it is read.
"""

from typing import Any

import numpy as np

from overlap.core import errors
from overlap.ingest import json_table, json_text, tables
from overlap.ingest import source as source_lib
from overlap.ingest.source import Source

CIFAR10 = (
  'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse',
  'ship', 'truck',
)  # fmt: skip


def read_json(path: str) -> Source:
  """Reads a list of classes, of their names, or of rows of scores; or a table.

  Raises:
    DataError: it is absent, no JSON, or something else.
  """
  values = json_text.load(path)
  table = json_table.make_json_table(path, values, 'id', 'predicted')
  if table is not None:
    return tables.read_score_table(table)
  if not isinstance(values, list):
    raise errors.DataError(
      f'{path} must hold a list of classes or of rows of scores, or a table '
      '(records with predicted, or with lists in logits), got '
      f'{type(values).__name__}; --format says what else a file is.'
    )
  if values and isinstance(values[0], list):
    scores = _matrix(path, values)
    rows, classes = scores.shape
    return Source('', rows, classes, source_lib.sliced(scores))
  if not all(v is None or isinstance(v, (str, int, float)) for v in values):
    raise errors.DataError(
      f'{path} must hold a list of classes or of rows of scores, got other '
      'things in the list.'
    )
  return _classes(path, values)


def read_cifar10_1(path: str) -> Source:
  """Reads a file of CIFAR-10.1's model_predictions: a list of classes."""
  source = read_json(path)
  if source.kind != source_lib.CLASSES:
    raise errors.DataError(
      f'{path} must hold a list of classes, as the files of CIFAR-10.1 do, '
      'got rows of scores.'
    )
  return Source(
    source_lib.CLASSES,
    source.rows,
    predicted=source.predicted,
    class_names=CIFAR10,
  )


def _classes(path: str, values: list[Any]) -> Source:
  listed = np.empty(len(values), object)
  listed[:] = values
  predicted = source_lib.classes_or_names(listed, f'classes of {path}')
  return Source(source_lib.CLASSES, len(predicted), predicted=predicted)


def _matrix(path: str, values: list[Any]) -> np.ndarray:
  width = len(values[0])
  for row, scores in enumerate(values):
    if not isinstance(scores, list) or len(scores) != width:
      got = len(scores) if isinstance(scores, list) else type(scores).__name__
      raise errors.DataError(
        f'{path} must hold rows of the same length, {width}, got {got} in row '
        f'{row}.'
      )
    # 'nan' as text would become a number.
    if any(type(score) not in (int, float) for score in scores):
      raise errors.DataError(
        f'{path} must hold rows of numbers, got something else in row {row}.'
      )
  try:
    return np.array(values, np.float64).reshape(len(values), width)
  except OverflowError as e:
    raise errors.DataError(f'{path} must hold numbers, got: {e}.') from e
