"""Scores of the probes of one path on held-out examples."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from overlap.distributed import meshes
from overlap.probes import losses
from overlap.probes.probe import Probe
from overlap.probes.rows import Rows

# Logits of all probes in a block: 64 MiB of float32.
_LOGITS = 1 << 24


def score(
  probes: Sequence[Probe], features: Rows, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
  """Scores probes that share their normalisation.

  Args:
    probes: S probes.
    features: features of this process, `[m, d]`.
    labels: labels `[m]`, or `[m, k]` of 0 and 1.

  Returns:
    Numbers of correct predictions and mean negative log-likelihoods in nats,
    both `[S, g]` with g = 1, or the number of classes for multi-label
    problems; and the number of examples of all processes. A tie goes to the
    lowest class.
  """
  kernel = np.stack([one.fit.params['kernel'].T for one in probes])
  bias = np.stack([one.fit.params['bias'] for one in probes])
  size = max(1, _LOGITS // bias.size)
  groups = labels.shape[1] if labels.ndim == 2 else 1

  def sums(part: slice) -> np.ndarray:
    found = np.zeros((3, len(probes), groups))
    for start, block in features.part_blocks(part, size):
      own = labels[start : start + len(block)].T
      hits, loss = _score(kernel, bias, probes[0].normalisation(block), own)
      found[0] += np.asarray(hits)
      found[1] += np.asarray(loss, np.float64)
      found[2] += len(block)
    return found

  right, total, count = meshes.sum_in_order(map(sums, features.local_parts()))
  return right, total / count, int(count.flat[0])


@jax.jit
def _score(
  kernel: jax.Array, bias: jax.Array, features: jax.Array, labels: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns numbers of correct predictions and summed losses, `[S, g]`."""
  s, k, width = kernel.shape
  logits = jax.lax.dot_general(
    kernel.reshape(s * k, width),
    features,
    (((1,), (1,)), ((), ())),
    precision=jax.lax.Precision.HIGHEST,
  ).reshape(s, k, -1)
  logits = logits + bias[:, :, None]
  ones = jnp.ones(features.shape[0])
  if labels.ndim == 1:
    loss, *_ = losses.softmax(logits, labels, ones)
    hits = jnp.argmax(logits, axis=1) == labels[None]
    return jnp.sum(hits, axis=1)[:, None], loss
  loss, *_ = losses.sigmoid(logits, labels, ones)
  hits = (logits > 0) == (labels > 0)[None]
  return jnp.sum(hits, axis=2), loss
