"""Scores of the best classes, sorted by value, and how they are told.

What a top-k of all classes gives looks like scores of the classes in their
order, so that class 0 would always have the highest.
"""

import math
from collections.abc import Iterable

import numpy as np

from overlap.ingest import zeros

# Rows that are in descending order by chance are less likely than this.
_CHANCE = 1e-3
_SUM_TOLERANCE = 1e-3


def are_sorted(blocks: Iterable[np.ndarray], least: int = 3) -> bool:
  """Whether all rows are in descending order, and not by chance.

  Args:
    blocks: scores `[rows, classes]`, block by block; read up to the first that
      is in another order.
    least: how many classes it takes. Two are not enough where nothing else
      tells, for a model may always prefer the first.
  """
  rows, first = 0, np.zeros(0)
  falling, same = False, True
  for block in blocks:
    values = block.astype(np.float64)
    if values.shape[1] < least or not (values[:, :-1] >= values[:, 1:]).all():
      return False
    if len(values):
      first = first if rows else values[0]
      falling |= bool((values[:, 0] > values[:, -1]).any())
      same &= bool((values == first).all())
      rows += len(values)
  # A model that gives every example the same scores has its own reasons.
  if not falling or (same and rows > 1):
    return False
  return -rows * math.lgamma(len(first) + 1) <= math.log(_CHANCE)


def are_permutations(indices: np.ndarray) -> bool:
  """Returns whether each row `[rows, k]` is a permutation of 0 to k-1."""
  rows, count = indices.shape
  expected = np.arange(count)
  return bool(rows and (np.sort(indices, axis=1) == expected).all())


def sum_to_one(scores: np.ndarray) -> bool:
  """Returns whether rows `[rows, classes]` sum to one, as far as rounded."""
  found = zeros.survey(iter([(0, scores)]), logarithms=False)
  tolerance = max(_SUM_TOLERANCE, zeros.sum_tolerance(found, scores.shape[1]))
  return bool((np.abs(scores.sum(axis=1) - 1) < tolerance).all())


def in_class_order(scores: np.ndarray, indices: np.ndarray) -> np.ndarray:
  """Returns scores `[rows, classes]` by class, given each score's class."""
  ordered = np.empty_like(scores)
  np.put_along_axis(ordered, indices.astype(np.int64), scores, axis=1)
  return ordered
