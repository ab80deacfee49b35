"""Reads files that another run may replace meanwhile."""

from collections.abc import Callable
from typing import Any, TypeVar

from overlap import errors

# Something is replaced while it is read, hardly again and again.
_TRIES = 100

T = TypeVar('T')


def read_unreplaced(
  read: Callable[[], T], stamp: Callable[[], Any], what: str
) -> T:
  """Reads several files of one state, again where they were replaced.

  Args:
    read: reads the files.
    stamp: returns what tells one state from another, such as the bytes of the
      file that lists the others' checksums.
    what: what is read, for the error's text, in the plural.

  Returns:
    What `read` returned while the stamp stayed.

  Raises:
    DataError: `read` raised it and nothing was replaced meanwhile, or the
      files were replaced during every try.
  """
  for _ in range(_TRIES):
    before = stamp()
    try:
      result = read()
    except errors.DataError:
      if stamp() == before:
        raise
      continue
    if stamp() == before:
      return result
  raise errors.DataError(
    f'{what} must stay while they are read, and were replaced {_TRIES} times: '
    'end what replaces them.'
  )
