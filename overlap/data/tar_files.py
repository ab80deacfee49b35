"""Members of tar files, indexed once and then read from where they lie."""

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, NamedTuple

from overlap.core import errors


class Member(NamedTuple):
  """A file in a tar file; where its bytes are in that file."""

  name: str
  offset: int
  size: int


def list_members(path: str) -> Iterator[Member]:
  """Yields the files in a tar file, in some 0.1 ms each.

  Raises:
    DataError: it is absent, compressed or damaged.
  """
  with _open(path) as f:
    yield from _list(f, path)


def list_samples(
  path: str, kinds: Mapping[str, str]
) -> dict[str, dict[str, Member]]:
  """Groups the files of a tar file into samples, as WebDataset has them.

  Args:
    path: the tar file.
    kinds: what a file is, by its suffix; others are left alone.

  Returns:
    The files of every sample by kind, by the name that they share up to its
    first dot.

  Raises:
    DataError: as `list_members`, or a sample has two files of one kind.
  """
  samples: dict[str, dict[str, Member]] = {}
  for member in list_members(path):
    # A key ends at the first dot: in 'x.seg.png' no image is meant.
    folder, slash, file = member.name.rpartition('/')
    stem, dot, extension = file.partition('.')
    if not stem:
      continue
    sample = samples.setdefault(f'{folder}{slash}{stem}', {})
    kind = kinds.get(f'{dot}{extension}'.lower())
    if kind in sample:
      raise errors.DataError(
        f'{path} must have one {kind} a sample, got another: {member.name}.'
      )
    # An empty file is none.
    if kind and member.size:
      sample[kind] = member
  return samples


def list_nested(path: str) -> Iterator[tuple[str, Member]]:
  """Yields the files in the tar files that are in a tar file.

  Yields:
    The inner tar file's name, and a file in it, whose offset is that in the
    outer one.

  Raises:
    DataError: one is absent, compressed or damaged.
  """
  with _open(path) as f:
    for inner in list_members(path):
      part = _Part(f, inner.offset, inner.size)
      for member in _list(part, f'{inner.name} in {path}'):
        yield inner.name, member._replace(offset=inner.offset + member.offset)


def read(path: str, places: Sequence[tuple[int, int]]) -> list[bytes]:
  """Reads members.

  Args:
    path: the tar file.
    places: offset and size of each.

  Raises:
    DataError: the file can't be read, or has become shorter.
  """
  contents = []
  with _open(path) as f:
    for offset, size in places:
      try:
        f.seek(offset)
        contents.append(f.read(size))
      except OSError as e:
        raise _unreadable(path, e) from e
      if len(contents[-1]) < size:
        raise errors.DataError(
          f'{path} must stay as it is while it is read, and has become shorter.'
        )
  return contents


def _open(path: str) -> IO[bytes]:
  try:
    return open(path, 'rb')
  except OSError as e:
    raise _unreadable(path, e) from e


def _unreadable(path: str, error: OSError) -> errors.DataError:
  return errors.DataError(
    f'{path} must be readable, got: {error.strerror or error}.'
  )


class _Part:
  """A part of an open file, read as a file of its own."""

  def __init__(self, file: IO[bytes], start: int, size: int):
    self._file, self._start, self._size = file, start, size
    self._place = 0

  def tell(self) -> int:
    return self._place

  def seek(self, place: int) -> None:
    self._place = place

  def read(self, size: int) -> bytes:
    self._file.seek(self._start + self._place)
    content = self._file.read(max(0, min(size, self._size - self._place)))
    self._place += len(content)
    return content


def _list(file: IO[bytes] | _Part, what: str) -> Iterator[Member]:
  try:
    with tarfile.open(fileobj=file, mode='r:') as tar:  # type: ignore[call-overload]
      for member in tar:
        if member.size < 0:
          raise tarfile.ReadError(f'a size of {member.size} for {member.name}')
        if member.isreg():
          yield Member(member.name, member.offset_data, member.size)
        tar.members.clear()  # A million of them would take a gigabyte.
      # It stops at a bad header too; zeros end a whole file.
      file.seek(tar.offset)
      if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f'no member and no end at byte {tar.offset}')
  # What a header holds may be anything.
  except (tarfile.TarError, OSError, ValueError) as e:
    raise errors.DataError(
      f'{what} must be a whole tar file, uncompressed, got: {e}.'
    ) from e
