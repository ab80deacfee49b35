"""Files that are there whole or not at all; names that are safe on disk."""

import contextlib
import ctypes
import errno
import functools
import hashlib
import json
import os
import urllib.parse
import uuid
from typing import Any

import numpy as np
from etils import epath

from overlap import errors


def encode_name(name: str) -> str:
  """Percent-encodes a model's name so that it is one path component.

  Raises:
    UsageError: the name is empty.
  """
  if not name:
    raise errors.UsageError("A name must not be empty, got ''.")
  quoted = urllib.parse.quote(name, safe=' (),=+@')
  # `quote` leaves dots alone, and '..' would leave the folder; a leading dot
  # marks what is being written aside.
  return f'%2E{quoted[1:]}' if quoted.startswith('.') else quoted


def decode_name(component: str) -> str:
  """The inverse of `encode_name`."""
  return urllib.parse.unquote(component)


def aside(path: epath.Path) -> epath.Path:
  """A fresh hidden name beside `path`, to write to before renaming."""
  return path.parent / f'.{path.name}.{uuid.uuid4().hex[:12]}.partial'


def write_bytes(path: epath.PathLike, content: bytes) -> None:
  """Writes a file aside, syncs it, and renames it into place.

  Raises:
    DataError: the place can't be written.
  """
  path = epath.Path(path)
  partial = aside(path)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open('wb') as f:
      f.write(content)
      f.flush()
      if hasattr(f, 'fileno'):
        os.fsync(f.fileno())
    partial.replace(path)
  except OSError as e:
    with contextlib.suppress(OSError):
      partial.unlink(missing_ok=True)
    raise errors.DataError(
      f'{path} must be writable, got: {e.strerror or e}: see to the space and '
      'the rights there.'
    ) from e


def write_text(path: epath.PathLike, content: str) -> None:
  """`write_bytes` of UTF-8 text."""
  write_bytes(path, content.encode('utf-8'))


def exchange(first: epath.PathLike, second: epath.PathLike) -> bool:
  """Swaps two paths of a local file system in one step.

  Nobody can see it half done, and no kill can leave it so.

  Returns:
    Whether it was done: not every system and file system knows how to.

  Raises:
    OSError: one is absent, or the place can't be written.
  """
  rename = _renameat2()
  if rename is None:
    return False
  paths = [os.fsencode(first), os.fsencode(second)]
  if rename(_AT_CWD, paths[0], _AT_CWD, paths[1], _EXCHANGE) == 0:
    return True
  code = ctypes.get_errno()
  if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
    return False
  raise OSError(code, os.strerror(code), os.fspath(second))


# Of <fcntl.h> and <linux/fs.h>.
_AT_CWD, _EXCHANGE = -100, 2


@functools.cache
def _renameat2() -> Any:
  """The C library's function, None where there is none."""
  try:
    function = ctypes.CDLL(None, use_errno=True).renameat2
  except (AttributeError, OSError, TypeError):
    return None
  function.argtypes = [
    ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint,
  ]  # fmt: skip
  return function


def canonical_json(value: Any) -> str:
  """JSON with sorted keys and no spaces: equal values, equal text."""
  return json.dumps(
    value, sort_keys=True, separators=(',', ':'), allow_nan=False
  )


def write_json(path: epath.PathLike, value: Any) -> None:
  """Writes `value` as indented JSON, whole or not at all."""
  write_text(path, json.dumps(value, indent=2, allow_nan=False) + '\n')


def read_json(path: epath.PathLike) -> Any:
  """Reads a JSON file.

  Raises:
    DataError: it is absent or no JSON.
  """
  path = epath.Path(path)
  try:
    return json.loads(path.read_text())
  except FileNotFoundError as e:
    raise errors.DataError(f'{path} must exist, and does not.') from e
  except ValueError as e:
    raise errors.DataError(f'{path} must hold JSON, got: {e}.') from e


def array_digest(values: np.ndarray) -> str:
  """SHA-256 of an array's type, shape and values."""
  values = np.ascontiguousarray(values)
  hasher = hashlib.sha256(f'{values.dtype.str} {values.shape} '.encode())
  hasher.update(values.reshape(-1).view(np.uint8).data)
  return hasher.hexdigest()


def digest(value: Any) -> str:
  """The first 16 hexadecimal digits of the SHA-256 of canonical JSON."""
  return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]
