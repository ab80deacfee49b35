"""Control of the freed memory that the C library keeps.

glibc gives each thread a heap, up to 8 per core, and never returns the free end
of any heap but the first: a process with many threads that has freed everything
may keep hundreds of MiB, more with every thread that was ever busy. With other
C libraries nothing is done.
"""

import ctypes
from typing import Any

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h.


def share_one_heap() -> None:
  """Makes threads that start from now on use the first heap."""
  _call('mallopt', _ARENA_MAX, 1)


def return_freed() -> None:
  """Returns freed memory of the process to the system."""
  _call('malloc_trim', ctypes.c_size_t(0))


def _call(name: str, *arguments: Any) -> None:
  """Calls a function of the C library if it exists."""
  try:
    function = getattr(ctypes.CDLL(None), name)
  except (AttributeError, OSError, TypeError):
    return
  function(*arguments)
