"""Record of the rows written by several processes to one array."""

import numpy as np
from etils import epath

from overlap import errors, files

# Within the partial folder, and gone before the record is shown.
FOLDER = '.rows'


def save(
  folder: epath.Path, name: str, writer: str, written: np.ndarray
) -> None:
  """Notes which rows of an array one writer wrote, for the primary.

  Args:
    folder: the partial folder.
    name: name of the array.
    writer: a name of the writer; a later note of its replaces an earlier one.
    written: bool [rows].
  """
  bits = np.packbits(written).tobytes()
  files.write_bytes(folder / FOLDER / name / writer, bits)


def counts(folder: epath.Path, name: str, written: np.ndarray) -> np.ndarray:
  """Returns how often each row was written by all writers, uint8 [rows].

  Args:
    folder: the partial folder.
    name: name of the array.
    written: bool [rows], by this writer.
  """
  total = written.astype(np.uint8)
  notes = folder / FOLDER / name
  for note in notes.iterdir() if notes.is_dir() else ():
    bits = np.frombuffer(note.read_bytes(), np.uint8)
    # Saturates, so that 256 writers are not none.
    total = np.minimum(total, 2) + np.unpackbits(bits, count=len(total))
  return total


def check(name: str, counts: np.ndarray) -> None:
  """Checks that each row was written once.

  Raises:
    DataError: one was not; the text says how many and the first.
  """
  for fault, rows in (('missing', counts == 0), ('repeated', counts > 1)):
    if rows.any():
      raise errors.DataError(
        f'{name} must have each of its {len(counts)} rows written once, got '
        f'{np.count_nonzero(rows)} {fault}, the first of them row '
        f'{int(np.argmax(rows))}: predict or ingest it again.'
      )
