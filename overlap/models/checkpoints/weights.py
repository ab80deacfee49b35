"""Weights in files of all kinds that are read, and where in them they were."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from overlap.core import errors, files
from overlap.models.checkpoints import (
  containers,
  msgpack_file,
  npz_file,
  orbax_folder,
  places,
  prefixes,
  safetensors_file,
  torch_file,
)

_INDEX = '.index.json'
_MOST_NAMED = 5


class Weights(NamedTuple):
  """Tensors by name, and where they were.

  Attributes:
    file: the file or folder that was read.
    kind: the format, in words.
    state: arrays by name.
    container: key of the dict within the file, '' for the top.
    others: keys of dicts of weights beside it, which were not taken.
    prefix: what was taken off all names.
    unread: what is beside the weights of classes that are not read.
    architecture: the model's name where the file has one, else ''.
  """

  file: str
  kind: str
  state: dict[str, np.ndarray]
  container: str = ''
  others: tuple[str, ...] = ()
  prefix: str = ''
  unread: tuple[str, ...] = ()
  architecture: str = ''

  def record(self) -> dict[str, Any]:
    """Returns the entries that model.json keeps."""
    return {
      'file': self.file,
      'kind': self.kind,
      'container': self.container,
      'other_containers': list(self.others),
      'prefix': self.prefix,
      'leaves': len(self.state),
    }

  def in_words(self) -> str:
    """One line for the log."""
    parts = [f'{self.file}: {self.kind}, {len(self.state)} tensors']
    if self.container:
      beside = f' (beside {", ".join(map(repr, self.others))})' * bool(
        self.others
      )
      parts.append(f'of {self.container!r}{beside}')
    if self.prefix:
      parts.append(f'{self.prefix!r} taken off all names')
    if self.unread:
      more = len(self.unread) - _MOST_NAMED
      named = ', '.join(self.unread[:_MOST_NAMED])
      rest = f' and {more} more' * (more > 0)
      parts.append(f'beside them, not read: {named}{rest}')
    return ', '.join(parts)


def read_weights(path: str) -> Weights:
  """Reads weights.

  The file is of PyTorch, safetensors, NumPy or Flax, as its content tells, or
  its suffix where the content does not; or it is the index of several such
  files; or a folder of Orbax.

  Args:
    path: see `places.resolve`.

  Raises:
    UsageError: what reads this kind of path is not installed.
    DataError: the file is absent, damaged, or none of them.
  """
  plain, choice = places.split_choice(path)
  file = places.resolve(plain)
  if file.name.endswith(_INDEX):
    weights = _sharded(file, lambda name: places.beside(plain, file, name))
  else:
    weights = _single(file, choice)
  state, prefix = prefixes.strip_prefixes(weights.state)
  return weights._replace(state=state, prefix=prefix)


def _single(file: epath.Path, choice: str) -> Weights:
  kind, load = _loader(file)
  if load is torch_file.load:
    contents = torch_file.read_torch_file(file, choice=choice)
    picked = contents.picked
    return Weights(
      str(file), kind, contents.state, picked.container, picked.others,
      unread=picked.unread, architecture=contents.architecture,
    )  # fmt: skip
  state = load(file)
  if not choice:
    return Weights(str(file), kind, state)
  chosen = containers.beginning(state, choice, choice, str(file))
  return Weights(str(file), kind, chosen, choice)


_Loader = Callable[[epath.PathLike], dict[str, np.ndarray]]
_TORCH = ('PyTorch', torch_file.load)
_SAFETENSORS = ('safetensors', safetensors_file.load)
_NPZ = ('NumPy', npz_file.load)
_MSGPACK = ('Flax msgpack', msgpack_file.load)
_SUFFIXES: Mapping[str, tuple[str, _Loader]] = {
  '.safetensors': _SAFETENSORS,
  '.pth': _TORCH,
  '.pt': _TORCH,
  '.bin': _TORCH,
  '.npz': _NPZ,
  '.msgpack': _MSGPACK,
}


def _loader(path: epath.Path) -> tuple[str, _Loader]:
  with places.reading(path):
    if orbax_folder.is_one(path):
      return 'Orbax', orbax_folder.load
    with path.open('rb') as f:
      start = f.read(9)
      size = f.seek(0, io.SEEK_END)
  # First, since the length may begin with the bytes of a pickle or a zip.
  if safetensors_file.is_one(start, size):
    return _SAFETENSORS
  if start.startswith(b'PK') and _holds_arrays(path):
    return _NPZ
  if start.startswith((b'PK', b'\x80')):
    return _TORCH
  if msgpack_file.is_one(start):
    return _MSGPACK
  if path.suffix not in _SUFFIXES:
    raise errors.DataError(
      f'{path} must be a file of PyTorch, safetensors, NumPy or Flax, and is '
      'none. '
      f'Suffixes: {", ".join(_SUFFIXES)}.'
    )
  return _SUFFIXES[path.suffix]


def _holds_arrays(path: epath.Path) -> bool:
  """Returns whether a zip archive is NumPy's; by suffix where it is damaged."""
  try:
    with path.open('rb') as f, zipfile.ZipFile(f) as archive:
      return all(name.endswith('.npy') for name in archive.namelist())
  except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
    return path.suffix == '.npz'


def _sharded(
  index: epath.Path, beside: Callable[[str], epath.Path | None]
) -> Weights:
  """Weights in several files, of which an index says what is in which."""
  names = _read_index(index)
  state: dict[str, np.ndarray] = {}
  kinds = set()
  for shard in sorted(set(names.values())):
    file = beside(shard)
    if file is None:
      raise errors.DataError(
        f'{index} must have its files beside it, and {shard!r} is absent.'
      )
    part = _single(file, '')
    kinds.add(part.kind)
    state |= {name: part.state[name] for name in part.state if name in names}
  missing = [name for name in names if name not in state]
  if missing:
    raise errors.DataError(
      f'The files of {index} must hold all {len(names)} tensors that it names, '
      f'and {len(missing)} are absent, first {missing[0][:100]!r}.'
    )
  kind = f'{" and ".join(sorted(kinds))}, {len(set(names.values()))} files'
  return Weights(str(index), kind, {name: state[name] for name in names})


def _read_index(index: epath.Path) -> dict[str, str]:
  """The file of each tensor.

  Raises:
    DataError: the index is damaged, or names a file elsewhere.
  """
  with places.reading(index):
    try:
      content = json.loads(index.read_text())
    except (ValueError, RecursionError) as e:
      raise errors.DataError(
        f'{index} must hold JSON, got: {str(e)[:100]}.'
      ) from e
  names = content.get('weight_map') if isinstance(content, dict) else None
  if not isinstance(names, dict) or not names:
    raise errors.DataError(
      f"{index} must hold a 'weight_map' from tensors to files, and has none."
    )
  for name, shard in names.items():
    if not isinstance(shard, str) or not files.is_plain_name(shard):
      raise errors.DataError(
        f'{index} must name files in its own folder, got {str(shard)[:100]!r} '
        f'for {name[:100]!r}.'
      )
  return names
