"""Scores that are sorted by value, against plain loops and torch's order."""

import math

import numpy as np
import pytest

from overlap.ingest import topk


def scores(rows, classes):
  return np.random.default_rng(0).normal(size=(rows, classes))


@pytest.mark.parametrize(('rows', 'classes'), [(1, 2), (7, 5), (3, 1000)])
def test_scores_go_back_to_their_classes(rows, classes):
  expected = scores(rows, classes)
  indices = np.argsort(-expected, axis=1)
  values = np.take_along_axis(expected, indices, axis=1)
  assert topk.are_permutations(indices)
  np.testing.assert_array_equal(
    topk.in_class_order(values, indices.astype(np.float64)), expected
  )


@pytest.mark.parametrize(
  'indices', [[[0, 2]], [[0, 1], [1, 1]], [[-1, 0]], [[0.5, 0]], [[0, np.nan]]]
)
def test_indices_of_other_classes(indices):
  assert not topk.are_permutations(np.array(indices))
  assert not topk.are_permutations(np.zeros((0, 2)))


@pytest.mark.parametrize(
  ('rows', 'classes', 'expected'),
  [
    # Chances that so many rows are sorted: (classes!) ** -rows.
    (3, 3, False), (4, 3, True), (2, 4, False), (3, 4, True), (1, 6, False),
    (1, 7, True), (50, 2, False), (1, 1000, True),
  ],
)  # fmt: skip
def test_sorted_rows_are_told_where_chance_is_small(rows, classes, expected):
  values = -np.sort(-scores(rows, classes), axis=1)
  assert topk.are_sorted([values]) is expected
  assert (math.factorial(min(classes, 170)) ** -rows < 1e-3) is expected or (
    classes == 2
  )
  assert not topk.are_sorted([values[:, ::-1]])
  if rows > 1 and classes > 1:
    values[-1, :2] = values[-1, 1::-1]
    assert not topk.are_sorted([values])


def test_two_classes_only_where_the_format_sorts():
  values = -np.sort(-scores(10, 2), axis=1)
  assert topk.are_sorted([values], least=2)
  assert not topk.are_sorted([values[:9]], least=2)


def test_a_model_that_says_the_same_of_every_example():
  assert not topk.are_sorted([np.tile([0.5, 0.25, 0.25], (10, 1))])


def test_equal_scores_are_not_sorted_ones():
  assert not topk.are_sorted([np.zeros((10, 5))])
  assert not topk.are_sorted([np.full((10, 5), np.nan)])


def test_a_row_in_another_order_in_the_last_block():
  values = -np.sort(-scores(20, 5), axis=1)
  blocks = np.split(values, 4)
  assert topk.are_sorted(iter(blocks))
  blocks[3][-1] = blocks[3][-1, ::-1]
  assert not topk.are_sorted(iter(blocks))


@pytest.mark.parametrize('decimals', [2, 4, 17])
def test_rounded_probabilities_of_all_classes(decimals):
  values = np.random.default_rng(0).dirichlet(np.ones(30), size=9)
  rounded = np.round(values, decimals)
  assert decimals == 17 or (np.abs(rounded.sum(axis=1) - 1) > 1e-9).any()
  assert topk.sum_to_one(rounded)
  best = -np.sort(-rounded, axis=1)[:, :3]
  assert not topk.sum_to_one(best)
