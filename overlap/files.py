"""Files that are there whole or not at all; names that are safe on disk."""

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

from overlap import errors

# What to do where something can't be written.
ADVICE = 'see to the space and the rights there'
_READ_BYTES = 2**22
# Compressed data are refused where they are larger than this,
_LARGE_BYTES = 2**28
# and that many times as large as they are compressed.
MOST_EXPANSION = 200

_TOKEN = '[0-9a-f]{12}'
# A folder's name is 22 bytes longer while it is written aside, and file
# systems stop at 255.
LONGEST_NAME = 200
_SCHEME = re.compile(r'([A-Za-z][A-Za-z0-9+.-]*)://')
# The scheme of Cloud Storage, and the package that reads it.
_BUCKETS, _CLIENT = 'gs', 'gcsfs'
# Unicode's controls, marks that turn text round, halves of characters, and
# ends of lines: in a terminal, a log or a table they would not be seen.
_UNSEEN = ('Cc', 'Cf', 'Cs', 'Zl', 'Zp')


@contextlib.contextmanager
def writable(path: epath.PathLike) -> Iterator[None]:
  """Turns what a file system raises while `path` is written into one line.

  Raises:
    DataError: an OSError was raised within.
  """
  try:
    yield
  except OSError as e:
    raise errors.DataError(
      f'{path} must be writable, got: {e.strerror or e}: {ADVICE}.'
    ) from e


def local_path(path: str) -> str:
  """Expands '~' and '~USER', and takes 'file://' off; others stay."""
  if path.lower().startswith('file://'):
    path = path[len('file://') :].removeprefix('localhost')
  return os.path.expanduser(path)


def check_scheme(what: str, path: str) -> None:
  """Checks that a folder is local, or in a bucket that can be reached.

  Args:
    what: what names it, for the error's text.
    path: the folder, after `local_path`.

  Raises:
    UsageError: it has another scheme, names no bucket, or the package that
      reads it is not installed.
  """
  scheme = _SCHEME.match(path)
  if not scheme:
    return
  if scheme[1] != _BUCKETS or not path[scheme.end() :].strip('/'):
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
  """Yields a check's lines, and one more where reading a file ends it.

  Args:
    path: the file or folder that is checked.
    lines: one a fault; may raise OSError.
  """
  try:
    yield from lines
  except OSError as e:
    yield (
      f'{e.filename or path} must be readable, got: {e.strerror or e}: see to '
      'the rights there.'
    )


def check_name(kind: str, name: str) -> str:
  """A new name of a model, a data set or a split, where it can be one.

  What is stored already may have others, which can still be read.

  Args:
    kind: what is named, for the error's text.
    name: any text; '/', '.' and spaces are encoded on disk.

  Raises:
    UsageError: it is empty, too long on disk, or has characters that are not
      seen.
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
  """Percent-encodes a model's name so that it is one path component.

  Raises:
    UsageError: the name is empty.
  """
  if not name:
    raise errors.UsageError("A name must not be empty, got ''.")
  quoted = urllib.parse.quote(name, safe=' (),=+@')
  # `quote` leaves dots alone, and '..' would leave the folder; a leading dot
  # marks what is being written aside.
  quoted = f'%2E{quoted[1:]}' if quoted.startswith('.') else quoted
  # What ends in '~' etils takes for an editor's copy, and does not list.
  return f'{quoted[:-1]}%7E' if quoted.endswith('~') else quoted


def is_plain_name(name: str) -> bool:
  """Returns whether a name is that of one file within a folder."""
  return name not in ('', '.', '..') and not set(name) & set('/\\\0')


def decode_name(component: str) -> str:
  """The inverse of `encode_name`."""
  return urllib.parse.unquote(component)


def new_token() -> str:
  """Returns a fresh token for `aside`: 12 hexadecimal digits."""
  return uuid.uuid4().hex[:12]


def aside(path: epath.Path, token: str = '') -> epath.Path:
  """Returns a hidden path beside `path`, to write to before renaming.

  Args:
    path: where the file or folder shall be in the end.
    token: from `new_token`, the same on all processes that write it and
      different for every attempt; '' for a fresh one.
  """
  token = token or new_token()
  if not re.fullmatch(_TOKEN, token):
    raise ValueError(f'A token must match {_TOKEN}, got {token!r}.')
  return path.parent / f'.{path.name}.{token}.partial'


def is_aside(path: epath.PathLike, name: str = '') -> bool:
  """Returns whether a path is named as by `aside` and is no symbolic link.

  Args:
    path: the path.
    name: name of the file or folder that it was written for; '' for any.
  """
  # A token has no dots: `.a.TOKEN.partial` is of `a` and never of `a.b`.
  pattern = rf'\.{re.escape(name) if name else ".+"}\.{_TOKEN}\.partial'
  return bool(
    re.fullmatch(pattern, os.path.basename(path))
  ) and not os.path.islink(path)


def write_bytes(path: epath.PathLike, content: bytes) -> None:
  """Writes a file aside, syncs it, and renames it into place.

  Raises:
    DataError: the place can't be written.
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


def json_text(value: Any) -> str:
  """Indented JSON, as `write_json` writes it."""
  return json.dumps(value, indent=2, allow_nan=False) + '\n'


def write_json(path: epath.PathLike, value: Any) -> None:
  """Writes `value` as indented JSON, whole or not at all."""
  write_text(path, json_text(value))


def read_json(path: epath.PathLike) -> Any:
  """Reads a JSON file.

  Raises:
    DataError: the file is absent, unreadable or no JSON.
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
  """Returns how many bytes may come of so many compressed ones.

  Arrays of numbers hardly ever shrink to a hundredth; what does, and is large,
  was made to fill the memory.
  """
  return max(_LARGE_BYTES, MOST_EXPANSION * compressed)


def check_expansion(archive: zipfile.ZipFile, path: epath.PathLike) -> None:
  """Refuses an archive that would take far more memory than disk.

  Raises:
    DataError: it would.
  """
  for info in archive.infolist():
    if info.file_size > most_expanded(info.compress_size):
      raise errors.DataError(
        f'{path} must hold arrays that are at most {MOST_EXPANSION} times as '
        f'large as they are compressed, got {info.file_size} bytes of '
        f'{info.compress_size} in {info.filename[:100]!r}.'
      )


def numpy_of_any_age() -> contextlib.AbstractContextManager[object]:
  """Within, NumPy reads what Python 2 wrote without a warning of its age."""
  return warnings.catch_warnings(action='ignore', category=UserWarning)


def array_digest(values: np.ndarray) -> str:
  """SHA-256 of an array's type, shape and values."""
  values = np.ascontiguousarray(values)
  hasher = hashlib.sha256(f'{values.dtype.str} {values.shape} '.encode())
  hasher.update(values.reshape(-1).view(np.uint8).data)
  return hasher.hexdigest()


def file_digest(path: epath.PathLike) -> str:
  """SHA-256 of a file's content, of which little is in memory at a time."""
  hasher = hashlib.sha256()
  with epath.Path(path).open('rb') as f:
    while content := f.read(_READ_BYTES):
      hasher.update(content)
  return hasher.hexdigest()


def json_digest(value: Any) -> str:
  """SHA-256 of canonical JSON.

  Raises:
    ValueError: a number is not finite.
  """
  return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest(value: Any) -> str:
  """The first 16 hexadecimal digits of `json_digest`."""
  return json_digest(value)[:16]
