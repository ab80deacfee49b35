"""Counting on an accelerator: every class of every pair, by XLA.

A tile of examples of all models is sent to the devices once, each gets its
part of the rows, and their counts are summed there. Pairs go by their first
model, whose scores are added to those of all models at once. Devices that
take numbers below 1.2e-38 for zero find ties among logits that are that small;
otherwise the counts are those of the other back ends.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from overlap import parallel
from overlap.analyses.allpairs.blocks import Block


class Counter:
  """Counts the pairs of a block, as `reference.Counter` does."""

  def __init__(self, pairs: np.ndarray, models: int, methods: list[str]):
    """Takes int `[pairs, 2]` and keys of `ensembles.METHODS`."""
    # All pairs with one model, listed either way, go by that model.
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
    """Counts of a block, int64 `[methods, 5, pairs]`; see `reference`."""
    tile, labels = block.tile(), np.asarray(labels)
    if not tile.shape[2]:  # Nothing has a highest class.
      tile = np.full((*tile.shape[:2], 1), np.nan, np.float32)
    # A label that is no class loses to all, as rows that only fill up do.
    classes = tile.shape[2]
    labels = np.where((labels < 0) | (labels >= classes), -1, labels)
    rows = {'tile': tile, 'labels': labels.astype(np.int32)}
    if correct is not None:
      rows['right'] = correct.T
    # Shorter blocks are filled up, so that one shape is compiled.
    self._rows = max(self._rows, len(labels))
    with parallel.float64():
      summed = parallel.sum_over_devices(
        self._function, self._first.astype(np.int32), rows, size=self._rows
      )
    counts = summed.astype(np.int64)[:, :, *self._at]
    # The fields of either model change places with the pair's.
    other = counts[:, [0, 2, 1, 3, 4]]
    return np.where(self._swap, other, counts)


@functools.cache
def _counting(methods: tuple[str, ...]) -> Callable[..., jax.Array]:
  """`_count` by some methods: one object, so that it is compiled once."""
  return functools.partial(_count, methods=methods)


def _count(
  first: jax.Array,
  rows: dict[str, jax.Array],
  valid: jax.Array,
  *,
  methods: Sequence[str],
) -> jax.Array:
  """Counts of the pairs of some models with all models.

  Args:
    first: int `[firsts]`, the models.
    rows: 'tile' float32 `[rows, models, classes]`, 'labels' `[rows]`, -1 for
      none, and maybe 'right' bool `[rows, models]`.
    valid: bool `[rows]`, which rows count.
    methods: keys of `ensembles.METHODS`.

  Returns:
    int32 `[methods, 5, firsts, models]`.
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
  """int32 `[5, models]`, of the pairs of one model."""
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
  """Whether the label's score is the first of the highest, and none is NaN.

  A label that minus infinity rules out never wins.

  Args:
    scores: `[rows, models, classes]`.
    labels: `[rows]`; -1 never wins.

  Returns:
    bool `[rows, models]`.
  """
  place = jnp.maximum(labels, 0)[:, jnp.newaxis, jnp.newaxis]
  own = jnp.take_along_axis(scores, place, axis=2)
  classes = jnp.arange(scores.shape[2])[jnp.newaxis, jnp.newaxis]
  # As comparisons that NaN fails.
  below = jnp.where(classes < place, scores < own, scores <= own)
  given = (labels >= 0)[:, jnp.newaxis] & (own[:, :, 0] > -jnp.inf)
  return below.all(axis=2) & given


def _softmax(tile: jax.Array) -> jax.Array:
  """Probabilities, computed in float64 and rounded to float32."""
  logits = tile.astype(jnp.float64)
  shifted = jnp.exp(logits - logits.max(axis=-1, keepdims=True))
  return (shifted / shifted.sum(axis=-1, keepdims=True)).astype(jnp.float32)
