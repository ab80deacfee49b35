"""Detects edits and corruption of result files by SHA-256 checksums.

A JSON file contains a checksum of the rest of its content. For other files
`done.json` beside them has the SHA-256, and may have a fingerprint of their
inputs.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etils import epath

from overlap.core import errors, files

DONE = 'done.json'
_KEY = 'checksum'


def checksum(values: Mapping[str, Any]) -> str:
  """SHA-256 of the canonical JSON of all fields but `checksum`.

  Raises:
    ValueError: a number is not finite.
  """
  rest = {key: value for key, value in values.items() if key != _KEY}
  return files.json_digest(rest)


def write_json(path: epath.PathLike, values: Mapping[str, Any]) -> None:
  """Writes a JSON file with its checksum atomically."""
  # As JSON stores them: tuples become lists.
  plain = json.loads(json.dumps(dict(values), allow_nan=False))
  files.write_json(path, plain | {_KEY: checksum(plain)})


def read_json(path: epath.PathLike, again: str) -> dict[str, Any]:
  """Reads a JSON file written by `write`, without the checksum.

  Args:
    path: path of the file.
    again: advice for a damaged file, as the end of a sentence.

  Raises:
    DataError: the file is missing, unreadable or not JSON, has no checksum, or
      does not match it.
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
  """Yields a line if a file of `write` was changed in any byte."""
  try:
    read_json(path, again)
    held = files.read_json(path)
    content = epath.Path(path).read_bytes()
  except (errors.DataError, OSError) as e:
    yield str(e)
    return
  if content != files.json_text(held).encode('utf-8'):
    yield f'{path} must be as it was written, and was edited: {again}.'


def note(folder: epath.Path, written: Iterable[epath.Path]) -> None:
  """Records the checksums of files that were just written to a folder."""
  sums = {file.name: files.file_digest(file) for file in written}
  _keep(folder, noted(folder) | sums)


def noted(folder: epath.Path) -> dict[str, str]:
  """Returns the recorded checksums by name; {} if damaged or missing."""
  return _held(folder).get('files', {})


def mark(folder: epath.Path, made_of: Mapping[str, Any]) -> None:
  """Records the inputs of a folder's files, until they are written again."""
  write_json(folder / DONE, {'files': noted(folder), 'made_of': made_of})


def marked(folder: epath.Path) -> dict[str, Any]:
  """Returns the inputs recorded by `mark`; {} if files were written since."""
  return _held(folder).get('made_of', {})


def forget(folder: epath.Path, names: Iterable[str]) -> None:
  """Deletes the checksums of files, before they are written again."""
  held = noted(folder)
  kept = {name: held[name] for name in held.keys() - set(names)}
  if kept != held:
    _keep(folder, kept)


def changed(folder: epath.Path, again: str) -> Iterator[str]:
  """Yields a line for each file that differs from its recorded checksum.

  Args:
    folder: folder with `done.json`; without it nothing is checked.
    again: advice for making the files again, as the end of a sentence.
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
    return read_json(folder / DONE, '')
  except errors.DataError:
    return {}


def _keep(folder: epath.Path, sums: Mapping[str, str]) -> None:
  write_json(folder / DONE, {'files': {key: sums[key] for key in sorted(sums)}})


def _is_intact(values: dict[str, Any]) -> bool:
  try:
    return values.get(_KEY) == checksum(values)
  except ValueError:  # A number was edited to one that is not finite.
    return False
