"""CPU backend: threads count parts of a block separately."""

import os

import numpy as np

from overlap.analyses import correctness
from overlap.analyses.allpairs import search
from overlap.analyses.allpairs.blocks import Block
from overlap.analyses.softmax import each


class Counter:
  """Counts the pairs of a block, as `reference.Counter` does."""

  def __init__(self, pairs: np.ndarray, models: int, methods: list[str]):
    """Takes int `[pairs, 2]` and keys of `ensembles.METHODS`."""
    self._pairs, self._methods = pairs, methods
    self._entries = search.entries(pairs, models)

  def count(
    self, block: Block, labels: np.ndarray, correct: np.ndarray | None
  ) -> np.ndarray:
    """Counts a block, int64 `[methods, 5, pairs]`; see `reference`."""
    labels = np.asarray(labels, np.int64)
    given = correct is not None
    right = (
      np.ascontiguousarray(correct, bool)
      if correct is not None
      else np.empty((len(block.starts), len(labels)), bool)
    )
    parts = min(len(labels), 4 * (os.cpu_count() or 1))
    bounds = np.linspace(0, len(labels), parts + 1).astype(int)
    found = [self._empty() for _ in range(parts)]

    def work(part: int) -> None:
      search.count(
        block.scores, block.starts, block.stride, block.classes, labels,
        bounds[part], bounds[part + 1], given, right, self._entries,
        found[part]['logits'], found[part]['probs'],
      )  # fmt: skip

    each(work, parts)
    both = correctness.pair_counts(right).both_correct[*self._pairs.T]
    return np.stack(
      [
        _complete(np.sum([part[method] for part in found], axis=0), both)
        for method in self._methods
      ]
    )

  def _empty(self) -> dict[str, np.ndarray]:
    return {
      method: np.zeros(
        (len(self._pairs) if method in self._methods else 0, 4), np.int64
      )
      for method in ('logits', 'probs')
    }


def _complete(counts: np.ndarray, both: np.ndarray) -> np.ndarray:
  """Returns all fields, int64 `[5, pairs]`, from the search's counts."""
  only_1, only_2, neither, lost = counts.T
  return np.stack(
    [both - lost + only_1 + only_2 + neither, only_1, only_2, neither, lost]
  )
