"""Sums of products of feature blocks: BLAS on a CPU, XLA elsewhere.

A block's products are in float32. Blocks are summed in float64 or, on an
accelerator, in float32 with Kahan's compensated summation.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overlap.core import lookup

BACKENDS = {
  'blas': 'the CPU, whatever JAX runs on',
  'xla': "JAX's default device",
}
# Rows updated at a time, few enough for the processor's cache.
_ROWS = 64


class Backend(NamedTuple):
  """Functions that compute products on one kind of device.

  Attributes:
    put: function that moves a block `[rows, dimensions]` to the device.
    add: function of a sum or None and of blocks X and Y that returns the sum
      plus `XᵀY`. If both blocks are the same object, half of the product may be
      computed.
    get: function that returns the sum as an array `[dimensions of X, dimensions
      of Y]`.
  """

  put: Callable[[np.ndarray], Any]
  add: Callable[[Any, Any, Any], Any]
  get: Callable[[Any], np.ndarray]


def backend(name: str | None = None) -> Backend:
  """Returns a backend by its name.

  Args:
    name: a key of `BACKENDS`; None for 'blas' if JAX runs on a CPU and 'xla'
      elsewhere.

  Raises:
    UsageError: the backend is unknown.
  """
  if name is None:
    name = 'blas' if jax.default_backend() == 'cpu' else 'xla'
  lookup.check_choice('back end for similarities', name, BACKENDS)
  if name == 'blas':
    return Backend(lambda block: block, _add_blas, lambda total: total)
  return Backend(jnp.asarray, _add_xla, _get_xla)


def _add_blas(
  total: np.ndarray | None, one: np.ndarray, two: np.ndarray
) -> np.ndarray:
  product = one.T @ two  # NumPy computes half of it if both are the same array.
  if total is None:
    return product
  if total.dtype != np.float64:
    total = total.astype(np.float64)
  for start in range(0, len(total), _ROWS):
    total[start : start + _ROWS] += product[start : start + _ROWS]
  return total


def _add_xla(
  total: tuple[jax.Array, jax.Array] | None, one: jax.Array, two: jax.Array
) -> tuple[jax.Array, jax.Array]:
  if total is None:
    shape = one.shape[1], two.shape[1]
    total = jnp.zeros(shape), jnp.zeros(shape)
  return _compensated(*total, one, two)


@jax.jit
def _compensated(
  total: jax.Array, lost: jax.Array, one: jax.Array, two: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Adds a block's product by Kahan's compensated summation."""
  product = jnp.matmul(one.T, two, precision=jax.lax.Precision.HIGHEST)
  term = product - lost
  new = total + term
  return new, (new - total) - term


def _get_xla(total: tuple[jax.Array, jax.Array]) -> np.ndarray:
  found, lost = (np.asarray(part, np.float64) for part in total)
  return found - lost
