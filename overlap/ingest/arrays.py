"""Arrays: `.npy`, `.npz` and safetensors, read row block by row block.

Nothing is unpickled: an array of objects is refused. In a file of several
arrays these names are known: logits, probabilities (probs), log_probabilities
(log_probs) or predicted (predictions, classes), and beside them confidence,
ids, labels and class_names; of another name there may be one alone.
"""

import functools
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import safetensors

from overlap.core import errors, files
from overlap.ingest import npy_format, raw_file
from overlap.ingest import source as source_lib
from overlap.ingest.faults import readable
from overlap.ingest.npy_format import Stored
from overlap.ingest.source import Blocks, Source

_NAMES = source_lib.SCORES | dict.fromkeys(
  ('predicted', 'predictions', 'classes'), source_lib.CLASSES
)
_BESIDE = ('confidence', 'ids', 'labels', 'class_names')
_SAFETENSORS_KINDS = {
  'F64': 'float64', 'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16',
  'I64': 'int64', 'I32': 'int32', 'I16': 'int16', 'I8': 'int8',
  'U64': 'uint64', 'U32': 'uint32', 'U16': 'uint16', 'U8': 'uint8',
}  # fmt: skip


def read_npy(path: str) -> Source:
  """Reads an `.npy` file: scores `[rows, classes]` or classes `[rows]`."""
  with readable(path, '.npy'):
    stored = npy_format.describe(
      functools.partial(raw_file.open_binary, path), path
    )
  return _source(path, {'': stored})


def read_npz(path: str) -> Source:
  """Reads an `.npz` file, its arrays by name."""
  return _source(path, _members(path))


def _members(path: str) -> dict[str, Stored]:
  """Describes the arrays of an `.npz` file by name."""
  with readable(path, '.npz'):
    with zipfile.ZipFile(path) as archive:
      files.check_expansion(archive, path)
      members = [name for name in archive.namelist() if name.endswith('.npy')]
    return {
      member.removesuffix('.npy'): npy_format.describe(
        functools.partial(npy_format.member, path, member), path
      )
      for member in members
    }


def read_safetensors(path: str) -> Source:
  """Reads a safetensors file, its tensors by name."""
  with (
    readable(path, 'safetensors'),
    safetensors.safe_open(path, framework='numpy') as f,
  ):
    names = list(f.keys())
    found = {name: _tensor(path, name, f.get_slice(name)) for name in names}
  return _source(path, found)


def load_npy(path: str) -> np.ndarray:
  """Reads a whole `.npy` file: labels or ids.

  Raises:
    DataError: it is absent, damaged, or would have to be unpickled.
  """
  with readable(path, '.npy'):
    stored = npy_format.describe(
      functools.partial(raw_file.open_binary, path), path
    )
  return _load(path, '.npy', stored)


def load_npz(path: str) -> dict[str, np.ndarray]:
  """Reads the arrays of an `.npz` file with one value for each row, by name.

  Raises:
    DataError: it is absent, damaged, or would have to be unpickled.
  """
  return {
    name: _load(path, name, stored)
    for name, stored in _members(path).items()
    if len(stored.shape) == 1
  }


def _source(path: str, found: Mapping[str, Stored]) -> Source:
  name = _choose(path, found)
  stored, kind = found[name], _NAMES.get(name, '')
  beside = {
    key: _load(path, key, found[key]) for key in _BESIDE if key in found
  }
  rest: dict[str, Any] = {
    'columns': functools.partial(
      _texts, path, found, {name, *_BESIDE}, stored.shape[0]
    )
  }
  if 'ids' in beside:
    rest['ids'] = source_lib.text(beside['ids'], f'ids of {path}')
  if 'labels' in beside:
    rest['labels'] = source_lib.classes_or_names(
      beside['labels'], f'labels of {path}'
    )
  if 'class_names' in beside:
    names = source_lib.text(beside['class_names'], f'class_names of {path}')
    rest['class_names'] = tuple(source_lib.normalised(names).tolist())
  column = len(stored.shape) == 2 and stored.shape[1] == 1
  if column and stored.dtype.kind in 'iu' and kind in ('', source_lib.CLASSES):
    stored = _flat(stored)
  if len(stored.shape) == 1:
    if kind not in ('', source_lib.CLASSES):
      raise errors.DataError(
        f'{name} of {path} must be [rows, classes], got shape '
        f'{list(stored.shape)}.'
      )
    values = _load(path, name or 'the array', stored)
    predicted = source_lib.classes_or_names(values, f'classes of {path}')
    if 'confidence' in beside:
      rest['confidence'] = source_lib.confidences(
        beside['confidence'], f'confidence of {path}'
      )
    return Source(
      source_lib.CLASSES, len(predicted), predicted=predicted, **rest
    )
  numeric = stored.dtype.kind in 'fiu' or stored.dtype == ml_dtypes.bfloat16
  if len(stored.shape) != 2 or not numeric or kind == source_lib.CLASSES:
    raise errors.DataError(
      f'{path} must hold scores, numbers of shape [rows, classes], or classes '
      f'[rows], got {stored.dtype} of shape {list(stored.shape)}.'
    )
  rows, classes = stored.shape
  if stored.guessed:
    rest['notes'] = (
      'numbers of two bytes without a type are read as bfloat16',
    )
  return Source(kind, rows, classes, stored.blocks, **rest)


def _flat(stored: Stored) -> Stored:
  """A column `[rows, 1]` as `[rows]`."""
  return stored._replace(
    shape=stored.shape[:1], load=lambda: stored.load().reshape(-1)
  )


def _texts(
  path: str, found: Mapping[str, Stored], known: set[str], rows: int
) -> dict[str, np.ndarray]:
  """The further arrays of text or whole numbers, one value for each row."""
  return {
    name: source_lib.text(_load(path, name, stored), f'{name} of {path}')
    for name, stored in found.items()
    if name not in known
    and stored.shape == (rows,)
    and stored.dtype.kind in 'USiu'
  }


def _load(path: str, name: str, stored: Stored) -> np.ndarray:
  with readable(path, f'an array ({name})'):
    values = stored.load()
  bfloat16 = values.dtype == ml_dtypes.bfloat16
  return values.astype(np.float32) if bfloat16 else values


def _choose(path: str, found: Mapping[str, Stored]) -> str:
  known = [name for name in found if name in _NAMES]
  other = [
    name
    for name, stored in found.items()
    if name not in _BESIDE and stored.dtype.kind not in 'US'
  ] or [name for name in found if name not in _BESIDE]
  chosen = known or other
  if len(chosen) != 1:
    raise errors.DataError(
      f'{path} must hold one array of predictions, called one of '
      f'{", ".join(_NAMES)}, or one array alone; got '
      f'{", ".join(sorted(found)) or "none"}.'
    )
  return chosen[0]


def _tensor(path: str, name: str, view: Any) -> Stored:
  shape = tuple(view.get_shape())
  code = view.get_dtype()
  if code not in _SAFETENSORS_KINDS:
    raise errors.DataError(
      f'{name} of {path} must have one of the types '
      f'{", ".join(_SAFETENSORS_KINDS)}, got {code}.'
    )
  dtype = np.dtype(_SAFETENSORS_KINDS[code])

  def load() -> np.ndarray:
    with safetensors.safe_open(path, framework='numpy') as f:
      return f.get_tensor(name)

  def blocks() -> Blocks:
    step = source_lib.block_rows(dtype.itemsize * math.prod(shape[1:]))
    for start in range(0, shape[0], step):
      with (
        readable(path, 'safetensors'),
        safetensors.safe_open(path, framework='numpy') as f,
      ):
        # Unlike NumPy, it refuses slices that go beyond the end.
        values = f.get_slice(name)[start : min(start + step, shape[0])]
      yield start, values

  if not shape:
    raise errors.DataError(
      f'{name} of {path} must be an array, got a single value.'
    )
  return Stored(shape, dtype, load, blocks)
