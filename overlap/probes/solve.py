"""Solves a probe's problem for many strengths, in memory or in blocks."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from overlap.distributed import meshes
from overlap.probes import descent, prepare, slots
from overlap.probes.descent import Data
from overlap.probes.prepare import Problem

# Values in a block that is read in each pass: 64 MiB of float32.
_BLOCK_NUMBERS = 1 << 24
# Float32 values in the curvature pairs of all slots: 1 GiB.
_SLOT_NUMBERS = 1 << 28
# Logits of all slots, of which a pass keeps a few copies: 256 MiB each.
_LOGITS = 1 << 26


def solve(
  problem: Problem,
  strengths: np.ndarray,
  *,
  tolerance: float,
  max_iterations: int,
  first: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
  """Solves for each row of strengths, in their order.

  Args:
    problem: prepared data.
    strengths: strengths `[S, g]`, best from the strongest to the weakest.
    tolerance: relative excess of the loss at which a problem has converged.
    max_iterations: maximal number of L-BFGS steps.
    first: starting point of the first strengths, `[k, d + 1]`, for centred
      features; None for the class frequencies.

  Returns:
    The fields of `slots.Solutions`, with parameters for centred features, and
    'passes', the number of passes over the features.
  """
  width = problem.rows.shape[1]
  if first is None:
    first = np.zeros((problem.num_classes, width + 1))
    first[:, -1] = problem.bias
  start = _turned(first, problem.rotation).astype(np.float32)
  setting = slots.Setting(
    l2=np.asarray(strengths, np.float32),
    variances=np.asarray(problem.variances, np.float32),
    rates=np.asarray(problem.rates, np.float32),
    tolerance=np.asarray(tolerance, np.float32),
    max_steps=np.asarray(max_iterations, np.int32),
  )
  count = slot_count(problem, len(strengths))
  solver = _stream if problem.data is None else _descend
  found = jax.device_get(solver(problem, setting, start, count))
  params = _turned(found['params'].astype(np.float64), problem.rotation.T)
  return found | {'params': params}


def slot_count(problem: Problem, strengths: int) -> int:
  """Returns the number of strengths that are solved at a time."""
  size = problem.num_classes * (problem.rows.shape[1] + 1)
  fits = max(1, _SLOT_NUMBERS // (24 * size))
  if problem.data is None:
    return min(16, fits, strengths)
  columns = problem.data.weights.shape[1] * problem.num_classes
  wanted = 4 if columns < 1 << 18 else 2
  return min(wanted, fits, max(1, _LOGITS // columns), strengths)


def _turned(params: np.ndarray, rotation: np.ndarray) -> np.ndarray:
  """Rotates the kernels `[..., k, d]`; the biases in the last column stay."""
  kernel = params[..., :-1] @ rotation
  return np.concatenate([kernel, params[..., -1:]], axis=-1)


def _compiled(function: Any, *static: str) -> Any:
  return _compiled_for(meshes.mesh(), function, *static)


@functools.cache
def _compiled_for(mesh: Any, function: Any, *static: str) -> Any:
  del mesh  # Part of the cache key: another mesh needs another program.
  return meshes.jit_summed(function, static_argnames=static)


def _descend(
  problem: Problem, setting: slots.Setting, first: np.ndarray, count: int
) -> dict[str, jax.Array]:
  """Runs all passes in one compiled loop."""
  setting, first = meshes.replicate((setting, first))
  return _compiled(descent.descend, 'count')(
    problem.data, setting, first, count=count
  )


def _stream(
  problem: Problem, setting: slots.Setting, first: np.ndarray, count: int
) -> dict[str, jax.Array]:
  """Reads the features anew in each pass."""
  setting, first, rotation = meshes.replicate(
    (setting, first, problem.rotation)
  )
  now = _compiled(slots.begin, 'slots')(setting, first, slots=count)
  while bool(_compiled(slots.unfinished)(now, setting)):
    params, l2 = _compiled(slots.trials)(now, setting)
    straight = _compiled(_turn_back)(params, rotation)
    sums: Any = None
    for block in _blocks(problem):
      more = _compiled(descent.evaluate_block)(straight, block)
      sums = more if sums is None else jax.tree.map(jnp.add, sums, more)
    now = _compiled(_advance)(now, setting, sums, params, l2, rotation)
  return slots.found(now)


def _blocks(problem: Problem) -> Iterator[Data]:
  """Yields the examples of all processes in blocks."""
  wide = max(problem.rows.shape[1], problem.num_classes)
  columns = prepare.most_columns(problem)
  devices = len(problem.rows.local_parts())
  most = max(1, _BLOCK_NUMBERS // wide)
  size = -(-min(most, columns) // devices) * devices
  for features, labels, weights in prepare.padded_blocks(
    problem, size, -(-columns // size)
  ):
    turned = np.ascontiguousarray(features.T)
    yield meshes.shard_columns(Data(turned, labels, weights))


def _turn_back(params: jax.Array, rotation: jax.Array) -> jax.Array:
  kernel = jnp.matmul(
    params[:, :, :-1], rotation.T, precision=jax.lax.Precision.HIGHEST
  )
  return jnp.concatenate([kernel, params[:, :, -1:]], axis=2)


def _advance(
  now: slots.Slots,
  setting: slots.Setting,
  sums: tuple[jax.Array, jax.Array, jax.Array],
  params: jax.Array,
  l2: jax.Array,
  rotation: jax.Array,
) -> slots.Slots:
  """Rotates the gradients to the principal axes and updates the slots."""
  values, grads, bends = sums
  grads = _turn_back(grads, rotation.T)
  return slots.advance(
    now, setting, *descent.penalised(values, grads, bends, params, l2)
  )


def strongest_first(strengths: Sequence[float]) -> np.ndarray:
  """Returns the order of strengths from the strongest to the weakest."""
  return np.argsort(-np.asarray(strengths), kind='stable')
