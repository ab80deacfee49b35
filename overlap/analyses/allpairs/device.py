"""XLA backend for accelerators: evaluates every class of every pair.

Each block of examples is sent to the devices once and split by rows; the counts
are summed on the devices. Pairs are grouped by their first model, whose scores
are added to those of all models at once. Devices that flush numbers below
1.2e-38 to zero produce ties between such small logits; otherwise the counts
equal those of the other backends.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from overlap.analyses.allpairs.blocks import Block
from overlap.distributed import meshes


class Counter:
  """Counts the pairs of a block, as `reference.Counter` does."""

  def __init__(self, pairs: np.ndarray, models: int, methods: list[str]):
    """Takes int `[pairs, 2]` and keys of `ensembles.METHODS`."""
    # If one model is in all pairs, group them by that model.
    common = [m for m in range(models) if (pairs == m).any(axis=1).all()]
    swap = pairs[:, 1] == common[0] if common else np.zeros(len(pairs), bool)
    ordered = np.where(swap[:, np.newaxis], pairs[:, ::-1], pairs)
    self._first, place = np.unique(ordered[:, 0], return_inverse=True)
    self._at = place, ordered[:, 1]
    self._swap = swap
    self._function = _counting(tuple(methods))
    self._rows = 0

  def count(
    self, block: Block, labels: np.ndarray, correct: np.ndarray | None
  ) -> np.ndarray:
    """Counts a block, int64 `[methods, 5, pairs]`; see `reference`."""
    tile, labels = block.tile(), np.asarray(labels)
    if not tile.shape[2]:  # No prediction is right.
      tile = np.full((*tile.shape[:2], 1), np.nan, np.float32)
    # Invalid labels and padded rows become -1, which never wins.
    classes = tile.shape[2]
    labels = np.where((labels < 0) | (labels >= classes), -1, labels)
    rows = {'tile': tile, 'labels': labels.astype(np.int32)}
    if correct is not None:
      rows['right'] = correct.T
    # Shorter blocks are padded, so that only one shape is compiled.
    self._rows = max(self._rows, len(labels))
    with meshes.float64():
      summed = meshes.sum_over_devices(
        self._function, self._first.astype(np.int32), rows, size=self._rows
      )
    counts = summed.astype(np.int64)[:, :, *self._at]
    # Exchange the counts of the two models of a swapped pair.
    other = counts[:, [0, 2, 1, 3, 4]]
    return np.where(self._swap, other, counts)


@functools.cache
def _counting(methods: tuple[str, ...]) -> Callable[..., jax.Array]:
  """Returns `_count` for some methods, cached so that it is compiled once."""
  return functools.partial(_count, methods=methods)


def _count(
  first: jax.Array,
  rows: dict[str, jax.Array],
  valid: jax.Array,
  *,
  methods: Sequence[str],
) -> jax.Array:
  """Counts the pairs of some models with all models.

  Args:
    first: indices of the first models, int `[firsts]`.
    rows: 'tile' float32 `[rows, models, classes]`, 'labels' `[rows]`, -1 for
      none, and optionally 'right' bool `[rows, models]`.
    valid: mask of the rows to count, bool `[rows]`.
    methods: keys of `ensembles.METHODS`.

  Returns:
    Counts, int32 `[methods, 5, firsts, models]`.
  """
  tile, labels = rows['tile'], rows['labels']
  labels = jnp.where(valid, labels, -1)
  right = rows['right'] if 'right' in rows else _wins(tile, labels)
  right = right & valid[:, jnp.newaxis]
  counts = []
  for method in methods:
    scores = _softmax(tile) if method == 'probs' else tile
    counts.append(
      jax.lax.map(
        lambda model, scores=scores: _count_one(scores, labels, right, model),
        first,
      ).swapaxes(0, 1)
    )
  return jnp.stack(counts)


def _count_one(
  scores: jax.Array, labels: jax.Array, right: jax.Array, model: jax.Array
) -> jax.Array:
  """Counts the pairs of one model, int32 `[5, models]`."""
  one = jax.lax.dynamic_index_in_dim(scores, model, 1)
  right_1 = jax.lax.dynamic_index_in_dim(right, model, 1)
  wins = _wins(one + scores, labels)
  parts = (
    wins,
    wins & right_1 & ~right,
    wins & ~right_1 & right,
    wins & ~(right_1 | right),
    ~wins & right_1 & right,
  )
  return jnp.stack([part.sum(axis=0, dtype=jnp.int32) for part in parts])


def _wins(scores: jax.Array, labels: jax.Array) -> jax.Array:
  """Returns where labels have the first highest score, without any NaN.

  A label with a score of minus infinity never wins.

  Args:
    scores: scores `[rows, models, classes]`.
    labels: labels `[rows]`; -1 never wins.

  Returns:
    A mask, bool `[rows, models]`.
  """
  place = jnp.maximum(labels, 0)[:, jnp.newaxis, jnp.newaxis]
  own = jnp.take_along_axis(scores, place, axis=2)
  classes = jnp.arange(scores.shape[2])[jnp.newaxis, jnp.newaxis]
  # Comparisons that are false for NaN.
  below = jnp.where(classes < place, scores < own, scores <= own)
  given = (labels >= 0)[:, jnp.newaxis] & (own[:, :, 0] > -jnp.inf)
  return below.all(axis=2) & given


def _softmax(tile: jax.Array) -> jax.Array:
  """Probabilities, computed in float64 and rounded to float32."""
  logits = tile.astype(jnp.float64)
  shifted = jnp.exp(logits - logits.max(axis=-1, keepdims=True))
  return (shifted / shifted.sum(axis=-1, keepdims=True)).astype(jnp.float32)
