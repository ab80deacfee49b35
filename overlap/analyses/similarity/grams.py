"""Cross-products of many models' features in bounded memory.

Models are grouped so that the products of all pairs of a group fit in memory.
There is one pass over the features for each group by itself, and then for each
pair of groups. A model's product with itself is thus computed only once.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from overlap.analyses import prefetch
from overlap.analyses.similarity import representation
from overlap.analyses.similarity.products import Backend
from overlap.analyses.similarity.representation import Moments, Source

# Entries of the products of one pass: one GiB in float64.
ENTRIES = 2**27

Pair = tuple[int, int]


class Pass(NamedTuple):
  """Pairs of models whose products are computed in one pass."""

  models: Sequence[int]
  pairs: Sequence[Pair]


class Product(NamedTuple):
  """`XᵀY` of a pair, `[dimensions of X, dimensions of Y]`."""

  pair: Pair
  cross: np.ndarray


class Centred(NamedTuple):
  """The models' features with the moments that normalise and centre them."""

  sources: Sequence[Source]
  moments: Sequence[Moments]


def plan(widths: Sequence[int], pairs: Sequence[Pair]) -> list[Pass]:
  """Assigns pairs of models to passes.

  Args:
    widths: number of dimensions of each model.
    pairs: pairs of models, the lower index first.

  Returns:
    Passes. Each model's pair with itself, `(i, i)`, is in the first pass that
    has the model, so that it precedes or accompanies its other pairs.
  """
  used = sorted({i for pair in pairs for i in pair})
  groups = _groups(used, widths, int(ENTRIES**0.5))
  group_of = {i: number for number, group in enumerate(groups) for i in group}
  by_groups: dict[Pair, list[Pair]] = {}
  for number, group in enumerate(groups):
    by_groups[number, number] = [(i, i) for i in group]
  for pair in sorted({*pairs}):
    one, two = sorted(group_of[i] for i in pair)
    by_groups.setdefault((one, two), []).append(pair)
  own = [key for key in by_groups if key[0] == key[1]]
  other = sorted(key for key in by_groups if key[0] != key[1])
  return [
    Pass(sorted({i for pair in by_groups[key] for i in pair}), by_groups[key])
    for key in own + other
  ]


def _groups(
  used: Sequence[int], widths: Sequence[int], together: int
) -> list[list[int]]:
  """Groups models by total dimensions, at least one model per group."""
  groups: list[list[int]] = []
  room = 0
  for i in used:
    if not groups or widths[i] > room:
      groups.append([])
      room = together
    groups[-1].append(i)
    room -= widths[i]
  return groups


def products(
  features: Centred, taken: Pass, norms: dict[int, np.ndarray], device: Backend
) -> Iterator[Product]:
  """Computes the products of one pass.

  Args:
    features: features and moments of all models.
    taken: models and pairs of the pass.
    norms: squared norms of each model's centred rows, float64 `[examples]`;
      updated in place.
    device: backend that computes the products.

  Yields:
    The product of each pair, each model with itself first.
  """
  sums: dict[Pair, Any] = dict.fromkeys(taken.pairs)
  total = features.sources[taken.models[0]].shape[0]
  for i in taken.models:
    norms.setdefault(i, np.empty(total))

  def read(rows: slice) -> dict[int, np.ndarray]:
    return {i: features.sources[i][rows] for i in taken.models}

  every = list(representation.blocks(total))
  for rows, held in zip(every, prefetch.prefetch(read(rows) for rows in every)):
    placed = {}
    for i in taken.models:
      block, squares = representation.centred(
        held.pop(i), features.moments[i], rows
      )
      norms[i][rows] = squares
      placed[i] = device.put(block)
    for pair in taken.pairs:
      one, two = pair
      sums[pair] = device.add(sums[pair], placed[one], placed[two])
  for pair in sorted(taken.pairs, key=lambda pair: pair[0] != pair[1]):
    yield Product(pair, device.get(sums.pop(pair)))
