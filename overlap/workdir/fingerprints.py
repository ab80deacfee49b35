"""Decides whether the tables are up to date.

`tables/done.json` has a fingerprint of their inputs (the request, the source
code, the records of the store) and the checksums of the written files.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from etils import epath

from overlap import store
from overlap.core import checksums as core_checksums
from overlap.core import errors, files, provenance
from overlap.tables import table_io

# Of `provenance.device`, what results may be rounded by.
DEVICES = ('platform', 'kind', 'count', 'processes')


def stamp(path: epath.Path, request: Mapping[str, Any]) -> dict[str, str]:
  """Returns hashes of everything that the tables of a request depend on.

  Args:
    path: path of the workdir.
    request: contents of `tables/analysis.json`.
  """
  return {
    'request': files.digest(request),
    'program': provenance.code_digest(),
    'versions': files.digest(provenance.versions()),
    'store': _store_digest(path),
  }


def is_done(path: epath.Path, wanted: Mapping[str, str]) -> bool:
  """Returns whether the tables have this stamp and are unchanged."""
  file = path / 'tables' / table_io.DONE
  if not file.exists():
    return False
  try:
    done = core_checksums.read_json(file, table_io.AGAIN)
  except errors.DataError:
    return False  # The tables and this file are made anew.
  if done.get('stamp') != wanted:
    return False
  return done.get('tables') == checksums(path)


def stale(path: epath.Path) -> str:
  """Returns a line if predictions are newer than the tables, else ''.

  Also returns '' if that is unknown: for tables without a stamp, tables alone
  (as after copying them elsewhere), and unreadable records, which are reported
  where they are needed.

  Args:
    path: path of the workdir.
  """
  file = path / 'tables' / table_io.DONE
  try:
    if not file.exists() or not store.Store(path).splits():
      return ''
    made_of = core_checksums.read_json(file, table_io.AGAIN).get('stamp') or {}
    if made_of.get('store') in (None, _store_digest(path)):
      return ''
  except (errors.DataError, OSError):
    return ''
  return (
    f'predictions were stored in {path} after its tables were made, which do '
    'not show them: run `overlap analyse` first'
  )


def note(path: epath.Path, made_of: Mapping[str, str]) -> None:
  """Writes the stamp of the tables that are there, and the devices."""
  device = provenance.device()
  core_checksums.write_json(
    path / 'tables' / table_io.DONE,
    {
      'stamp': made_of,
      'tables': checksums(path),
      # Sums over them are rounded in their order.
      'devices': {name: device[name] for name in DEVICES},
    },
  )


def devices(path: epath.Path) -> dict[str, Any]:
  """Returns what the tables were computed on; nothing where it is unknown."""
  try:
    return dict(
      core_checksums.read_json(path / 'tables' / table_io.DONE, '')['devices']
    )
  except (errors.DataError, LookupError, TypeError, ValueError):
    return {}


def checksums(path: epath.Path) -> dict[str, str]:
  """Returns the SHA-256 of the present tables by file name."""
  return {
    file.name: files.file_digest(file)
    for file in sorted((path / 'tables').iterdir())
    if file.suffix in ('.csv', '.parquet')
  }


def _store_digest(path: epath.Path) -> str:
  return files.digest(list(_records(path)))


def _records(path: epath.Path) -> Iterator[Any]:
  """Yields the names and checksums of everything in the store."""
  reader = store.Store(path)
  for dataset, split in reader.splits():
    examples = reader.examples(dataset, split)
    yield [dataset, split, examples.ids_hash, list(examples.class_names)]
    yield files.array_digest(examples.labels)
    if examples.targets is not None:
      yield files.array_digest(examples.targets)
    for model in reader.models(dataset, split):
      record = reader.record(dataset, split, model)
      yield [model, record and files.digest(record)]
