"""Counts of pairs against loops, and against other libraries."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from overlap.analyses import correctness

RNG = np.random.default_rng(0)
SHAPES = [(1, 1), (2, 0), (3, 7), (4, 64), (5, 1000)]


def naive_counts(one, two, weights=None):
  """(both, only 1, only 2, neither) by a loop over the examples."""
  counts = [0, 0, 0, 0]
  for i, (a, b) in enumerate(zip(one, two)):
    cell = 0 if a and b else 1 if a else 2 if b else 3
    counts[cell] += 1 if weights is None else weights[i]
  return counts


def naive_kappa(both, only_1, only_2, neither):
  """As SPEC and Geirhos et al. 2020 write it."""
  n = both + only_1 + only_2 + neither
  a_1, a_2 = (both + only_1) / n, (both + only_2) / n
  observed = (both + neither) / n
  expected = a_1 * a_2 + (1 - a_1) * (1 - a_2)
  return (observed - expected) / (1 - expected)


def counts_of(*cells):
  return correctness.PairCounts(*(np.array(cell) for cell in cells))


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('share', [0.0, 0.3, 1.0])
def test_counts_equal_a_loop(shape, share):
  correct = RNG.random(shape) < share
  counts = correctness.pair_counts(correct)
  for i in range(shape[0]):
    for j in range(shape[0]):
      got = [int(field[i, j]) for field in counts]
      assert got == naive_counts(correct[i], correct[j])
  assert all(field.dtype == np.int64 for field in counts)
  np.testing.assert_array_equal(counts.total, shape[1])


@pytest.mark.parametrize('kind', [np.int64, np.int8, bool, np.float64])
def test_weighted_counts_equal_a_loop(kind):
  correct = RNG.random((3, 50)) < 0.5
  weights = (RNG.random(50) * 3).astype(kind)
  counts = correctness.pair_counts(correct, weights)
  for i in range(3):
    for j in range(3):
      got = [field[i, j] for field in counts]
      expected = naive_counts(correct[i], correct[j], weights.tolist())
      np.testing.assert_allclose(got, expected, atol=1e-12)
  exact = np.int64 if kind is not np.float64 else np.float64
  assert all(field.dtype == exact for field in counts)


def test_masked_examples_equal_dropped_ones():
  correct = RNG.random((4, 30)) < 0.5
  keep = RNG.random(30) < 0.5
  masked = correctness.pair_counts(correct, keep)
  dropped = correctness.pair_counts(correct[:, keep])
  for one, two in zip(masked, dropped):
    np.testing.assert_array_equal(one, two)


def test_counts_stay_exact_beyond_what_float32_holds():
  # 2**24 + 3 ones: a plain float32 product would give 2**24.
  correct = np.ones((1, 2**24 + 3), bool)
  counts = correctness.pair_counts(correct)
  assert counts.both_correct[0, 0] == 2**24 + 3
  assert counts.only_1[0, 0] == 0


def test_at_takes_pairs():
  correct = RNG.random((4, 20)) < 0.5
  counts = correctness.pair_counts(correct).at([0, 3], [2, 1])
  assert counts.only_1.tolist() == [
    naive_counts(correct[0], correct[2])[1],
    naive_counts(correct[3], correct[1])[1],
  ]


def test_the_highest_logit_wins_and_the_lowest_index_wins_ties():
  nan, inf = np.nan, np.inf
  rows = [
    ([1.0, 2.0, 0.0], 1, True),
    ([1.0, 2.0, 0.0], 0, False),
    ([2.0, 2.0, 0.0], 0, True),
    ([2.0, 2.0, 0.0], 1, False),
    ([0.0, 0.0, 0.0], 0, True),
    ([nan, 2.0, 0.0], 0, False),
    ([nan, 2.0, 0.0], 1, False),
    ([3.0, 2.0, nan], 0, False),
    ([3.0, 2.0, nan], 2, False),
    ([-inf, -inf, 0.0], 2, True),
    ([-inf, -inf, -inf], 0, False),
    ([0.0, inf, 0.0], 1, True),
  ]
  logits = np.array([row for row, _, _ in rows], np.float32)
  labels = np.array([label for _, label, _ in rows])
  got = correctness.correct(logits, labels)
  assert got.tolist() == [expected for _, _, expected in rows]


@pytest.mark.parametrize('shape', [(0, 3), (1, 1), (4, 1), (3, 0), (9, 5)])
def test_correct_of_any_size_equals_a_loop(shape):
  logits = RNG.integers(0, 3, shape).astype(np.float32)  # With many ties.
  labels = RNG.integers(0, max(1, shape[1]), shape[0])
  expected = []
  for row, label in zip(logits, labels):
    best = 0
    for c in range(shape[1]):
      if row[c] > row[best]:
        best = c
    expected.append(shape[1] > 0 and best == label)
  got = correctness.correct(logits, labels)
  assert got.tolist() == expected
  assert got.dtype == bool


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.int64, 4, elements=st.integers(0, 1000)))
def test_fractions_equal_their_definitions(cells):
  both, only_1, only_2, neither = (int(c) for c in cells)
  total = sum((both, only_1, only_2, neither))
  counts = counts_of(*cells)
  assert counts.total == total
  inconsistency = correctness.error_inconsistency(counts)
  kappa = correctness.kappa(counts)
  if not total:
    assert np.isnan(inconsistency)
    assert np.isnan(kappa)
    return
  assert inconsistency == pytest.approx((only_1 + only_2) / total, abs=1e-15)
  right_1, right_2 = both + only_1, both + only_2
  if right_1 == right_2 and right_1 in (0, total):
    assert np.isnan(kappa)
  else:
    expected = naive_kappa(both, only_1, only_2, neither)
    assert kappa == pytest.approx(expected, abs=1e-9)
  accuracies = correctness.accuracies(counts)
  assert accuracies[0] == pytest.approx(right_1 / total, abs=1e-15)
  assert accuracies[1] == pytest.approx(right_2 / total, abs=1e-15)
  for got, part, rest in zip(
    correctness.dominance(counts), (only_2, only_1), (neither, neither)
  ):
    if part + rest:
      assert got == pytest.approx(part / (part + rest), abs=1e-15)
    else:
      assert np.isnan(got)


@pytest.mark.parametrize('seed', range(5))
def test_kappa_is_cohens_of_the_correctness(seed):
  rng = np.random.default_rng(seed)
  one, two = rng.random((2, 200)) < rng.random((2, 1))
  counts = correctness.pair_counts(np.stack([one, two])).at(0, 1)
  expected = metrics.cohen_kappa_score(one, two)
  assert correctness.kappa(counts) == pytest.approx(expected, abs=1e-12)


def test_kappa_of_perfect_models_is_not_one():
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert np.isnan(correctness.kappa(counts_of(10, 0, 0, 0)))
    assert np.isnan(correctness.kappa(counts_of(0, 0, 0, 10)))
    # One is perfect, the other is not: what chance would give.
    assert correctness.kappa(counts_of(9, 1, 0, 0)) == 0
    # They agree on right and wrong alike.
    assert correctness.kappa(counts_of(9, 0, 0, 1)) == 1
    # They never agree.
    assert correctness.kappa(counts_of(0, 5, 5, 0)) == -1


@pytest.mark.parametrize(('examples', 'classes'), [(0, 3), (1, 1), (500, 7)])
def test_counts_by_class_equal_a_loop(examples, classes):
  rng = np.random.default_rng(classes)
  correct = rng.random((4, examples)) < 0.6
  labels = rng.integers(0, classes, examples)
  labels[labels == 4] = 5  # A class without examples.
  found = list(correctness.pair_counts_by_class(correct, labels, classes))
  assert len(found) == classes
  for label, counts in enumerate(found):
    rows = labels == label
    for i in range(4):
      for j in range(4):
        got = [int(field[i, j]) for field in counts]
        assert got == naive_counts(correct[i, rows], correct[j, rows])
  whole = correctness.pair_counts(correct)
  for name in whole._fields:
    total = sum(getattr(counts, name) for counts in found)
    np.testing.assert_array_equal(total, getattr(whole, name))


def test_examples_of_no_class_are_left_out():
  correct = np.ones((2, 4), bool)
  found = list(correctness.pair_counts_by_class(correct, [-1, 0, 1, 7], 2))
  assert [int(counts.total[0, 1]) for counts in found] == [1, 1]


def test_predicted_is_the_class_that_correct_goes_by():
  nan = np.nan
  logits = np.array([[0, 2, 2], [nan, 1, 0], [3, 1, nan], [-1, -1, -1]])
  assert correctness.predicted(logits).tolist() == [1, -1, -1, 0]
  assert correctness.predicted(np.zeros((2, 0))).tolist() == [-1, -1]
  assert correctness.predicted(logits).dtype == np.int32
  # No class is no label's, not even a label that looks like it.
  assert not correctness.right(np.array([-1]), np.array([-1])).any()


@pytest.mark.parametrize('examples', [1, 64, 1000])
def test_same_wrong_and_what_follows_equal_a_loop(examples):
  rng = np.random.default_rng(examples)
  labels = rng.integers(0, 4, examples)
  predicted = np.where(
    rng.random((4, examples)) < 0.5, labels, rng.integers(-1, 4, (4, examples))
  )
  predicted[3] = labels  # One is always right.
  correct = correctness.right(predicted, labels)
  same = correctness.same_wrong(predicted, correct)
  counts = correctness.pair_counts(correct)
  disagreement = correctness.disagreement(counts, same)
  agreement = correctness.agreement_when_wrong(counts, same)
  for i in range(4):
    for j in range(4):
      wrong_alike = both_wrong = differ = 0
      for label, one, two in zip(labels, predicted[i], predicted[j]):
        alike = one == two and one != -1
        differ += not alike
        both_wrong += one != label and two != label
        wrong_alike += one != label and two != label and alike
      assert same[i, j] == wrong_alike
      assert disagreement[i, j] == differ / examples
      if both_wrong:
        assert agreement[i, j] == wrong_alike / both_wrong
      else:
        assert np.isnan(agreement[i, j])


@pytest.mark.parametrize('total', [1, 2, 7])
def test_kappas_range_is_that_of_all_tables(total):
  for right_1 in range(total + 1):
    for right_2 in range(total + 1):
      found = []
      for both in range(total + 1):
        cells = (
          both, right_1 - both, right_2 - both, total - right_1 - right_2 + both
        )  # fmt: skip
        if min(cells) >= 0:
          found.append(counts_of(*cells))
      kappas = [float(correctness.kappa(counts)) for counts in found]
      for counts in found:
        least, most = correctness.kappa_range(counts)
        np.testing.assert_allclose(
          [least, most], [min(kappas), max(kappas)], atol=1e-15
        )


def test_yules_q_and_double_faults():
  counts = counts_of(
    [700, 5, 0, 0], [120, 0, 3, 0], [80, 0, 4, 2], [100, 5, 0, 0]
  )
  got = correctness.q_statistic(counts)
  assert got[0] == pytest.approx((70_000 - 9600) / (70_000 + 9600))
  assert got[1:3].tolist() == [1, -1]
  assert np.isnan(got[3])
  np.testing.assert_array_equal(
    correctness.double_fault(counts), [0.1, 0.5, 0, 0]
  )
  assert np.isnan(correctness.double_fault(counts_of(0, 0, 0, 0)))
