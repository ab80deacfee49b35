"""Files that are there whole or not at all; names that are safe on disk."""

import contextlib
import hashlib
import json
import os
import unicodedata
import urllib.parse
import uuid
import zipfile
from typing import Any

import numpy as np
from etils import epath

from overlap import errors

# Archives are checked for members that are larger than this,
_LARGE_BYTES = 2**28
# and that many times as large as they are compressed.
_MOST_EXPANSION = 200

# A folder's name is longer than what it is of by up to 43 bytes while it is
# written aside, and file systems stop at 255.
LONGEST_NAME = 200
# Unicode's controls, marks that turn text round, halves of characters, and
# ends of lines: in a terminal, a log or a table they would not be seen.
_UNSEEN = ('Cc', 'Cf', 'Cs', 'Zl', 'Zp')


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
      f'{path} must be writable, got: {e.strerror or e}.'
    ) from e


def write_text(path: epath.PathLike, content: str) -> None:
  """`write_bytes` of UTF-8 text."""
  write_bytes(path, content.encode('utf-8'))


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
    DataError: it is absent or no JSON.
  """
  path = epath.Path(path)
  try:
    return json.loads(path.read_text())
  except FileNotFoundError as e:
    raise errors.DataError(f'{path} must exist, and does not.') from e
  except ValueError as e:
    raise errors.DataError(f'{path} must hold JSON, got: {e}.') from e


def check_expansion(archive: zipfile.ZipFile, path: epath.PathLike) -> None:
  """Refuses an archive that would take far more memory than disk.

  Arrays of numbers hardly ever shrink to a hundredth; what does, and is large,
  was made to fill the memory.

  Raises:
    DataError: it would.
  """
  for info in archive.infolist():
    least = max(_LARGE_BYTES, _MOST_EXPANSION * info.compress_size)
    if info.file_size > least:
      raise errors.DataError(
        f'{path} must hold arrays that are at most {_MOST_EXPANSION} times as '
        f'large as they are compressed, got {info.file_size} bytes of '
        f'{info.compress_size} in {info.filename[:100]!r}.'
      )


def array_digest(values: np.ndarray) -> str:
  """SHA-256 of an array's type, shape and values."""
  values = np.ascontiguousarray(values)
  hasher = hashlib.sha256(f'{values.dtype.str} {values.shape} '.encode())
  hasher.update(values.reshape(-1).view(np.uint8).data)
  return hasher.hexdigest()


def digest(value: Any) -> str:
  """The first 16 hexadecimal digits of the SHA-256 of canonical JSON."""
  return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]
