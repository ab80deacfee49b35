"""Parquet files of images and labels, as the Hugging Face hub has them.

Columns are `image` (or `img`), a struct of `bytes` and `path` or bytes alone,
and `label`, a whole number or a name; the names of the numbers are read from
the file's schema. The files of a split are called 'SPLIT-00000-of-00002' and
the like, or lie in a folder SPLIT. Rows are read a row group at a time: in
order that is fast, and at random as slow as groups are large.
"""

import functools
import glob
import json
import os
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from overlap.catalog import class_lists
from overlap.core import errors, lookup
from overlap.data import source
from overlap.data.encoded import ListedImages
from overlap.data.examples import Examples

_IMAGE = ('image', 'img')
_LABEL = ('label', 'labels', 'fine_label')
_GROUPS = 4  # Row groups that stay in memory.


class ParquetImages(ListedImages):
  """A split in Parquet files; images are read when they are asked for.

  Ids are 'SPLIT/PATH' where the files have a path for every image, each
  another, and else 'SPLIT/ROW'.
  """

  def __init__(
    self,
    *,
    dataset: str,
    root: str,
    split: str,
    image_size: int = 0,
    channels: int = 0,
  ):
    """Reads labels and paths.

    Args:
      dataset: name in the store.
      root: folder of the files.
      split: see above.
      image_size: S, 0 for the images' own size.
      channels: 0 for what a sample of the images has.

    Raises:
      DataError: a file can't be read, or lacks a column or a label.
      UsageError: no such split.
    """
    self._paths = find_files(root, split)
    schema = _read(self._paths[0], lambda file: file.schema_arrow)
    self._image = _column(self._paths[0], schema.names, _IMAGE)
    label = _column(self._paths[0], schema.names, _LABEL)
    classes: list[str] = []
    paths: list[str | None] = []
    groups: list[tuple[int, int, int]] = []
    for number, path in enumerate(self._paths):
      classes += _labels(path, label)
      paths += _image_paths(path, self._image)
      rows = _read(path, _group_rows)
      groups += [(number, group, count) for group, count in enumerate(rows)]
    # The place of each row: file, row group, row in the group.
    self._places = np.array(
      [(n, g, row) for n, g, count in groups for row in range(count)], np.int64
    )
    self._bytes = functools.lru_cache(maxsize=_GROUPS)(self._group_bytes)
    labels, names, self.class_order = class_lists.number(
      classes, _label_names(schema, label), dataset
    )
    ids = paths if None not in paths and len(set(paths)) == len(paths) else []
    super().__init__(
      dataset=dataset, split=split,
      ids=[f'{split}/{name}' for name in ids]
      or [f'{split}/{row:08d}' for row in range(len(classes))],
      labels=labels, class_names=names, image_size=image_size,
      channels=channels,
    )  # fmt: skip

  def content(self, index: int) -> bytes:
    number, group, row = self._places[index].tolist()
    content = self._bytes(number, group)[row].as_py()
    if content is None:
      raise errors.DataError(
        f'{self._paths[number]} must hold the images themselves, got none for '
        f'{self.name(index)}.'
      )
    return content

  def _group_bytes(self, number: int, group: int) -> pa.ChunkedArray:
    """Encoded images of a row group."""
    column = _read(
      self._paths[number],
      lambda file: file.read_row_group(group, columns=[self._image])[0],
    )
    return _field(self._paths[number], column, 'bytes')


def find_files(root: str, split: str) -> list[str]:
  """Returns the Parquet files of a split, sorted.

  Raises:
    DataError: there is no Parquet file at all.
    UsageError: there is none of this split, or there are several sets.
  """
  pattern = os.path.join(glob.escape(root), '**', '*.parquet')
  paths = sorted(glob.glob(pattern, recursive=True))
  if not paths:
    raise errors.DataError(f'{root} must hold Parquet files, and holds none.')
  file = re.compile(re.escape(split) + r'([-._].*)?\.parquet')
  names = [os.path.relpath(path, root) for path in paths]
  found = [
    name
    for name in names
    if file.fullmatch(os.path.basename(name))
    or split in os.path.dirname(name).split(os.sep)
  ]
  if not found:
    raise errors.UsageError(
      f'No Parquet file of {root} has the split {split!r} in its name, got '
      f'{lookup.few(names)}.'
    )
  folders = sorted({os.path.dirname(name) for name in found})
  if len(folders) > 1:
    raise errors.UsageError(
      f'The split {split!r} must be in one folder below {root}, got '
      f'{lookup.few(folders)}; name one, as in parquet:NAME/{folders[0]}.'
    )
  return [os.path.join(root, name) for name in found]


def _read(path: str, read: Any) -> Any:
  """Reads something of a file.

  Raises:
    DataError: it can't be read.
  """
  try:
    with pq.ParquetFile(path) as file:
      return read(file)
  # Arrow's faults are of these classes, and some of its own.
  except (OSError, ValueError, KeyError, pa.ArrowException) as e:
    raise errors.DataError(
      f'{path} must be a readable Parquet file, got: {e}.'
    ) from e


def _group_rows(file: pq.ParquetFile) -> list[int]:
  return [
    file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)
  ]


def _column(path: str, names: list[str], known: tuple[str, ...]) -> str:
  for name in known:
    if name in names:
      return name
  raise errors.DataError(
    f'{path} must have a column {" or ".join(known)}, got {lookup.few(names)}.'
  )


def _labels(path: str, column: str) -> list[str]:
  """Labels as text; raises DataError where one is missing."""
  labels = _read(path, lambda file: file.read(columns=[column]))[0]
  if labels.null_count:
    row = labels.is_null().index(True).as_py()
    raise errors.DataError(
      f'{path} must have a {column} in every row, got none in row {row}.'
    )
  kind = labels.type
  if not (pa.types.is_integer(kind) or pa.types.is_string(kind)
          or pa.types.is_large_string(kind)):  # fmt: skip
    raise errors.DataError(
      f'{path} must have whole numbers or names in its column {column}, got '
      f'{kind}.'
    )
  return [str(label) for label in labels.to_pylist()]


def _image_paths(path: str, column: str) -> list[str | None]:
  """The path of each image; None where there is none."""
  schema = _read(path, lambda file: file.schema_arrow)
  kind = schema.field(column).type
  if not pa.types.is_struct(kind) or kind.get_field_index('path') < 0:
    return [None]
  found = _read(path, lambda file: file.read(columns=[f'{column}.path']))[0]
  return [name or None for name in _field(path, found, 'path').to_pylist()]


def _field(path: str, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
  """A field of a column of structs; the column where it has bytes alone."""
  kind = column.type
  if pa.types.is_struct(kind) and kind.get_field_index(name) >= 0:
    return pc.struct_field(column, name)
  if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
    return column
  raise errors.DataError(
    f'{path} must have images as bytes, or structs of bytes, got {kind}.'
  )


def _label_names(schema: pa.Schema, column: str) -> tuple[str, ...]:
  """Names of the classes as the library `datasets` writes them; () for none."""
  text = (schema.metadata or {}).get(b'huggingface', b'{}')
  try:
    names = json.loads(text)['info']['features'][column]['names']
  except (ValueError, KeyError, TypeError):
    return ()
  if isinstance(names, list) and all(isinstance(name, str) for name in names):
    return tuple(names)
  return ()


def _obtain(*, dataset: str, data_dir: str) -> None:
  root = source.folder(dataset, data_dir)
  pattern = os.path.join(glob.escape(root), '**', '*.parquet')
  if next(glob.iglob(pattern, recursive=True), None) is None:
    raise errors.DataError(f'{root} must hold Parquet files, and holds none.')


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  """'parquet' or 'parquet:NAME': data_dir, or data_dir/NAME."""
  return ParquetImages(
    dataset=dataset, root=source.folder(dataset, data_dir), split=split,
    image_size=image_size, channels=channels,
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)
