"""What was written, told from what was changed since.

JSON files carry a checksum over all the rest of them; those of before there
were checksums have none, and are read as they are. Of other files, `done.json`
beside them holds the SHA-256, and may hold what they were made of.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etils import epath

from overlap import errors, files

_KEY = 'checksum'
_DONE = 'done.json'
_DIGITS = 64  # Of SHA-256, in hexadecimal.


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
  """Reads such a file; the checksum is left out.

  Args:
    path: of the file.
    again: what to do where it is damaged, the end of a sentence.

  Raises:
    DataError: it is absent, no JSON, or not as it was written.
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
  """Yields a line where such a file isn't as it was written, to the byte."""
  try:
    values = read(path, again)
  except errors.DataError as e:
    yield str(e)
    return
  held = files.read_json(path)
  text = files.json_text(held).encode('utf-8')
  if held != values and epath.Path(path).read_bytes() != text:
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
  write(folder / _DONE, {'files': noted(folder), 'made_of': made_of})


def marked(folder: epath.Path) -> dict[str, Any]:
  """What was given to `mark`; nothing where files were written since."""
  return _held(folder).get('made_of', {})


def forget(folder: epath.Path, names: Iterable[str]) -> None:
  """Drops the checksums of files, before they are written again."""
  held = noted(folder)
  kept = {name: held[name] for name in held.keys() - set(names)}
  if kept != held:
    _keep(folder, kept)


def changed(folder: epath.Path, again: str) -> Iterator[str]:
  """Yields a line for each file that isn't as it was when it was noted."""
  if not (folder / _DONE).exists():
    return
  yield from (found := list(faults(folder / _DONE, again)))
  for name, wanted in noted(folder).items() if not found else ():
    file = folder / name
    if not file.exists():
      yield f'{file}: absent; {again}'
    elif files.file_digest(file) != wanted:
      yield f'{file}: not as it was written; {again}'


def _held(folder: epath.Path) -> dict[str, Any]:
  try:
    return read(folder / _DONE, '')
  except errors.DataError:
    return {}


def _keep(folder: epath.Path, sums: Mapping[str, str]) -> None:
  write(folder / _DONE, {'files': {key: sums[key] for key in sorted(sums)}})


def _is_intact(values: dict[str, Any]) -> bool:
  try:
    if _KEY in values:
      return values[_KEY] == checksum(values)
    # The checksum's own name may be what was damaged.
    return not any(
      value == checksum({k: v for k, v in values.items() if k != key})
      for key, value in values.items()
      if isinstance(value, str) and len(value) == _DIGITS
    )
  except ValueError:  # A number was turned into one that is not finite.
    return False
