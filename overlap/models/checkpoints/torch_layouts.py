"""The two layouts of PyTorch's files: where the object and the storages lie."""

import functools
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from overlap.core import errors
from overlap.models.checkpoints import object_stream
from overlap.models.checkpoints.torch_objects import Storage, Unread

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_LONGEST_TEXT = 100  # of what error texts repeat from a file

# From a storage to its bytes, an array of uint8; raises DataError.
Fetch = Callable[[Storage], np.ndarray]

# All that zipfile raises for a damaged archive; RuntimeError where a damaged
# flag says that a file is encrypted.
_ZIP_ERRORS = (
  zipfile.BadZipFile,
  zlib.error,
  struct.error,
  EOFError,
  LookupError,
  OSError,
  OverflowError,
  RuntimeError,
  ValueError,
)


def read_layout(content: bytes, *, path: str) -> tuple[Any, Fetch]:
  """Reads the object in a file, and gives access to its storages.

  Args:
    content: content of the file.
    path: what error texts call the file.

  Raises:
    DataError: the file is damaged, of a big-endian machine, or its object is
      refused (see `object_stream`).
  """
  if content.startswith(b'PK'):
    return _read_archive(content, path)
  return _read_stream(content, path)


class _Archive:
  """The files under the one folder of a zip archive, checksums compared."""

  def __init__(self, content: bytes, path: str) -> None:
    self._path = path
    try:
      self._archive = zipfile.ZipFile(io.BytesIO(content))
    except _ZIP_ERRORS as e:
      raise self._damaged(e) from e
    names = self._archive.namelist()
    objects = [name for name in names if name.endswith('/data.pkl')]
    if len(objects) != 1:
      raise errors.DataError(
        f"{path} must be an archive of PyTorch's with one file 'data.pkl', and "
        f'has {len(objects)}.'
      )
    self._folder = objects[0].removesuffix('data.pkl')
    self._names = frozenset(names)

  def __contains__(self, name: str) -> bool:
    return self._folder + name in self._names

  def read(self, name: str) -> bytes:
    try:
      info = self._archive.getinfo(self._folder + name)
      if info.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile("it is compressed, as PyTorch's never are")
      return self._archive.read(info)
    except _ZIP_ERRORS as e:
      raise self._damaged(e) from e

  def _damaged(self, e: Exception) -> errors.DataError:
    # zipfile repeats a damaged name, which may be half of the file.
    return errors.DataError(
      f'{self._path} must be a whole zip archive, got: '
      f'{str(e)[:_LONGEST_TEXT]}.'
    )


def _read_archive(content: bytes, path: str) -> tuple[Any, Fetch]:
  """Since PyTorch 1.6: an archive with a file for each storage."""
  archive = _Archive(content, path)
  order = archive.read('byteorder') if 'byteorder' in archive else b'little'
  _require_little_endian(order == b'little', path)
  stream = io.BytesIO(archive.read('data.pkl'))
  value, _ = object_stream.read_object(stream, path=path)

  @functools.cache
  def stored(key: str) -> np.ndarray:
    return np.frombuffer(archive.read(f'data/{key}'), np.uint8)

  def fetch(storage: Storage) -> np.ndarray:
    if stored(storage.key).nbytes != storage.nbytes:
      raise errors.DataError(
        f'{path} must hold {storage.nbytes} bytes for storage '
        f'{storage.key[:_LONGEST_TEXT]!r}, and holds '
        f'{stored(storage.key).nbytes}.'
      )
    return stored(storage.key)

  return value, fetch


def _read_stream(content: bytes, path: str) -> tuple[Any, Fetch]:
  """Before PyTorch 1.6: five objects, and then each storage with its size."""
  stream = io.BytesIO(content)
  for number in (_MAGIC, _PROTOCOL):
    start, _ = object_stream.read_object(stream, path=path)
    if start != number:
      raise errors.DataError(
        f'{path} must be a file of PyTorch 0.4 or later, and does not start '
        f'as one{_unread(start)}.'
      )
  machine, _ = object_stream.read_object(stream, path=path)
  little_endian = isinstance(machine, dict) and machine.get('little_endian')
  _require_little_endian(little_endian is True, path)
  value, storages = object_stream.read_object(stream, path=path)
  keys, _ = object_stream.read_object(stream, path=path)
  starts = _starts(content, stream.tell(), keys, storages, path)

  @functools.cache
  def stored(key: str) -> np.ndarray:
    # Copied, since these bytes begin at any address, and a number of 8 bytes
    # belongs at a multiple of 8.
    size = storages[key].nbytes
    return np.frombuffer(content, np.uint8, size, starts[key]).copy()

  return value, lambda storage: stored(storage.key)


def _unread(value: Any) -> str:
  if not isinstance(value, Unread):
    return ''
  return f', but with {value.name[:_LONGEST_TEXT]!r}, which was not run'


def _starts(
  content: bytes,
  position: int,
  keys: Any,
  storages: dict[str, Storage],
  path: str,
) -> dict[str, int]:
  """Returns the start of each storage's bytes, after its number of elements."""
  known = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
  if not known or sorted(keys) != sorted(storages):
    raise errors.DataError(
      f'{path} must list each storage that its tensors use, and does not.'
    )
  starts = {}
  for key in keys:
    storage, starts[key] = storages[key], position + 8
    size = int.from_bytes(content[position : position + 8], 'little')
    position += 8 + storage.nbytes
    if size != storage.size or position > len(content):
      raise errors.DataError(
        f'{path} must hold {storage.size} numbers for storage '
        f'{key[:_LONGEST_TEXT]!r}, and is cut short or damaged.'
      )
  return starts


def _require_little_endian(little_endian: bool, path: str) -> None:
  if not little_endian:
    raise errors.DataError(
      f'{path} must be written on a little-endian machine, and is not.'
    )
