"""Products of blocks of features, added up: on a CPU by BLAS, else by XLA.

A block's products are in float32 and blocks are added in float64, or, on an
accelerator, in float32 with what rounding takes off carried along.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overlap import lookup

BACKENDS = {
  'blas': 'the CPU, whatever JAX runs on',
  'xla': "JAX's default device",
}
# Rows of a sum that is added to: they stay in the processor's cache.
_ROWS = 64


class Backend(NamedTuple):
  """Where products are made.

  Attributes:
    put: a block `[rows, dimensions]`, to where they are.
    add: a sum or None, and blocks X and Y, to the sum plus `XᵀY`. The same
      object twice is a product of which half is computed, where that helps.
    get: the sum as an array `[dimensions of X, dimensions of Y]`.
  """

  put: Callable[[np.ndarray], Any]
  add: Callable[[Any, Any, Any], Any]
  get: Callable[[Any], np.ndarray]


def backend(name: str | None = None) -> Backend:
  """A back end by its name.

  Args:
    name: of `BACKENDS`; None for 'blas' where JAX runs on a CPU and 'xla'
      elsewhere.

  Raises:
    UsageError: no such back end.
  """
  if name is None:
    name = 'blas' if jax.default_backend() == 'cpu' else 'xla'
  lookup.check('back end for similarities', name, BACKENDS)
  if name == 'blas':
    return Backend(lambda block: block, _add_blas, lambda total: total)
  return Backend(jnp.asarray, _add_xla, _get_xla)


def _add_blas(
  total: np.ndarray | None, one: np.ndarray, two: np.ndarray
) -> np.ndarray:
  product = one.T @ two  # NumPy computes half of it where both are the same.
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
  """Kahan's sum: what rounding takes off is put back with the next block."""
  product = jnp.matmul(one.T, two, precision=jax.lax.Precision.HIGHEST)
  term = product - lost
  new = total + term
  return new, (new - total) - term


def _get_xla(total: tuple[jax.Array, jax.Array]) -> np.ndarray:
  found, lost = (np.asarray(part, np.float64) for part in total)
  return found - lost
