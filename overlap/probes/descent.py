"""Compiled solver of a regularisation path over features in memory."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from overlap.distributed import meshes
from overlap.probes import losses, slots
from overlap.probes.slots import Setting

Array = Any  # NumPy or JAX array.


class Data(NamedTuple):
  """Examples in b blocks of m columns each, sharded over the devices.

  Attributes:
    features: features along their principal axes, float32 `[b, d, m]`. In this
      orientation the matrix products take half the time on a CPU.
    labels: labels, int32 `[b, m]`, or `[b, k, m]` of 0 and 1 for multi-label
      problems.
    weights: weights of the examples, float32 `[b, m]`, summing to 1; 0 for
      padding.
  """

  features: Array
  labels: Array
  weights: Array


def evaluate_block(
  params: jax.Array, block: Data
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns the sums of a block's losses and gradients, without the penalty.

  Args:
    params: parameters `[p, k, d + 1]` of p slots, biases last.
    block: one block, without the leading axis of each array.

  Returns:
    Losses `[p, g]`, gradients `[p, k, d + 1]`, and traces of the Hessians with
    respect to the logits, `[p, g]`.
  """
  return meshes.sum_over_columns(_own_block, params, block)


def _own_block(
  params: jax.Array, block: Data
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """`evaluate_block` of one device's columns."""
  p, k, width = params.shape
  kernel = params[:, :, :-1].reshape(p * k, width - 1)
  logits = _product(kernel, block.features, 0).reshape(p, k, -1)
  logits = logits + params[:, :, -1:]
  loss = losses.softmax if block.labels.ndim == 1 else losses.sigmoid
  values, grads, bends = loss(logits, block.labels, block.weights)
  inner = _product(grads.reshape(p * k, -1), block.features, 1)
  bias = jnp.sum(grads, axis=2, keepdims=True)
  inner = inner.reshape(p, k, width - 1)
  return values, jnp.concatenate([inner, bias], axis=2), bends


def evaluate(
  params: jax.Array, l2: jax.Array, data: Data
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns `evaluate_block` summed over all blocks, with the L2 penalty."""
  sums = meshes.sum_over_columns(_own_blocks, params, data)
  values, grads, bends = sums
  return penalised(values, grads, bends, params, l2)


def _own_blocks(
  params: jax.Array, data: Data
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """`_own_block` summed over one device's blocks."""
  one = jax.tree.map(lambda leaf: leaf[0], data)
  if len(data.features) == 1:
    return _own_block(params, one)

  def add(sums: Any, block: Data) -> tuple[Any, None]:
    more = _own_block(params, block)
    return jax.tree.map(jnp.add, sums, more), None

  empty = jax.eval_shape(_own_block, params, one)
  zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), empty)
  (values, grads, bends), _ = jax.lax.scan(add, zero, data)
  return values, grads, bends


def penalised(
  values: jax.Array,
  grads: jax.Array,
  bends: jax.Array,
  params: jax.Array,
  l2: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Adds `l2` `[p, g]` / 2 times the squared norm of the kernels."""
  kernel = params.at[:, :, -1].set(0)
  rows = jnp.repeat(l2, kernel.shape[1] // l2.shape[1], axis=1)
  squares = jnp.sum(jnp.square(kernel), axis=2)
  squares = squares.reshape(*values.shape, -1).sum(axis=2)
  return (
    values + l2 / 2 * squares,
    grads + rows[:, :, None] * kernel,
    bends,
  )


def descend(
  data: Data, setting: Setting, first: jax.Array, *, count: int
) -> dict[str, jax.Array]:
  """Solves for all strengths, `count` at a time.

  Compile it with the arrays as arguments: as closed-over constants they would
  be folded at compile time.

  Args:
    data: training examples.
    setting: constants of the path.
    first: starting point of the first strengths, `[k, d + 1]`.
    count: number of slots.

  Returns:
    The fields of `slots.Solutions`, and 'passes'.
  """

  def step(now: slots.Slots) -> slots.Slots:
    params, l2 = slots.trials(now, setting)
    return slots.advance(now, setting, *evaluate(params, l2, data))

  end = jax.lax.while_loop(
    lambda now: slots.unfinished(now, setting),
    step,
    slots.begin(setting, first, slots=count),
  )
  return slots.found(end)


def _product(left: jax.Array, right: jax.Array, axis: int) -> jax.Array:
  """`left @ right` (axis 0) or `left @ right.T` (1), in full float32."""
  return jax.lax.dot_general(
    left,
    right,
    (((1,), (axis,)), ((), ())),
    precision=jax.lax.Precision.HIGHEST,
  )
