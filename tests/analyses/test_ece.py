"""ECE-sweep against a loop over bins written from the paper's algorithm 1."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlap.analyses import ece


def naive_sweep(confidence, correct, norm=1):
  """Algorithm 1 of Roelofs et al. 2020, example by example; no ties."""
  n = len(confidence)
  order = sorted(range(n), key=lambda i: confidence[i])

  def bins_of(count):
    bins = [[] for _ in range(count)]
    for place, i in enumerate(order):
      bins[place * count // n].append(i)
    return bins

  def accuracy(members):
    return sum(bool(correct[i]) for i in members) / len(members)

  best = bins_of(1)
  for count in range(2, n + 1):
    bins = bins_of(count)
    heights = [accuracy(members) for members in bins]
    if any(b < a for a, b in itertools.pairwise(heights)):
      break
    best = bins
  total = 0.0
  for members in best:
    mean = sum(confidence[i] for i in members) / len(members)
    total += len(members) / n * abs(accuracy(members) - mean) ** norm
  return total ** (1 / norm)


@pytest.mark.parametrize('norm', [1, 2])
@pytest.mark.parametrize('size', [1, 2, 3, 7, 50, 333])
@pytest.mark.parametrize('seed', range(3))
def test_equals_the_algorithm_without_ties(size, seed, norm):
  rng = np.random.default_rng([size, seed])
  confidence = rng.random(size)
  correct = rng.random(size) < confidence**2
  expected = naive_sweep(confidence, correct, norm)
  got = ece.ece_sweep(confidence, correct, norm=norm)
  assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('correct', [True, False])
def test_all_right_or_all_wrong(correct):
  confidence = np.linspace(0.2, 0.9, 30)
  got = ece.ece_sweep(confidence, np.full(30, correct))
  # Every bin's gap has the same sign, so the gaps add up to the mean's.
  assert got == pytest.approx(abs(correct - confidence.mean()), abs=1e-12)


def test_separable_takes_a_bin_for_each_example():
  confidence = np.array([0.1, 0.2, 0.8, 0.9])
  correct = np.array([False, False, True, True])
  # (0.1 + 0.2 + 0.2 + 0.1) / 4
  assert ece.ece_sweep(confidence, correct) == pytest.approx(0.15, abs=1e-12)


def test_one_confidence_for_all_gives_the_mean_gap():
  correct = np.arange(10) < 7
  got = ece.ece_sweep(np.full(10, 0.9), correct)
  assert got == pytest.approx(0.2, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(
  st.lists(
    st.tuples(st.sampled_from([0.1, 0.5, 0.5000001, 0.9]), st.booleans()),
    min_size=1,
    max_size=40,
  ),
  st.randoms(),
)
def test_the_order_of_the_rows_is_of_no_account(rows, random):
  shuffled = list(rows)
  random.shuffle(shuffled)
  one, two = (
    ece.ece_sweep(np.array([c for c, _ in r]), np.array([y for _, y in r]))
    for r in (rows, shuffled)
  )
  assert one == pytest.approx(two, abs=1e-12)
  assert 0 <= one <= 1


def test_nan_is_left_out_and_nothing_gives_nan():
  nan = float('nan')
  with_nan = ece.ece_sweep(np.array([0.3, nan, 0.8]), np.array([0, 1, 1]))
  assert with_nan == ece.ece_sweep(np.array([0.3, 0.8]), np.array([0, 1]))
  assert np.isnan(ece.ece_sweep(np.array([nan]), np.array([True])))
  assert np.isnan(ece.ece_sweep(np.zeros(0), np.zeros(0, bool)))


def test_max_bins_bounds_the_sweep():
  # Accuracies by pairs: 0, .5, 1, ... rise for any even split.
  confidence = np.arange(12) / 12
  correct = np.array([0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1], bool)
  free = ece.ece_sweep(confidence, correct)
  one_bin = ece.ece_sweep(confidence, correct, max_bins=1)
  assert one_bin == pytest.approx(abs(0.5 - confidence.mean()), abs=1e-12)
  assert free != one_bin


def test_calibrated_predictions_have_a_small_error():
  rng = np.random.default_rng(0)
  confidence = rng.random(20_000)
  correct = rng.random(20_000) < confidence
  assert ece.ece_sweep(confidence, correct) < 0.015
  # Shifted by a tenth, they err by about a tenth.
  shifted = ece.ece_sweep(np.clip(confidence + 0.1, 0, 1), correct)
  assert shifted == pytest.approx(0.095, abs=0.01)
