"""Atomic writing and digests of files; names that are safe on disk."""

import contextlib
import ctypes
import errno
import functools
import hashlib
import importlib.util
import json
import os
import re
import unicodedata
import urllib.parse
import uuid
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from etils import epath

from overlap.core import errors

# Advice where something can't be written.
ADVICE = 'see to the space and the rights there'
_READ_BYTES = 2**22
# Compressed data are refused if they expand to more than this,
_LARGE_BYTES = 2**28
# and to more than this many times their compressed size.
MOST_EXPANSION = 200

_TOKEN = '[0-9a-f]{12}'
# Longest name: folders written aside have names that are 22 bytes longer, and
# file systems allow 255.
LONGEST_NAME = 200
# Scheme of Cloud Storage, and the package that reads it.
_BUCKETS, _CLIENT = 'gs', 'gcsfs'
# Unicode categories of controls, direction marks, surrogates and line ends,
# which are invisible in a terminal, a log or a table.
_UNSEEN = ('Cc', 'Cf', 'Cs', 'Zl', 'Zp')


@contextlib.contextmanager
def writable(path: epath.PathLike) -> Iterator[None]:
  """Turns an OSError while `path` is written into a DataError of one line.

  Raises:
    DataError: the block raised an OSError.
  """
  try:
    yield
  except OSError as e:
    raise errors.DataError(
      f'{path} must be writable, got: {e.strerror or e}: {ADVICE}.'
    ) from e


def local_path(path: str) -> str:
  """Expands '~' and '~USER' and removes 'file://'; other paths stay."""
  if path.lower().startswith('file://'):
    path = path[len('file://') :].removeprefix('localhost')
  return os.path.expanduser(path)


def check_scheme(what: str, path: str) -> None:
  """Checks that a folder is local, or in a bucket that can be accessed.

  Args:
    what: name of the setting, for error messages.
    path: the folder, after `local_path`.

  Raises:
    UsageError: the scheme is unknown, there is no bucket, or the package that
      reads it is not installed.
  """
  scheme, remote, place = path.partition('://')
  if not remote:
    return
  if scheme != _BUCKETS or not place.strip('/'):
    raise errors.UsageError(
      f'{what} must be a local folder or {_BUCKETS}://BUCKET/FOLDER, got '
      f'{path!r}.'
    )
  if importlib.util.find_spec(_CLIENT) is None:
    raise errors.UsageError(
      f'{what} must be a local folder where the package {_CLIENT}, which reads '
      f'{_BUCKETS}://, is not installed, got {path!r}: pip install {_CLIENT}.'
    )


def report_unreadable(
  path: epath.PathLike, lines: Iterator[str]
) -> Iterator[str]:
  """Yields the lines of a check, and one more if an OSError ends it.

  Args:
    path: file or folder that is checked.
    lines: one line per fault; may raise OSError.
  """
  try:
    yield from lines
  except OSError as e:
    yield (
      f'{e.filename or path} must be readable, got: {e.strerror or e}: see to '
      'the rights there.'
    )


def check_name(kind: str, name: str) -> str:
  """Checks a new name of a model, data set or split, and returns it.

  Names already stored need not satisfy this, and can still be read.

  Args:
    kind: kind of the name, for error messages.
    name: any text; '/', '.' and spaces are encoded on disk.

  Raises:
    UsageError: the name is empty, too long on disk, or has invisible
      characters.
  """
  if not name or any(unicodedata.category(c) in _UNSEEN for c in name):
    raise errors.UsageError(
      f'The name of a {kind} must be of characters that are seen, at least '
      f'one, got {name!r}.'
    )
  length = len(encode_name(name))
  if length > LONGEST_NAME:
    raise errors.UsageError(
      f'The name of a {kind} must take at most {LONGEST_NAME} characters on '
      f'disk, where all but letters and digits of ASCII take several, got '
      f'{length}: {name!r}.'
    )
  return name


def encode_name(name: str) -> str:
  """Percent-encodes a name so that it is one path component.

  Raises:
    UsageError: the name is empty.
  """
  if not name:
    raise errors.UsageError("A name must not be empty, got ''.")
  quoted = urllib.parse.quote(name, safe=' (),=+@')
  # `quote` keeps dots, and '..' would leave the folder; a leading dot marks
  # folders being written.
  quoted = f'%2E{quoted[1:]}' if quoted.startswith('.') else quoted
  # etils does not list names ending in '~', which it takes for backups.
  return f'{quoted[:-1]}%7E' if quoted.endswith('~') else quoted


def is_plain_name(name: str) -> bool:
  """Returns whether a name is that of one file within a folder."""
  return name not in ('', '.', '..') and not set(name) & set('/\\\0')


def decode_name(component: str) -> str:
  """Decodes a name encoded by `encode_name`."""
  return urllib.parse.unquote(component)


def new_token() -> str:
  """Returns a new random token for `aside`: 12 hexadecimal digits."""
  return uuid.uuid4().hex[:12]


def aside(path: epath.Path, token: str = '') -> epath.Path:
  """Returns a hidden path beside `path`, to write to before renaming.

  Args:
    path: final path of the file or folder.
    token: token from `new_token`, the same on all processes that write it and
      different for every attempt; '' for a new one.
  """
  token = token or new_token()
  if not re.fullmatch(_TOKEN, token):
    raise ValueError(f'A token must match {_TOKEN}, got {token!r}.')
  return path.parent / f'.{path.name}.{token}.partial'


def is_aside(path: epath.PathLike, name: str = '') -> bool:
  """Returns whether a path has a name from `aside` and is no symbolic link.

  Args:
    path: path to test.
    name: name of the final file or folder; '' for any.
  """
  # Tokens have no dots: `.a.TOKEN.partial` belongs to `a`, never to `a.b`.
  pattern = rf'\.{re.escape(name) if name else ".+"}\.{_TOKEN}\.partial'
  return bool(
    re.fullmatch(pattern, os.path.basename(path))
  ) and not os.path.islink(path)


def write_bytes(path: epath.PathLike, content: bytes) -> None:
  """Writes a file atomically: aside, synced, then renamed.

  Raises:
    DataError: the path can't be written.
  """
  path = epath.Path(path)
  partial = aside(path)
  with writable(path):
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      with partial.open('wb') as f:
        f.write(content)
        f.flush()
        if hasattr(f, 'fileno'):
          os.fsync(f.fileno())
      partial.replace(path)
    except OSError:
      with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)
      raise


def write_text(path: epath.PathLike, content: str) -> None:
  """Writes text as UTF-8 with `write_bytes`."""
  write_bytes(path, content.encode('utf-8'))


def exchange(first: epath.PathLike, second: epath.PathLike) -> bool:
  """Swaps two paths of a local file system atomically.

  Returns:
    Whether they were swapped: not every system and file system supports it.

  Raises:
    OSError: a path is missing, or the folder can't be written.
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


# Constants of <fcntl.h> and <linux/fs.h>.
_AT_CWD, _EXCHANGE = -100, 2


@functools.cache
def _renameat2() -> Any:
  """Returns the C library's `renameat2`, or None."""
  try:
    function = ctypes.CDLL(None, use_errno=True).renameat2
  except (AttributeError, OSError, TypeError):
    return None
  function.argtypes = [
    ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint,
  ]  # fmt: skip
  return function


def canonical_json(value: Any) -> str:
  """Returns JSON with sorted keys and no spaces, equal for equal values."""
  return json.dumps(
    value, sort_keys=True, separators=(',', ':'), allow_nan=False
  )


def json_text(value: Any) -> str:
  """Returns indented JSON, as `write_json` writes it."""
  return json.dumps(value, indent=2, allow_nan=False) + '\n'


def write_json(path: epath.PathLike, value: Any) -> None:
  """Writes `value` atomically as indented JSON."""
  write_text(path, json_text(value))


def read_json(path: epath.PathLike) -> Any:
  """Reads a JSON file.

  Raises:
    DataError: the file is missing, unreadable or not JSON.
  """
  path = epath.Path(path)
  try:
    return json.loads(path.read_text())
  except FileNotFoundError as e:
    raise errors.DataError(f'{path} must exist, and does not.') from e
  except OSError as e:
    raise errors.DataError(
      f'{path} must be readable, got: {e.strerror or e}.'
    ) from e
  except (ValueError, RecursionError) as e:
    raise errors.DataError(f'{path} must hold JSON, got: {e}.') from e


def most_expanded(compressed: int) -> int:
  """Returns the maximal allowed size of decompressed data, in bytes.

  Numeric arrays hardly ever compress to a hundredth; large data that do were
  made to exhaust the memory.
  """
  return max(_LARGE_BYTES, MOST_EXPANSION * compressed)


def check_expansion(archive: zipfile.ZipFile, path: epath.PathLike) -> None:
  """Refuses an archive that would take far more memory than disk space.

  Raises:
    DataError: the archive expands too much.
  """
  for info in archive.infolist():
    if info.file_size > most_expanded(info.compress_size):
      raise errors.DataError(
        f'{path} must hold arrays that are at most {MOST_EXPANSION} times as '
        f'large as they are compressed, got {info.file_size} bytes of '
        f'{info.compress_size} in {info.filename[:100]!r}.'
      )


def numpy_of_any_age() -> contextlib.AbstractContextManager[object]:
  """Suppresses NumPy's warning about the age of files written by Python 2."""
  return warnings.catch_warnings(action='ignore', category=UserWarning)


def array_digest(values: np.ndarray) -> str:
  """SHA-256 of an array's type, shape and values."""
  values = np.ascontiguousarray(values)
  hasher = hashlib.sha256(f'{values.dtype.str} {values.shape} '.encode())
  hasher.update(values.reshape(-1).view(np.uint8).data)
  return hasher.hexdigest()


def file_digest(path: epath.PathLike) -> str:
  """SHA-256 of a file's content, read in small pieces."""
  hasher = hashlib.sha256()
  with epath.Path(path).open('rb') as f:
    while content := f.read(_READ_BYTES):
      hasher.update(content)
  return hasher.hexdigest()


def json_digest(value: Any) -> str:
  """SHA-256 of a value's canonical JSON.

  Raises:
    ValueError: a number is not finite.
  """
  return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest(value: Any) -> str:
  """First 16 hexadecimal digits of `json_digest`."""
  return json_digest(value)[:16]
