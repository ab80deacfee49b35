"""Numba compilation with this package's options."""

from collections.abc import Callable
from typing import Any

import numba


def jit_cpu(function: Callable, **options: Any) -> Callable:
  """Compiles a function with Numba at its first call.

  It releases the GIL, so that threads run in parallel, and caches the machine
  code on disk if there is a writable place for it.

  Args:
    function: function to compile.
    **options: options of `numba.njit`.
  """
  try:
    return numba.njit(nogil=True, cache=True, **options)(function)
  except RuntimeError:  # No cache folder is writable.
    return numba.njit(nogil=True, **options)(function)
