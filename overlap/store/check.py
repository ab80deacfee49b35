"""Compares the whole store with its checksums."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from etils import epath

from overlap.core import errors, files, progress
from overlap.store import arrays, examples, folders, records, schema
from overlap.store.reader import Store, named_folders

_AGAIN = records.AGAIN


def check_store(workdir: epath.PathLike) -> Iterator[str]:
  """Re-reads everything under `predictions/`, a chunk at a time.

  Args:
    workdir: local folder or gs:// path.

  Yields:
    One line per fault: a wrong checksum, shape, dtype or hash; a missing or
    surplus file; a label or prediction outside the classes; a duplicate id; an
    edited record; or a folder without a record.
  """
  root = schema.root(workdir)
  yield from files.report_unreadable(root, _check_root(workdir, root))


def _check_root(workdir: epath.PathLike, root: epath.Path) -> Iterator[str]:
  yield from _strays(root)
  for dataset, folder in named_folders(root):
    yield from _misnamed(folder, files.encode_name(dataset))
    yield from _strays(folder)
    for split, inner in named_folders(folder):
      yield from _misnamed(inner, files.encode_name(split))
      yield from files.report_unreadable(
        inner, _check_split(workdir, dataset, split, inner)
      )


def _check_split(
  workdir: epath.PathLike, dataset: str, split: str, folder: epath.Path
) -> Iterator[str]:
  yield from _strays(folder)
  names = list(named_folders(folder))
  if not names:
    return  # An earlier run was killed before it wrote anything.
  yield from files.report_unreadable(
    folder, _check_examples(workdir, dataset, split)
  )
  for model, path in progress.track(
    names, total=len(names), what=f'check {dataset}/{split}', unit='model'
  ):
    if path.name == schema.EXAMPLES:
      continue
    if path.name == schema.model_component(model):
      yield from files.report_unreadable(
        path, _check_model(workdir, dataset, split, model)
      )
    else:
      yield from _misnamed(path, schema.model_component(model))


def _strays(folder: epath.Path) -> Iterator[str]:
  for path in folder.iterdir() if folder.is_dir() else ():
    if not path.name.startswith('.') and not path.is_dir():
      yield f'{path} must be a folder, and is a file: move it away.'


def _misnamed(folder: epath.Path, name: str) -> Iterator[str]:
  if folder.name != name:
    yield (
      f'{folder} must be called {name} to be seen: rename it, or delete it.'
    )


def _check_examples(
  workdir: epath.PathLike, dataset: str, split: str
) -> Iterator[str]:
  what = f'examples of {dataset}/{split}'
  folder = schema.examples_folder(workdir, dataset, split)
  try:
    record = examples.read_record(workdir, dataset, split)
  except errors.DataError as e:
    yield str(e)
    return
  yield from _check_folder(folder, record, what)
  yield from _check_ids(workdir, record, what)
  try:
    labels = examples.read_array(workdir, record, 'labels')
  except errors.DataError:
    return  # Reported by _check_folder.
  yield from _outside(f'labels of the {what}', labels, record['num_classes'])


def _check_ids(
  workdir: epath.PathLike, record: dict[str, Any], what: str
) -> Iterator[str]:
  try:
    encoded = examples.read_array(workdir, record, 'ids')
    ids = schema.decode_ids(encoded)
  except errors.DataError:
    return  # Reported by _check_folder.
  except UnicodeDecodeError:
    yield f'ids of the {what} must be UTF-8, and are not: {_AGAIN}.'
    return
  repeated = schema.repeated_ids(ids)
  if len(repeated):
    yield (
      f'ids of the {what} must be unique, got {str(repeated[0])!r} more than '
      f'once: {_AGAIN}.'
    )
  got = schema.encoded_ids_hash(encoded)
  if got != record['ids_hash']:
    yield (
      f'ids of the {what} must have ids_hash {record["ids_hash"]}, got {got}: '
      f'{_AGAIN}.'
    )


def _check_model(
  workdir: epath.PathLike, dataset: str, split: str, model: str
) -> Iterator[str]:
  folder = schema.model_folder(workdir, dataset, split, model)
  try:
    record = Store(workdir).record(dataset, split, model)
  except errors.DataError as e:
    yield str(e)
    return
  if record is None:
    yield (
      f'{folder} must hold a {schema.RECORD}, and does not, so that it is no '
      'record: delete it.'
    )
    return
  what = f'model {model!r} over {dataset}/{split}'
  yield from _check_folder(folder, record, what)
  if 'predicted' in record['arrays']:
    try:
      predicted = Store(workdir).read(dataset, split, model, 'predicted')
    except errors.DataError:
      return  # Reported by _check_folder.
    given = predicted[predicted != schema.NO_CLASS]
    yield from _outside(f'predicted of {what}', given, record['num_classes'])


def _check_folder(
  folder: epath.Path, record: dict[str, Any], what: str
) -> Iterator[str]:
  text = (folder / schema.RECORD).read_text()
  if text != records.text(record):
    yield (
      f'{folder / schema.RECORD} must be as it was written, and was edited: '
      f'{_AGAIN}.'
    )
  for path in folder.iterdir():
    known = {schema.RECORD, *record['arrays']}
    if path.name not in known and not path.name.startswith('.'):
      yield f'{path} must not be there: no record names it; delete it.'
  for name, entry in record['arrays'].items():
    yield from _check_array(folder / name, entry, f'{name} of {what}')


def _outside(what: str, classes: np.ndarray, count: int) -> Iterator[str]:
  outside = classes[(classes < 0) | (classes >= count)]
  if outside.size:
    yield (
      f'{what} must be in [0, {count}), the number of classes, got '
      f'{outside[0]} and {outside.size - 1} more: {_AGAIN}.'
    )


def _check_files(
  folder: epath.Path, layout: arrays.Layout, what: str
) -> Iterator[str]:
  if not folder.is_dir():
    return  # Reported by _check_array.
  expected = layout.chunk_files() | {'zarr.json'}
  got = {
    name
    for name in folders.file_names(folder)
    if not name.rpartition('/')[2].startswith('.')
  }
  # Shorter files and dangling links fail when they are read.
  longer = {
    name
    for name in got & layout.chunk_files()
    if (folder / name).exists()
    and (folder / name).stat().length > layout.chunk_bytes()
  }
  for rule, names in (
    ('have all its chunks, and lacks', expected - got),
    ('have no other files, and has', got - expected),
    (f'have chunks of {layout.chunk_bytes()} bytes, and has longer', longer),
  ):
    if names:
      yield (
        f'{what} must {rule} {len(names)}, among them {min(names)}: {_AGAIN}.'
      )


def _check_array(
  folder: epath.Path, entry: dict[str, Any], what: str
) -> Iterator[str]:
  layout = arrays.Layout.from_entry(entry)
  yield from _check_files(folder, layout, what)
  try:
    with arrays.reported(f'{what} must be readable', _AGAIN):
      got = arrays.describe(folder, layout)
  except errors.DataError as e:
    yield str(e)
    return
  differing = [key for key, value in got.items() if entry.get(key) != value]
  if differing == ['crc32c']:
    yield f'{what} must have chunks with the crc32c of its record: {_AGAIN}.'
  for key in differing:
    if key != 'crc32c':  # It is long, and `sha256` tells the same.
      yield f'{what} must have {key} {entry[key]}, got {got[key]}: {_AGAIN}.'
