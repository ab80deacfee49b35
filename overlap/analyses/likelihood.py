"""The temperature search and its passes over logits, compiled by XLA.

It computes the same sums as `softmax.cumulant_sums`, in float32.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overlap.analyses import newton
from overlap.analyses.softmax import FAR, TERMS

# Logits per block: on a CPU (in tests), several such arrays fit the cache; an
# accelerator needs larger blocks.
_BLOCKS = {'cpu': 2**18}
_BLOCK = 2**24


class Examples(NamedTuple):
  """Examples on a device, at least one block of them."""

  logits: jax.Array  # [examples, classes]
  labels: jax.Array  # [examples]
  weights: jax.Array  # [folds, examples]


def put(
  logits: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Examples:
  """Puts examples on the device.

  Args:
    logits: logits, float32 `[examples, classes]`.
    labels: class indices, int32 `[examples]`.
    weights: weights, `[folds, examples]`.
  """
  total, classes = logits.shape
  # Pad small inputs to few shapes, so that few are compiled. Added examples
  # have no weight.
  missing = (1 << max(0, total - 1).bit_length()) - total
  if total + missing <= block_rows(classes):
    logits = np.pad(logits, ((0, missing), (0, 0)))
    labels = np.pad(labels, (0, missing))
    weights = np.pad(weights, ((0, 0), (0, missing)))
  return Examples(
    jnp.asarray(logits),
    jnp.asarray(labels),
    jnp.asarray(weights.astype(np.float32)),
  )


def block_rows(classes: int) -> int:
  """Number of examples of a block."""
  block = _BLOCKS.get(jax.default_backend(), _BLOCK)
  return max(1, block // max(1, classes))


@functools.partial(jax.jit, static_argnames='tolerance')
def solve(
  examples: Examples, start: jax.Array, tolerance: float
) -> newton.Search:
  """Runs the search from b = `start` to its end; see `newton`."""

  def advance(search: newton.Search) -> newton.Search:
    at = newton.point(jnp, search)
    sums = cumulant_sums(examples, at)
    return newton.advance(jnp, search, at, sums, tolerance)

  return jax.lax.while_loop(
    functools.partial(newton.going, jnp),
    advance,
    newton.begin(jnp, start, len(examples.weights)),
  )


def cumulant_sums(examples: Examples, inverse: jax.Array) -> jax.Array:
  """Computes `softmax.cumulant_sums` in float32, `[6, folds]`."""
  total, classes = examples.logits.shape
  rows = min(total, block_rows(classes))

  def add(carry, first):
    sums, lost = carry
    # The last block starts early enough to be full; repeated rows are masked.
    begin = jnp.minimum(first, total - rows)
    logits, labels, weights = (
      jax.lax.dynamic_slice_in_dim(array, begin, rows, axis)
      for array, axis in zip(examples, (0, 0, 1))
    )
    terms, usable = _terms(logits, labels, inverse)
    usable = usable & (begin + jnp.arange(rows) >= first)
    terms = jnp.where(usable[jnp.newaxis], terms, 0.0)
    weights = jnp.where(usable[jnp.newaxis], weights, 0.0)
    # Kahan's compensated summation over blocks.
    products = terms[:, jnp.newaxis] * weights[jnp.newaxis]
    term = products.sum(axis=-1) - lost
    new = sums + term
    return (new, (new - sums) - term), None

  start = jnp.zeros((TERMS, len(examples.weights)))
  firsts = jnp.arange(0, total, rows)
  (sums, _), _ = jax.lax.scan(add, (start, start), firsts)
  return sums


def _terms(
  logits: jax.Array, labels: jax.Array, inverse: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns terms of examples `[6, rows]` and usable rows, bool `[rows]`."""
  classes = logits.shape[1]
  highest = logits.max(axis=1)
  inside = (labels >= 0) & (labels < classes)
  index = jnp.clip(labels, 0, classes - 1)[:, jnp.newaxis]
  chosen = jnp.take_along_axis(logits, index, axis=1)[:, 0]
  usable = inside & jnp.isfinite(highest) & jnp.isfinite(chosen)
  u_label = jnp.maximum((chosen - highest) * inverse, -FAR)
  # exp(-1000) is 0, and the bound avoids 0 times infinity.
  u = jnp.maximum((logits - highest[:, jnp.newaxis]) * inverse, -1000.0)
  power, sums = jnp.exp(u), []
  for _ in range(5):
    sums.append(power.sum(axis=1))
    power = power * u
  m1, m2, m3, m4 = (total / sums[0] for total in sums[1:])
  terms = (
    jnp.ones_like(m1),
    jnp.log(sums[0]) - u_label,
    m1 - u_label,
    jnp.maximum(m2 - m1**2, 0.0),
    m3 - 3 * m1 * m2 + 2 * m1**3,
    m4 - 4 * m1 * m3 - 3 * m2**2 + 12 * m1**2 * m2 - 6 * m1**4,
  )
  return jnp.stack(terms), usable
