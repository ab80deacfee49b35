"""Decides whether the tables are up to date.

`tables/done.json` holds what they were made of (the request, the program's
own code, the records of the store) and the checksums of what was written.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from etils import epath

from overlap import errors, files, provenance, sealed, store, tables


def stamp(path: epath.Path, request: Mapping[str, Any]) -> dict[str, str]:
  """Identifies all that the tables of a request depend on.

  Args:
    path: the workdir.
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
  file = path / 'tables' / tables.DONE
  if not file.exists():
    return False
  try:
    done = sealed.read(file, tables.AGAIN)
  except errors.DataError:
    return False  # They are made again, and it with them.
  if done.get('stamp') != wanted:
    return False
  return done.get('tables') == checksums(path)


def stale(path: epath.Path) -> str:
  """A line where predictions were stored after the tables were made; or ''.

  '' too where that can't be told: tables without a stamp, tables alone, as
  they are when copied to somewhere else, and records that can't be read, whose
  fault is told by whoever needs them.

  Args:
    path: the workdir.
  """
  file = path / 'tables' / tables.DONE
  try:
    if not file.exists() or not store.Store(path).splits():
      return ''
    made_of = sealed.read(file, tables.AGAIN).get('stamp') or {}
    if made_of.get('store') in (None, _store_digest(path)):
      return ''
  except (errors.DataError, OSError):
    return ''
  return (
    f'predictions were stored in {path} after its tables were made, which do '
    'not show them: run `overlap analyse` first'
  )


def note(path: epath.Path, made_of: Mapping[str, str]) -> None:
  """Writes the stamp of the tables that are there."""
  sealed.write(
    path / 'tables' / tables.DONE,
    {'stamp': made_of, 'tables': checksums(path)},
  )


def checksums(path: epath.Path) -> dict[str, str]:
  """SHA-256 of the tables as they are, by their files' names."""
  return {
    file.name: files.file_digest(file)
    for file in sorted((path / 'tables').iterdir())
    if file.suffix in ('.csv', '.parquet')
  }


def _store_digest(path: epath.Path) -> str:
  return files.digest(list(_records(path)))


def _records(path: epath.Path) -> Iterator[Any]:
  """The names and checksums of all that the store holds."""
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
