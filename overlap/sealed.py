"""Detects edits and corruption of result files by SHA-256 checksums.

A JSON file carries a checksum of all the rest of it. For other files
`done.json` beside them holds the SHA-256, and may hold what they were made of.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etils import epath

from overlap import errors, files

DONE = 'done.json'
_KEY = 'checksum'


def checksum(values: Mapping[str, Any]) -> str:
  """SHA-256 of the canonical JSON of all but `checksum`.

  Raises:
    ValueError: a number is not finite.
  """
  rest = {key: value for key, value in values.items() if key != _KEY}
  return files.json_digest(rest)


def write(path: epath.PathLike, values: Mapping[str, Any]) -> None:
  """Writes a JSON file with its checksum, whole or not at all."""
  # As JSON keeps it: tuples are lists by then.
  plain = json.loads(json.dumps(dict(values), allow_nan=False))
  files.write_json(path, plain | {_KEY: checksum(plain)})


def read(path: epath.PathLike, again: str) -> dict[str, Any]:
  """Reads a JSON file that `write` has written; leaves out the checksum.

  Args:
    path: the file.
    again: what to do where it is damaged, the end of a sentence.

  Raises:
    DataError: the file is absent, unreadable or no JSON, lacks its checksum,
      or does not match it.
  """
  try:
    values = files.read_json(path)
  except errors.DataError as e:
    raise errors.DataError(f'{str(e).rstrip(".")}: {again}.') from e
  if not isinstance(values, dict) or not _is_intact(values):
    raise errors.DataError(
      f'{path} must match its own checksum, and does not; it was edited or '
      f'damaged: {again}.'
    )
  return {key: value for key, value in values.items() if key != _KEY}


def faults(path: epath.PathLike, again: str) -> Iterator[str]:
  """Yields a line where such a file is not as it was written, to the byte."""
  try:
    read(path, again)
    held = files.read_json(path)
    content = epath.Path(path).read_bytes()
  except (errors.DataError, OSError) as e:
    yield str(e)
    return
  if content != files.json_text(held).encode('utf-8'):
    yield f'{path} must be as it was written, and was edited: {again}.'


def note(folder: epath.Path, written: Iterable[epath.Path]) -> None:
  """Notes the checksums of files that were just written into a folder."""
  sums = {file.name: files.file_digest(file) for file in written}
  _keep(folder, noted(folder) | sums)


def noted(folder: epath.Path) -> dict[str, str]:
  """Checksums by name; none where the note is damaged or absent."""
  return _held(folder).get('files', {})


def mark(folder: epath.Path, made_of: Mapping[str, Any]) -> None:
  """Notes what a folder's files were made of, until they are written again."""
  write(folder / DONE, {'files': noted(folder), 'made_of': made_of})


def marked(folder: epath.Path) -> dict[str, Any]:
  """Returns the argument of `mark`; None where files were written since."""
  return _held(folder).get('made_of', {})


def forget(folder: epath.Path, names: Iterable[str]) -> None:
  """Drops the checksums of files, before they are written again."""
  held = noted(folder)
  kept = {name: held[name] for name in held.keys() - set(names)}
  if kept != held:
    _keep(folder, kept)


def changed(folder: epath.Path, again: str) -> Iterator[str]:
  """Yields a line for each file of a folder that is not as it was noted.

  Args:
    folder: with `done.json`; nothing is known of one without it.
    again: what makes the files again, the end of a sentence.
  """
  done = folder / DONE
  if not done.exists():
    return
  found = list(faults(done, again))
  yield from found
  for name, digest in noted(folder).items() if not found else ():
    if fault := _file_fault(folder / name, digest):
      yield f'{folder / name}: {fault}; {again}'


def _file_fault(file: epath.Path, digest: str) -> str:
  """Returns the fault of a file of known SHA-256; '' for none."""
  if not file.exists():
    return 'absent'
  try:
    got = files.file_digest(file)
  except OSError as e:
    return f'can not be read ({e.strerror or e})'
  return '' if got == digest else 'not as it was written'


def _held(folder: epath.Path) -> dict[str, Any]:
  try:
    return read(folder / DONE, '')
  except errors.DataError:
    return {}


def _keep(folder: epath.Path, sums: Mapping[str, str]) -> None:
  write(folder / DONE, {'files': {key: sums[key] for key in sorted(sums)}})


def _is_intact(values: dict[str, Any]) -> bool:
  try:
    return values.get(_KEY) == checksum(values)
  except ValueError:  # A number was turned into one that is not finite.
    return False
