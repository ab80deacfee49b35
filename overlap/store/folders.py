"""Atomic creation and replacement of folders.

A record is written to a hidden folder `.<name>.<token>.partial` beside its
final path. On a file system it is then renamed, which is atomic. Cloud Storage
can't rename folders: there the files are copied to the final path, record.json
last, since its presence makes a folder a record.
"""

import os
import shutil

from etils import epath

from overlap.core import errors, files
from overlap.store import arrays, records, schema

# Files that mark a folder as complete: a record's and that of the tables.
_LAST = (schema.RECORD, 'done.json')


def sweep(final: epath.Path, *, keep: epath.Path) -> None:
  """Removes partial folders of `final` left by killed runs, except `keep`."""
  if not final.parent.is_dir():
    return
  for path in list(final.parent.iterdir()):
    if files.is_aside(path, final.name) and path.name != keep.name:
      remove(path)


def remove(folder: epath.Path) -> None:
  """Removes a folder with its contents; it may be absent."""
  if arrays.is_local(folder):
    shutil.rmtree(folder, ignore_errors=True)
  elif folder.exists():
    folder.rmtree()


def refuse(final: epath.Path) -> None:
  """Raises DataError if there is a complete record."""
  if records.complete(final):
    raise errors.DataError(
      f'{final} must not hold a record yet, and does: delete it, or ask for '
      'it to be replaced.'
    )


def publish(folder: epath.Path, final: epath.Path, *, replace: bool) -> None:
  """Moves a finished folder to its final path.

  An existing complete record is kept unless `replace`. Otherwise it is swapped
  for the new one atomically or, where the file system can't, moved aside first,
  so that the path is absent between two renames. A folder without a
  record.json counts as absent.

  Raises:
    DataError: there is a complete record, and `replace` is false.
  """
  if not replace:
    refuse(final)
  if arrays.is_local(folder):
    _sync(folder)
    _rename(folder, final, replace=replace)
  else:
    _copy(folder, final)


def _rename(folder: epath.Path, final: epath.Path, *, replace: bool) -> None:
  try:
    os.rename(folder, final)
  except OSError:
    if not final.exists():
      raise
    if not replace:
      refuse(final)
    old = folder if files.exchange(folder, final) else _displace(folder, final)
    _sync_one(final.parent)
    remove(old)
    return
  _sync_one(final.parent)


def _displace(folder: epath.Path, final: epath.Path) -> epath.Path:
  """Replaces `final` by two renames; returns the path of the old folder."""
  old = files.aside(final)
  os.rename(final, old)
  try:
    os.rename(folder, final)
  except OSError:
    os.rename(old, final)
    raise
  return old


def _copy(folder: epath.Path, final: epath.Path) -> None:
  for name in _LAST:
    (final / name).unlink(missing_ok=True)
  remove(final)
  names = sorted(file_names(folder), key=lambda name: name in _LAST)
  for name in names:
    target = final / name
    target.parent.mkdir(parents=True, exist_ok=True)
    (folder / name).copy(target)
  remove(folder)


def file_names(folder: epath.Path) -> list[str]:
  """Returns the files below a folder, relative to it, sorted, with '/'."""
  names = []
  for path in folder.iterdir():
    if path.is_dir():
      names += [f'{path.name}/{name}' for name in file_names(path)]
    else:
      names.append(path.name)
  return sorted(names)


def _sync(folder: epath.Path) -> None:
  for parent, _, names in os.walk(folder):
    for name in names:
      _sync_one(os.path.join(parent, name))
    _sync_one(parent)


def _sync_one(path: epath.PathLike) -> None:
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)
