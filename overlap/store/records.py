"""Reads and writes record.json, the file that makes a folder a record.

It has a checksum over the rest of its content, which detects edits.
"""

import json
from typing import Any

from etils import epath

from overlap.core import checksums, errors, files
from overlap.store import schema

AGAIN = 'delete the folder and predict or ingest it again'


def seal(record: dict[str, Any]) -> dict[str, Any]:
  """Returns the record as JSON stores it, with its version and checksum.

  Raises:
    TypeError, ValueError: a field can't be written as JSON; a number is not
      finite.
  """
  plain = json.loads(files.canonical_json(record))
  plain |= {'format_version': schema.FORMAT_VERSION}
  return plain | {'checksum': checksums.checksum(plain)}


def text(record: dict[str, Any]) -> str:
  """Returns the exact text of record.json for a sealed record."""
  return json.dumps(record, indent=2, allow_nan=False) + '\n'


def complete(folder: epath.Path) -> bool:
  """Returns whether the folder is a record: record.json is written last."""
  return (folder / schema.RECORD).is_file()


def raw(folder: epath.Path) -> bytes | None:
  """Returns the bytes of record.json, or None if it can't be read."""
  try:
    return (folder / schema.RECORD).read_bytes()
  except OSError:
    return None


def read_record(folder: epath.Path) -> dict[str, Any]:
  """Reads and verifies the record.json of a folder.

  Raises:
    DataError: the file is missing, not JSON, of another version, or edited.
  """
  path = folder / schema.RECORD
  try:
    record = files.read_json(path)
  except errors.DataError as e:
    raise errors.DataError(f'{str(e).rstrip(".")}: {_again(folder)}.') from e
  version = record.get('format_version') if isinstance(record, dict) else None
  if type(version) is not int or version != schema.FORMAT_VERSION:
    raise errors.DataError(
      f'{path} must have format_version {schema.FORMAT_VERSION}, got '
      f'{version!r}: use the version of overlap that wrote it, or '
      f'{_again(folder)}.'
    )
  if not _intact(record):
    raise errors.DataError(
      f'{path} must match its own checksum, and does not; it was edited or '
      f'damaged: {_again(folder)}.'
    )
  return record


def _again(folder: epath.Path) -> str:
  """Returns `AGAIN` with the name of the model whose folder it is."""
  if folder.name == schema.EXAMPLES:
    return AGAIN
  model = files.decode_name(folder.name)
  return f'delete the folder and predict or ingest model {model!r} again'


def _intact(record: dict[str, Any]) -> bool:
  try:
    return record.get('checksum') == checksums.checksum(record)
  except ValueError:  # A number was edited to one that is not finite.
    return False
