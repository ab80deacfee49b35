"""Consistent reading of files that another run may replace meanwhile."""

from collections.abc import Callable
from typing import Any, TypeVar

from overlap.core import errors

# Number of attempts; more than a few are unlikely.
_TRIES = 100

T = TypeVar('T')


def read_unreplaced(
  read: Callable[[], T], stamp: Callable[[], Any], what: str
) -> T:
  """Reads several files of one state, again if they were replaced meanwhile.

  Args:
    read: function that reads the files.
    stamp: function that returns a value that changes with the state, such as
      the bytes of the file with the others' checksums.
    what: description of the files in the plural, for error messages.

  Returns:
    The result of `read` from a time when the stamp did not change.

  Raises:
    DataError: `read` raised it and nothing was replaced meanwhile, or the
      files were replaced during every attempt.
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
