"""Control of the freed memory that the C library keeps.

glibc gives each thread a heap, 8 for each core, and never returns the free end
of a heap that is not the first: a process of many threads that has freed all it
needed may hold hundreds of MiB, more with every thread that was busy once.
Where the C library is another one, nothing is done.
"""

import ctypes
from typing import Any

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h.


def share_one_heap() -> None:
  """Makes threads that start from now on use the first heap."""
  _call('mallopt', _ARENA_MAX, 1)


def return_freed() -> None:
  """Gives the system back what the process has freed."""
  _call('malloc_trim', ctypes.c_size_t(0))


def _call(name: str, *arguments: Any) -> None:
  """Calls a function of the C library, where it has it."""
  try:
    function = getattr(ctypes.CDLL(None), name)
  except (AttributeError, OSError, TypeError):
    return
  function(*arguments)
