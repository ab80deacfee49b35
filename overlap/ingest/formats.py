"""The formats by name, which of them a file has, and which files are meant."""

import dataclasses
import glob
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from overlap.core import errors, lookup
from overlap.ingest import (
  advice,
  arrays,
  imagenet_x,
  json_file,
  model_vs_human,
  raw_file,
  table_file,
  tables,
  timm,
  topk,
)
from overlap.ingest.source import Source


class Format(NamedTuple):
  """Reader, extensions and name suffix of a format.

  Attributes:
    read: from the path to the predictions.
    extensions: that its files have.
    suffix: that their names have before it and models' names don't.
    has_trials: whether a file may hold several models and conditions.
  """

  read: Callable[[str], Source]
  extensions: tuple[str, ...]
  suffix: str = ''
  has_trials: bool = False


# The first six are told from the extension.
FORMATS: Mapping[str, Format] = {
  'npy': Format(arrays.read_npy, ('.npy',)),
  'npz': Format(arrays.read_npz, ('.npz',)),
  'safetensors': Format(arrays.read_safetensors, ('.safetensors',)),
  'csv': Format(tables.read_csv, table_file.CSV),
  'parquet': Format(tables.read_parquet, table_file.PARQUET),
  'json': Format(json_file.read_json, table_file.JSON),
  'timm': Format(timm.read_timm, table_file.EXTENSIONS),
  'model-vs-human': Format(
    model_vs_human.read_trials, table_file.CSV, has_trials=True
  ),
  'imagenet-x': Format(imagenet_x.read_imagenet_x, table_file.CSV),
  'cifar10.1': Format(
    json_file.read_cifar10_1, ('.json',), suffix='_predictions'
  ),
}
_BY_EXTENSION = {
  extension: name
  for name in ('npy', 'npz', 'safetensors', 'csv', 'parquet', 'json')
  for extension in FORMATS[name].extensions
}


def choose(path: str, name: str = '') -> str:
  """Returns the format of a file: `name`, or what its extension says.

  Raises:
    UsageError: no such format; an unknown extension.
  """
  if name:
    return lookup.check_choice('format (--format)', name, FORMATS)
  extension = raw_file.split_extension(path)[1]
  way = advice.for_file(path)
  if way and extension not in _BY_EXTENSION:
    raise errors.UsageError(
      f'--predictions must be files of one of the kinds '
      f'{", ".join(_BY_EXTENSION)}, got {path!r}: {way}.'
    )
  if extension not in _BY_EXTENSION:
    raise errors.UsageError(
      f'--format must say what {path} is, for its extension {extension!r} is '
      f'none of {", ".join(_BY_EXTENSION)}. Choices: {", ".join(FORMATS)}.'
    )
  return _BY_EXTENSION[extension]


def read_predictions(path: str, name: str = '') -> Source:
  """Reads predictions: as `name` says, else by the extension and the columns.

  Raises:
    UsageError: as `choose`.
    DataError: the file is at fault.
  """
  form = choose(path, name)
  if not name and raw_file.split_extension(path)[1] in table_file.EXTENSIONS:
    table = table_file.find_table(path, tables.FILE)
    if table is not None and timm.recognises(table.names):
      note = (
        "read as timm's results (--format=timm), for its columns are "
        f'{", ".join(table.names[:3])}{", ..." * (len(table.names) > 3)}'
      )
      source = timm.read_table(table)
      return dataclasses.replace(source, notes=(note, *source.notes))
  source = FORMATS[form].read(path)
  if not name:
    _check_order(source, path, form)
  return source


def _check_order(source: Source, path: str, form: str) -> None:
  """Raises DataError where scores are sorted by value, not by class."""
  if source.blocks is None:
    return
  if topk.are_sorted(block for _, block in source.blocks()):
    raise errors.DataError(
      f'{path} must have scores in the order of the classes, got rows that are '
      'sorted by value, as torch.topk gives them: --format=timm uses the '
      "columns index that timm's --include-index writes; or "
      f'--format={form} where the first class does have the highest score in '
      'every row.'
    )


def files(path: str, name: str = '') -> list[str]:
  """Returns the files that --predictions means.

  Args:
    path: a file; a folder: all files of the format in it, or of any known
      extension; or a pattern with `*`, `?` or `[`.
    name: name of the format; '' for any.

  Returns:
    At least one path, sorted.

  Raises:
    UsageError: nothing was given; no such format.
    DataError: there is no such file.
  """
  if not path:
    raise errors.UsageError(
      '--predictions must name a file, a folder or a pattern, got nothing.'
    )
  if name:
    lookup.check_choice('format (--format)', name, FORMATS)
  if os.path.isfile(path):
    return [path]
  known = FORMATS[name].extensions if name else tuple(_BY_EXTENSION)
  if os.path.isdir(path):
    found = [
      os.path.join(path, entry)
      for entry in os.listdir(path)
      if raw_file.split_extension(entry)[1] in known
      and not entry.startswith('.')
    ]
  else:
    found = glob.glob(path)
  found = sorted(file for file in found if os.path.isfile(file))
  if not found:
    within, way = '', ''
    if os.path.isdir(path):
      within = f' with files of {", ".join(known)}'
      ways = filter(None, map(advice.for_file, sorted(os.listdir(path))))
      way = next((f' Of what is there: {way}.' for way in ways), '')
    raise errors.DataError(
      f'--predictions must name a file, a folder{within} or a pattern that '
      f'some file matches, got {path!r}, where there is none.{way}'
    )
  return found


def model_names(paths: Sequence[str], name: str) -> list[str]:
  """Models' names after their files: the stem without the format's suffix.

  Where several files have one stem (`runs/a/test.npy`, `runs/b/test.npy`),
  the names of their folders.
  """
  names = []
  for path in paths:
    stem = raw_file.split_extension(os.path.basename(path))[0]
    suffix = FORMATS[choose(path, name)].suffix
    names.append(stem.removesuffix(suffix) or stem)
  if len(set(names)) < len(names):
    return [os.path.basename(os.path.dirname(path)) for path in paths]
  return names
