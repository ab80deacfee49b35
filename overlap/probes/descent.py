"""The path of strengths, compiled, over features in memory."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from overlap.probes import losses, slots
from overlap.probes.slots import Setting

Array = Any  # Of NumPy or of JAX.


class Data(NamedTuple):
  """Examples in b blocks of m columns each, spread over the devices.

  Attributes:
    features: float32 `[b, d, m]`, along their principal axes. Turned this
      way round, the products take half of the time on a CPU.
    labels: int32 `[b, m]`, or `[b, k, m]` of 0 and 1 for several labels.
    weights: float32 `[b, m]`, adding up to 1; 0 for padding.
  """

  features: Array
  labels: Array
  weights: Array


def evaluate_block(
  params: jax.Array, block: Data
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Sums over a block, without the penalty.

  Args:
    params: `[p, k, d + 1]`, the biases last.
    block: without the first axis of each array.

  Returns:
    Losses `[p, g]`, gradients `[p, k, d + 1]`, curvatures by the logits
    `[p, g]`.
  """
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
  """`evaluate_block` summed over all blocks, and penalised."""
  one = jax.tree.map(lambda leaf: leaf[0], data)
  if len(data.features) == 1:
    sums = evaluate_block(params, one)
  else:

    def add(sums: Any, block: Data) -> tuple[Any, None]:
      more = evaluate_block(params, block)
      return jax.tree.map(jnp.add, sums, more), None

    empty = jax.eval_shape(evaluate_block, params, one)
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), empty)
    sums, _ = jax.lax.scan(add, zero, data)
  return penalised(*sums, params, l2)


def penalised(
  values: jax.Array,
  grads: jax.Array,
  bends: jax.Array,
  params: jax.Array,
  l2: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Adds `l2` `[p, g]` / 2 times the sum of squares, without the biases."""
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
  """Solves all strengths, `count` at a time; see `slots.Solutions`.

  To be compiled with the arrays as arguments: closed over, they would be
  constants to fold.

  Args:
    data: the examples.
    setting: setting of the path.
    first: `[k, d + 1]`, where the first strengths begin.
    count: how many slots there are.
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
