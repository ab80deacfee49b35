"""Cross-products of many models' features, in memory that is bounded.

Models are taken in groups, as many as there is room for the products of all
their pairs. Each pair of groups is one pass over their features, and so is
each group by itself, which comes first: a model's product with itself is made
once, whatever the number of its pairs.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from overlap.analyses import ahead
from overlap.analyses.similarity import representation
from overlap.analyses.similarity.products import Backend
from overlap.analyses.similarity.representation import Moments, Source

# Entries of the products of a pass: one GiB in float64.
ENTRIES = 2**27

Pair = tuple[int, int]


class Pass(NamedTuple):
  """Pairs of models whose products are made in one pass over the features."""

  models: Sequence[int]
  pairs: Sequence[Pair]


class Product(NamedTuple):
  """`XᵀY` of a pair, `[dimensions of X, dimensions of Y]`."""

  pair: Pair
  cross: np.ndarray


class Centred(NamedTuple):
  """Models' features and what normalises and centres them."""

  sources: Sequence[Source]
  moments: Sequence[Moments]


def plan(widths: Sequence[int], pairs: Sequence[Pair]) -> list[Pass]:
  """Which pairs are made together.

  Args:
    widths: how many dimensions each model has.
    pairs: of models, the lower index first.

  Returns:
    Passes; each model's pair with itself, `(i, i)`, is in the first that it
    is in, and no pass has a pair of models without their own before it.
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
  """Models in groups, of so many dimensions together, or one by one."""
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
  """Makes one pass.

  Args:
    features: of all models.
    taken: which models and pairs.
    norms: to which each model's squared lengths of its centred rows are
      added, float64 `[examples]`.
    device: where products are made.

  Yields:
    The products of each pair, those of a model with itself first.
  """
  sums: dict[Pair, Any] = dict.fromkeys(taken.pairs)
  total = features.sources[taken.models[0]].shape[0]
  for i in taken.models:
    norms.setdefault(i, np.empty(total))

  def read(rows: slice) -> dict[int, np.ndarray]:
    return {i: features.sources[i][rows] for i in taken.models}

  every = list(representation.blocks(total))
  for rows, held in zip(every, ahead.ahead(read(rows) for rows in every)):
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
