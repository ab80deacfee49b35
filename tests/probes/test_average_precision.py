"""11-point average precision against loops over its definition."""

import numpy as np
import pytest

from overlap import errors
from overlap.probes import average_precision as voc


def naive(scores, labels, difficult, together=True):
  """By the definition, in whole numbers."""
  rows = [i for i in range(len(scores)) if not difficult[i]]
  rows.sort(key=lambda i: (-scores[i], i))
  positives = sum(int(labels[i]) for i in rows)
  if not positives:
    return float('nan')
  points = []
  for place in range(1, len(rows) + 1):
    tied = place < len(rows) and scores[rows[place]] == scores[rows[place - 1]]
    if together and tied:
      continue
    hits = sum(int(labels[i]) for i in rows[:place])
    points.append((hits, hits / place))
  return np.mean(
    [
      max([p for hits, p in points if 10 * hits >= t * positives], default=0)
      for t in range(11)
    ]
  )


@pytest.mark.parametrize('n', [1, 2, 7, 40])
@pytest.mark.parametrize('ties', list(voc.TIES))
@pytest.mark.parametrize('levels', [3, 1000])
def test_equals_the_definition(n, ties, levels):
  for seed in range(10):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, n) / 7
    labels, difficult = rng.random(n) < 0.4, rng.random(n) < 0.2
    got = voc.average_precision(scores, labels, difficult, ties=ties)
    expected = naive(scores, labels, difficult, ties == 'together')
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_all_right_and_all_wrong():
  labels = np.array([1, 1, 0, 0, 0, 0])
  assert voc.average_precision(np.arange(6)[::-1], labels) == 1
  # Both at the end: precision 2/6 at every recall.
  assert voc.average_precision(np.arange(6), labels) == pytest.approx(1 / 3)


def test_difficult_examples_count_neither_way():
  scores, labels = np.array([9, 8, 7, 6]), np.array([0, 1, 0, 1])
  kept = voc.average_precision(scores, labels, np.array([1, 0, 0, 1]))
  assert kept == voc.average_precision(scores[1:3], labels[1:3]) == 1


def test_floats_may_miss_a_level_that_whole_numbers_reach():
  # 3 of 10 is 0.3, and the fourth level of linspace is above it.
  assert np.linspace(0, 1, 11)[3] > 3 / 10
  labels = np.array([1] * 3 + [0] * 90 + [1] * 7)
  scores = -np.arange(100)
  exact = voc.average_precision(scores, labels)
  floats = voc.average_precision(scores, labels, comparison='linspace')
  assert exact == pytest.approx((4 + 7 * 0.1) / 11)
  assert floats == pytest.approx((3 + 8 * 0.1) / 11)


def test_the_mean_leaves_out_classes_without_examples():
  scores = np.array([[2.0, 1, 1], [1, 2, 2], [0, 3, 0]])
  labels = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1]])
  difficult = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]])
  mean, each = voc.mean_average_precision(scores, labels, difficult)
  np.testing.assert_array_equal(each, [1, 1, np.nan])
  assert mean == 1
  with pytest.raises(errors.DataError, match='At least one class'):
    voc.mean_average_precision(scores, 0 * labels)


def test_faulty_input_is_refused():
  with pytest.raises(errors.DataError, match='NaN in row 1'):
    voc.average_precision(np.array([1, np.nan]), np.array([1, 0]))
  with pytest.raises(errors.DataError, match=r'\[2\], \[3\]'):
    voc.average_precision(np.ones(2), np.ones(3))
  with pytest.raises(errors.UsageError, match='exact'):
    voc.average_precision(np.ones(2), np.ones(2), comparison='exakt')
