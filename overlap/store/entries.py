"""Checks the array entries of a record.json before any array is opened.

A record that was edited and resealed, or written by another program, may claim
any shape: nothing is allocated or opened before the claim is compared with the
numbers of examples and classes and the length of the list of checksums.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from overlap.core import errors
from overlap.store import arrays, records, schema

_COUNTS = ('num_examples', 'num_classes')
_SHA256 = re.compile('[0-9a-f]{64}')


def check_entries(
  record: Mapping[str, Any],
  what: str,
  *,
  kinds: Collection[str],
  required: Collection[str] = (),
) -> None:
  """Checks a record's counts and the entries of its arrays.

  Args:
    record: content of record.json.
    what: subject of the record for messages, such as "model 'a' over x/test".
    kinds: allowed names of arrays.
    required: required names of arrays.

  Raises:
    DataError: a field is missing or has an impossible value.
  """
  fault = _record_fault(record, what, kinds, required)
  if fault:
    raise errors.DataError(f'{fault}: {records.AGAIN}.')


def _record_fault(
  record: Mapping[str, Any],
  what: str,
  kinds: Collection[str],
  required: Collection[str],
) -> str:
  for name in _COUNTS:
    if not _is_count(record.get(name)):
      return (
        f'The record of {what} must have a whole number {name}, got '
        f'{record.get(name)!r}'
      )
  entries = record.get('arrays')
  if not isinstance(entries, dict) or not entries:
    return f'The record of {what} must describe arrays, got {entries!r}'
  for name in required:
    if name not in entries:
      return f'The record of {what} must have {name}, got {_names(entries)}'
  for name, entry in entries.items():
    if name not in kinds:
      return (
        f'The record of {what} must have no arrays but {", ".join(kinds)}, '
        f'got {name!r}'
      )
    fault = _entry_fault(entry) or schema.shape_fault(
      name,
      entry['shape'],
      entry['dtype'],
      rows=record['num_examples'],
      classes=record['num_classes'],
    )
    if fault:
      return f'{name} of {what} {fault}'
  return ''


def _entry_fault(entry: Any) -> str:
  """Returns the fault of an array's entry, as the end of a sentence, or ''."""
  if not isinstance(entry, dict):
    return f'must be described by fields, got {entry!r}'
  shape: Any = entry.get('shape')
  rows: Any = entry.get('chunk_rows')
  if not (isinstance(shape, list) and shape and all(map(_is_count, shape))):
    return f'must have a shape of whole numbers, got {shape!r}'
  if not (_is_count(rows) and 1 <= rows <= max(1, shape[0])):
    return f'must have chunk_rows from 1 to {max(1, shape[0])}, got {rows!r}'
  if entry.get('dtype') not in _DTYPES:
    return f'must be {" or ".join(_DTYPES)}, got {entry.get("dtype")!r}'
  for name in ('sha256', 'metadata_sha256'):
    if not _SHA256.fullmatch(str(entry.get(name))):
      return f'must have a {name}, got {entry.get(name)!r}'
  chunks = arrays.Layout.from_entry(entry).chunk_count()
  crc32c = entry.get('crc32c')
  if not (
    isinstance(crc32c, str) and len(crc32c) == chunks * arrays.CRC_DIGITS
  ):
    return f'must have a crc32c for each of its {chunks} chunks'
  return ''


_DTYPES = sorted(
  {kind.dtype for kind in schema.MODEL_ARRAYS.values()}
  | {kind.dtype for kind in schema.EXAMPLE_ARRAYS.values()}
)


def _is_count(value: Any) -> bool:
  return type(value) is int and value >= 0


def _names(entries: Mapping[str, Any]) -> str:
  return ', '.join(entries) or 'no arrays'
