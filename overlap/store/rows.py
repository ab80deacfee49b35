"""Record of the rows written by several processes to one array."""

import numpy as np
from etils import epath

from overlap.core import errors, files

# Subfolder of the partial folder, deleted before the record is published.
FOLDER = '.rows'


def save(
  folder: epath.Path, name: str, writer: str, written: np.ndarray
) -> None:
  """Records for the primary process which rows of an array a writer wrote.

  Args:
    folder: the partial folder.
    name: name of the array.
    writer: unique name of the writer; a later call replaces an earlier one.
    written: mask of the rows, bool [rows].
  """
  bits = np.packbits(written).tobytes()
  files.write_bytes(folder / FOLDER / name / writer, bits)


def counts(folder: epath.Path, name: str, written: np.ndarray) -> np.ndarray:
  """Returns how often each row was written by all writers, uint8 [rows].

  Args:
    folder: the partial folder.
    name: name of the array.
    written: mask of the rows written by this writer, bool [rows].
  """
  total = written.astype(np.uint8)
  notes = folder / FOLDER / name
  for note in notes.iterdir() if notes.is_dir() else ():
    bits = np.frombuffer(note.read_bytes(), np.uint8)
    # Saturated at 3, so that uint8 does not overflow.
    total = np.minimum(total, 2) + np.unpackbits(bits, count=len(total))
  return total


def check_rows(name: str, counts: np.ndarray) -> None:
  """Checks that each row was written once.

  Raises:
    DataError: a row was not; the message gives their number and the first.
  """
  for fault, rows in (('missing', counts == 0), ('repeated', counts > 1)):
    if rows.any():
      raise errors.DataError(
        f'{name} must have each of its {len(counts)} rows written once, got '
        f'{np.count_nonzero(rows)} {fault}, the first of them row '
        f'{int(np.argmax(rows))}: predict or ingest it again.'
      )
