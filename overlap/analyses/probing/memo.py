"""Checkpoints of probe results that later runs resume from."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from absl import logging
from etils import epath

from overlap.analyses.scratch import Scratch
from overlap.core import files
from overlap.distributed import meshes

# A NamedTuple of arrays and numbers; arrays have the same shape in all results.
R = TypeVar('R', bound=tuple)


class Memo(Generic[R]):
  """Results of probes by key, in memory and optionally in a folder.

  A later run uses them only if everything that they depend on is the same.
  """

  def __init__(
    self,
    folder: epath.Path | None,
    depends_on: Any,
    kind: type[R],
    name: str = 'probes',
  ):
    """Loads the results of an earlier run; all processes must call it.

    Args:
      folder: folder for the results, created when they are saved; None for
        memory alone.
      depends_on: JSON that identifies everything the results depend on.
      kind: class of the results, a NamedTuple.
      name: name of the file.
    """
    # The rounding of sums depends on the number of devices.
    self._digest = files.digest([depends_on, meshes.device_count()])
    self._kind = kind
    self._scratch = (
      None if folder is None else Scratch(folder, name, shared=True)
    )
    self._found: dict[str, R] = {}
    if self._scratch is not None:
      self._found = self._scratch.load(self._digest, self._read) or {}
    if self._found and self._scratch is not None:
      logging.info(
        'probes: going on with the %d of %s',
        len(self._found),
        self._scratch.file,
      )

  def get(self, key: str) -> R | None:
    """Returns the result of a key, or None."""
    return self._found.get(key)

  def put(self, key: str, result: R) -> None:
    """Stores a result, and saves all at most once per interval."""
    self._found[key] = result
    if self._scratch is not None:
      self._scratch.save(self._digest, self._arrays)

  @property
  def _fields(self) -> tuple[str, ...]:
    return self._kind._fields  # type: ignore[attr-defined]

  def _arrays(self) -> dict[str, Any]:
    """Returns all results as one array per field."""
    columns = list(zip(*self._found.values()))
    lengths = [np.shape(column[-1])[-1:] for column in columns]
    packed = {
      f'result_{field}': _packed(np.stack([np.asarray(v) for v in column]))
      for field, column in zip(self._fields, columns)
    }
    return packed | {
      'keys': list(self._found),
      'lengths': [length[0] if length else 0 for length in lengths],
    }

  def _read(self, saved: Mapping[str, np.ndarray]) -> dict[str, R]:
    """Returns the results that `_arrays` packed."""
    columns = [
      _unpacked(saved[f'result_{field}'], int(length))
      for field, length in zip(self._fields, saved['lengths'])
    ]
    return {
      str(key): self._kind(*map(_plain, values))
      for key, *values in zip(saved['keys'], *columns)
    }


def _packed(values: np.ndarray) -> np.ndarray:
  """Packs boolean arrays as bits; other values are unchanged."""
  if values.dtype == bool and values.ndim > 1:
    return np.packbits(values, axis=-1)
  return values


def _unpacked(values: np.ndarray, length: int) -> np.ndarray:
  if values.dtype == np.uint8 and values.ndim > 1:
    return np.unpackbits(values, axis=-1, count=length).astype(bool)
  return values


def _plain(value: Any) -> Any:
  """Returns arrays unchanged, and scalars as Python numbers."""
  return value if np.ndim(value) else value.item()
