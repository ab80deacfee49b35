"""Preparation of features, done once before any strength is solved.

They are normalised, centred and turned to their principal axes. Neither moves
the optimum: the biases take up the shift, and a rotation leaves the penalty as
it is. But along the principal axes the curvature of the loss is nearly
diagonal, so that it can be divided out for every strength.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from overlap import parallel
from overlap.probes import normalise
from overlap.probes.descent import Data
from overlap.probes.normalise import Normalisation
from overlap.probes.rows import Rows

# Numbers of one block's features or logits: 128 MiB of float32.
_BLOCK_NUMBERS = 1 << 25


@dataclasses.dataclass(frozen=True)
class Problem:
  """A probe's data, ready to be solved.

  Attributes:
    rows: this process's features.
    labels: int32 `[n]`, or `[n, k]` of 0 and 1.
    num_classes: k.
    total: examples of all processes.
    normalisation: normalisation of the features.
    rotation: float32 `[d, d]`: along the axes = normalised @ rotation.
    variances: `[d]`, along the axes.
    rates: `[k]`, p (1 - p) at the frequencies p of the classes.
    bias: `[k]`, which gives the frequencies without any feature.
    data: the examples in memory; None where they are read in each pass.
  """

  rows: Rows
  labels: np.ndarray
  num_classes: int
  total: int
  normalisation: Normalisation
  rotation: np.ndarray
  variances: np.ndarray
  rates: np.ndarray
  bias: np.ndarray
  data: Data | None

  @property
  def groups(self) -> int:
    """Problems a strength: one, or one a class."""
    return self.num_classes if self.labels.ndim == 2 else 1


def prepare(
  rows: Rows,
  labels: np.ndarray,
  *,
  num_classes: int,
  normalisation: str,
  stream: bool,
) -> Problem:
  """Takes the statistics, and the turned features unless they are streamed.

  Args:
    rows: this process's training features.
    labels: labels from `rows.check_labels`.
    num_classes: k.
    normalisation: a key of `normalise.KINDS`.
    stream: whether features are read again in each pass.
  """
  normal = normalise.measure((b for _, b in rows.blocks()), normalisation)
  frequencies, total = _frequencies(labels, num_classes)
  variances, rotation = _axes(rows, normal, total)
  bias = np.log(frequencies)
  if labels.ndim == 2:
    bias -= np.log1p(-frequencies)
  problem = Problem(
    rows=rows,
    labels=labels,
    num_classes=num_classes,
    total=total,
    normalisation=normal,
    rotation=rotation,
    variances=variances,
    rates=frequencies * (1 - frequencies),
    bias=bias,
    data=None,
  )
  if stream:
    return problem
  return dataclasses.replace(problem, data=_in_memory(problem))


def _frequencies(
  labels: np.ndarray, num_classes: int
) -> tuple[np.ndarray, int]:
  """Returns the frequency of each class, in (0, 1), and the examples."""
  if labels.ndim == 2:
    counts = labels.sum(axis=0)
  else:
    counts = np.bincount(labels, minlength=num_classes)
  row = np.append(counts, len(labels)).astype(np.float64)[None]
  *counts, total = parallel.gather_exact(row).sum(axis=0)
  # Of an absent class as if there were half an example.
  counts = np.clip(counts, 0.5, max(total - 0.5, 0.5))
  if labels.ndim == 1:
    return counts / np.sum(counts), int(total)
  return counts / total, int(total)


@jax.jit
def _gram(block: jax.Array) -> jax.Array:
  return jnp.matmul(block.T, block, precision=jax.lax.Precision.HIGHEST)


@jax.jit
def _eigh(covariance: jax.Array) -> tuple[jax.Array, jax.Array]:
  return jnp.linalg.eigh(covariance)


@jax.jit
def _turned(block: jax.Array, rotation: jax.Array) -> jax.Array:
  """`[m, d]` to `[d, m]` along the axes."""
  return jax.lax.dot_general(
    rotation,
    block,
    (((0,), (1,)), ((), ())),
    precision=jax.lax.Precision.HIGHEST,
  )


def _axes(
  rows: Rows, normal: Normalisation, total: int
) -> tuple[np.ndarray, np.ndarray]:
  """Variances along the principal axes `[d]`, and the axes `[d, d]`."""
  gram: Any = 0.0
  for _, block in rows.blocks():
    gram = gram + np.asarray(_gram(normal.centred(block)), np.float64)
  covariance = parallel.gather_exact(gram[None]).sum(axis=0) / total
  variances, rotation = map(np.asarray, _eigh(covariance.astype(np.float32)))
  return np.maximum(variances, 0), rotation


def _in_memory(problem: Problem) -> Data:
  """All examples along the principal axes, spread over the devices."""
  count, width = problem.rows.shape
  columns = parallel.padded_columns(count)
  wide = max(width, problem.num_classes)
  blocks = -(-columns * wide // _BLOCK_NUMBERS)
  size = parallel.padded_columns(-(-columns // blocks))
  arrays = [
    (_turned(block, problem.rotation), labels, weights)
    for block, labels, weights in padded_blocks(problem, size, blocks)
  ]
  return parallel.shard_columns(Data(*map(np.stack, zip(*arrays))))


def padded_blocks(
  problem: Problem, size: int, blocks: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  """Yields centred features, labels and weights of `size` rows each.

  Args:
    problem: problem with the rows.
    size: rows a block; the last ones are filled with zeros of weight 0.
    blocks: how many to yield, beyond the end if need be.

  Yields:
    `[size, d]`, int32 `[size]` or `[k, size]`, and `[size]`.
  """
  read = problem.rows.blocks(size)
  for number in range(blocks):
    start, block = next(read, (0, None))
    rows = 0 if block is None else len(block)
    features = np.zeros((size, problem.rows.shape[1]), np.float32)
    labels = np.zeros((size, *problem.labels.shape[1:]), np.int32)
    weights = np.zeros(size, np.float32)
    if block is not None:
      assert start == number * size
      features[:rows] = problem.normalisation.centred(block)
      labels[:rows] = problem.labels[start : start + rows]
      weights[:rows] = 1 / problem.total
    yield features, np.ascontiguousarray(labels.T), weights
