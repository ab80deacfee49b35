"""Probes that were fitted before a run was cut short, kept until its end."""

import contextlib
import io
import time
import zipfile
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap import files, parallel
from overlap.analyses.probing.fitting import Result

# How often they are written, in seconds.
_EVERY = 15.0


class Memo:
  """Results of probes by key, in memory and, where there is one, in a folder.

  They are taken up again only by a run for which everything that they depend
  on is the same.
  """

  def __init__(self, folder: epath.Path | None, depends_on: Any):
    """Reads what an earlier run has left.

    Args:
      folder: made where it is absent; None for memory alone.
      depends_on: JSON.
    """
    self._digest = files.digest(depends_on)
    self._file = None
    if folder is not None:
      self._file = folder / f'probes-{parallel.process_index()}.npz'
    self._found: dict[str, Result] = {}
    self._last = time.monotonic()
    self._load()

  def get(self, key: str) -> Result | None:
    """The result of a key, None where there is none."""
    return self._found.get(key)

  def put(self, key: str, result: Result) -> None:
    """Keeps a result, and writes all if it is some time since."""
    self._found[key] = result
    if self._file is None or time.monotonic() - self._last < _EVERY:
      return
    content = io.BytesIO()
    results = list(self._found.values())
    np.savez(
      content,
      digest=self._digest,
      keys=list(self._found),
      correct=np.packbits([r.correct for r in results], axis=1),
      examples=len(result.correct),
      width=[r.width for r in results],
      l2=[r.l2 for r in results],
      heldout_accuracy=[r.heldout_accuracy for r in results],
      converged=[r.converged for r in results],
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

  def _load(self) -> None:
    if self._file is None or not self._file.exists():
      return
    try:
      with np.load(io.BytesIO(self._file.read_bytes())) as saved:
        if str(saved['digest']) != self._digest:
          return
        correct = np.unpackbits(
          saved['correct'], axis=1, count=int(saved['examples'])
        )
        self._found = {
          str(key): Result(
            correct=correct[i].astype(bool),
            width=int(saved['width'][i]),
            l2=float(saved['l2'][i]),
            heldout_accuracy=float(saved['heldout_accuracy'][i]),
            converged=bool(saved['converged'][i]),
          )
          for i, key in enumerate(saved['keys'])
        }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
      return  # It can't be read: it is as if there were none.
    logging.info('probes: going on with the %d of %s', len(self._found),
                 self._file)  # fmt: skip
