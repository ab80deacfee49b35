"""Numba, as this package uses it."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable, **options: Any) -> Callable:
  """Compiles a function when it is first called.

  It runs without Python's lock, so that threads share the work. The machine
  code is kept for the next process, where there is a place for it.

  Args:
    function: to compile.
    **options: options of `numba.njit`.
  """
  try:
    return numba.njit(nogil=True, cache=True, **options)(function)
  except RuntimeError:  # Neither this folder nor the user's can be written.
    return numba.njit(nogil=True, **options)(function)
