"""Probes that were fitted before a run was cut short, kept until its end."""

import contextlib
import io
import time
import zipfile
from typing import Any, Generic, TypeVar

import numpy as np
from absl import logging
from etils import epath

from overlap import files, parallel

# A NamedTuple of arrays and numbers, whose arrays are alike in all results.
R = TypeVar('R', bound=tuple)
# How often they are written, in seconds.
_EVERY = 15.0


class Memo(Generic[R]):
  """Results of probes by key, in memory and, where there is one, in a folder.

  They are taken up again only by a run for which everything that they depend
  on is the same.
  """

  def __init__(
    self,
    folder: epath.Path | None,
    depends_on: Any,
    kind: type[R],
    name: str = 'probes',
  ):
    """Reads what an earlier run has left.

    Args:
      folder: made where it is absent; None for memory alone.
      depends_on: JSON.
      kind: of the results, a NamedTuple.
      name: of the file.
    """
    self._digest = files.digest(depends_on)
    self._kind = kind
    self._file = None
    if folder is not None:
      self._file = folder / f'{name}-{parallel.process_index()}.npz'
    self._found: dict[str, R] = {}
    self._last = time.monotonic()
    self._load()

  def get(self, key: str) -> R | None:
    """The result of a key, None where there is none."""
    return self._found.get(key)

  def put(self, key: str, result: R) -> None:
    """Keeps a result, and writes all if it is some time since."""
    self._found[key] = result
    if self._file is None or time.monotonic() - self._last < _EVERY:
      return
    content = io.BytesIO()
    columns = zip(*self._found.values())
    arrays: dict[str, Any] = {
      f'result_{field}': _packed(np.stack([np.asarray(v) for v in column]))
      for field, column in zip(self._fields, columns)
    }
    lengths = [np.shape(value)[-1:] for value in result]
    np.savez(
      content,
      digest=self._digest,
      keys=list(self._found),
      lengths=[length[0] if length else 0 for length in lengths],
      **arrays,
    )
    files.write_bytes(self._file, content.getvalue())
    self._last = time.monotonic()

  def remove(self) -> None:
    """Removes what was written, and the folder where it holds no more."""
    if self._file is None:
      return
    # What stays is taken up by no other run: that it stays does no harm.
    with contextlib.suppress(OSError):
      self._file.unlink(missing_ok=True)
      self._file.parent.rmdir()

  @property
  def _fields(self) -> tuple[str, ...]:
    return self._kind._fields  # type: ignore[attr-defined]

  def _load(self) -> None:
    if self._file is None or not self._file.exists():
      return
    try:
      with np.load(io.BytesIO(self._file.read_bytes())) as saved:
        if str(saved['digest']) != self._digest:
          return
        columns = [
          _unpacked(saved[f'result_{field}'], int(length))
          for field, length in zip(self._fields, saved['lengths'])
        ]
        self._found = {
          str(key): self._kind(*map(_plain, values))
          for key, *values in zip(saved['keys'], *columns)
        }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
      return  # It can't be read: it is as if there were none.
    logging.info('probes: going on with the %d of %s', len(self._found),
                 self._file)  # fmt: skip


def _packed(values: np.ndarray) -> np.ndarray:
  """Truth values of arrays as bits; all else as it is."""
  if values.dtype == bool and values.ndim > 1:
    return np.packbits(values, axis=-1)
  return values


def _unpacked(values: np.ndarray, length: int) -> np.ndarray:
  if values.dtype == np.uint8 and values.ndim > 1:
    return np.unpackbits(values, axis=-1, count=length).astype(bool)
  return values


def _plain(value: Any) -> Any:
  """An array as it is, a number as Python's own."""
  return value if np.ndim(value) else value.item()
