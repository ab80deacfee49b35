"""Scores of the best classes, sorted by value, and how they are told.

What a top-k of all classes gives looks like scores of the classes in their
order, so that class 0 would always have the highest.
"""

import math

import numpy as np

# Rows that are in descending order by chance are less likely than this.
_CHANCE = 1e-3
_SUM_TOLERANCE = 1e-3


def are_sorted(scores: np.ndarray, least: int = 3) -> bool:
  """Returns whether rows `[rows, classes]` descend, beyond chance.

  Args:
    scores: `[rows, classes]`.
    least: how many classes it takes. Two are not enough where nothing else
      tells, for a model may always prefer the first.
  """
  rows, classes = scores.shape
  if classes < least or -rows * math.lgamma(classes + 1) > math.log(_CHANCE):
    return False
  values = scores.astype(np.float64)
  descending = (values[:, :-1] >= values[:, 1:]).all()
  if not descending or (values[:, 0] == values[:, -1]).all():
    return False
  # A model that gives every example the same scores has its own reasons.
  return rows == 1 or bool((values != values[0]).any())


def are_permutations(indices: np.ndarray) -> bool:
  """Returns whether each row `[rows, k]` is a permutation of 0 to k-1."""
  rows, count = indices.shape
  expected = np.arange(count)
  return bool(rows and (np.sort(indices, axis=1) == expected).all())


def sum_to_one(scores: np.ndarray) -> bool:
  """Returns whether rows `[rows, classes]` are probabilities of all classes."""
  return bool((np.abs(scores.sum(axis=1) - 1) < _SUM_TOLERANCE).all())


def in_class_order(scores: np.ndarray, indices: np.ndarray) -> np.ndarray:
  """Returns scores `[rows, classes]` by class, given each score's class."""
  ordered = np.empty_like(scores)
  np.put_along_axis(ordered, indices.astype(np.int64), scores, axis=1)
  return ordered
