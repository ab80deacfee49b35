"""Gradient accumulation over parts of a batch, to save memory."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def value_and_grad(loss: Callable[..., Any], parts: int) -> Callable[..., Any]:
  """`jax.value_and_grad(loss, has_aux=True)` with gradient accumulation.

  For a loss that is a mean over examples, the result is that of the whole batch
  up to rounding. Operations across examples see one part only: the statistics
  of batch norm, which are updated part by part, and the negatives of
  contrastive losses.

  Args:
    loss: loss function, see `step.Loss`.
    parts: number of equally large parts.

  Returns:
    A function of the loss's arguments that returns `((value, aux), grads)`.
  """
  of_one = jax.value_and_grad(loss, has_aux=True)
  if parts == 1:
    return of_one

  def of_all(params, batch_stats, constants, batch, key):
    def compute(batch_stats, number, part):
      (value, aux), grads = of_one(
        params, batch_stats, constants, part, jax.random.fold_in(key, number)
      )
      return aux.batch_stats, (value, aux._replace(batch_stats=()), grads)

    def step(carry, numbered):
      batch_stats, new = compute(carry[0], *numbered)
      return (batch_stats, jax.tree.map(jnp.add, carry[1], new)), None

    split = jax.tree.map(lambda leaf: _split(leaf, parts), batch)
    first = jax.tree.map(lambda leaf: leaf[0], split)
    _, shapes = jax.eval_shape(compute, batch_stats, 0, first)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    (batch_stats, total), _ = jax.lax.scan(
      step, (batch_stats, zeros), (jnp.arange(parts), split)
    )
    value, aux, grads = jax.tree.map(lambda leaf: leaf / parts, total)
    return (value, aux._replace(batch_stats=batch_stats)), grads

  return of_all


def _split(leaf: jax.Array, parts: int) -> jax.Array:
  """Reshapes rows `[B, ...]` to `[parts, B / parts, ...]`.

  Each part takes every `parts`-th row: devices hold consecutive rows of the
  batch, so every device already has its share of each part.
  """
  return leaf.reshape(-1, parts, *leaf.shape[1:]).swapaxes(0, 1)
