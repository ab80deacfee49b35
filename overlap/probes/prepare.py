"""Preparation of features, done once for all strengths.

Features are normalised, centred and rotated to their principal axes. Neither
centring nor rotation changes the optimum: the biases absorb the shift, and the
penalty is invariant under rotation. But along the principal axes the Hessian
of the loss is nearly diagonal, which gives a preconditioner for each strength.
"""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from overlap.distributed import meshes, processes
from overlap.probes import normalise
from overlap.probes.descent import Data
from overlap.probes.normalise import Normalisation
from overlap.probes.rows import Rows

# Values in one block of features or logits: 128 MiB of float32.
_BLOCK_NUMBERS = 1 << 25


@dataclasses.dataclass(frozen=True)
class Problem:
  """Prepared data of a probe.

  Attributes:
    rows: features of this process.
    labels: labels, int32 `[n]`, or `[n, k]` of 0 and 1.
    num_classes: number of classes, k.
    total: number of examples of all processes.
    normalisation: normalisation of the features.
    rotation: rotation to the principal axes, float32 `[d, d]`, applied from
      the right.
    variances: variances along the principal axes, `[d]`.
    rates: p (1 - p) for the class frequencies p, `[k]`.
    bias: biases that give the class frequencies without any feature, `[k]`.
    data: examples in memory; None if they are read anew in each pass.
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
    """Number of problems per strength: one, or one per class."""
    return self.num_classes if self.labels.ndim == 2 else 1


def prepare(
  rows: Rows,
  labels: np.ndarray,
  *,
  num_classes: int,
  normalisation: str,
  stream: bool,
) -> Problem:
  """Computes the statistics, and rotates the features unless streaming.

  Args:
    rows: training features of this process.
    labels: labels from `rows.check_labels`.
    num_classes: number of classes, k.
    normalisation: a key of `normalise.KINDS`.
    stream: whether features are read anew in each pass.
  """
  normal = normalise.measure_statistics(rows, normalisation)
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
  """Returns class frequencies in (0, 1) and the number of examples."""
  if labels.ndim == 2:
    counts = labels.sum(axis=0)
  else:
    counts = np.bincount(labels, minlength=num_classes)
  row = np.append(counts, len(labels)).astype(np.float64)[None]
  *counts, total = processes.gather_exact(row).sum(axis=0)
  # An absent class counts as half an example.
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
  """Rotates `[m, d]` to `[d, m]` along the principal axes."""
  return jax.lax.dot_general(
    rotation,
    block,
    (((0,), (1,)), ((), ())),
    precision=jax.lax.Precision.HIGHEST,
  )


def _axes(
  rows: Rows, normal: Normalisation, total: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns variances `[d]` along the principal axes, and the axes `[d, d]`."""
  width = rows.shape[1]

  def gram(part: slice) -> np.ndarray:
    total = np.zeros((width, width))
    for _, block in rows.part_blocks(part):
      total += np.asarray(_gram(normal.centred(block)), np.float64)
    return total

  covariance = meshes.sum_in_order(map(gram, rows.local_parts())) / total
  variances, rotation = map(np.asarray, _eigh(covariance.astype(np.float32)))
  return np.maximum(variances, 0), rotation


def _in_memory(problem: Problem) -> Data:
  """Returns all examples along the principal axes, sharded over the devices."""
  columns = most_columns(problem)
  wide = max(problem.rows.shape[1], problem.num_classes)
  blocks = -(-columns * wide // _BLOCK_NUMBERS)
  devices = len(problem.rows.local_parts())
  size = -(-columns // (blocks * devices)) * devices
  arrays = [
    (_turned(block, problem.rotation), labels, weights)
    for block, labels, weights in padded_blocks(problem, size, blocks)
  ]
  return meshes.shard_columns(Data(*map(np.stack, zip(*arrays))))


def most_columns(problem: Problem) -> int:
  """Columns of each process where all devices have as many as the fullest."""
  parts = problem.rows.local_parts()
  return meshes.padded_columns([part.stop - part.start for part in parts])


def padded_blocks(
  problem: Problem, size: int, blocks: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  """Yields centred features, labels and weights of `size` rows each.

  Each device has a share of every block, in which its next rows come first.

  Args:
    problem: prepared data.
    size: rows per block, a multiple of the devices; the last rows of each share
      are padded with zeros of weight 0.
    blocks: number of blocks to yield; those beyond the last row are padding.

  Yields:
    Features `[size, d]`, labels int32 `[size]` or `[k, size]`, and weights
    `[size]`.
  """
  parts = problem.rows.local_parts()
  share = size // len(parts)
  reads = [problem.rows.part_blocks(part, share) for part in parts]
  for _ in range(blocks):
    features = np.zeros((size, problem.rows.shape[1]), np.float32)
    labels = np.zeros((size, *problem.labels.shape[1:]), np.int32)
    weights = np.zeros(size, np.float32)
    for place, read in enumerate(reads):
      start, block = next(read, (0, features[:0]))
      rows = slice(place * share, place * share + len(block))
      features[rows] = problem.normalisation.centred(block)
      labels[rows] = problem.labels[start : start + len(block)]
      weights[rows] = 1 / problem.total
    yield features, np.ascontiguousarray(labels.T), weights
