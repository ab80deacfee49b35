"""Differences of paired accuracies."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from overlap.analyses.greedy import paired


def test_compare():
  before = np.array([1, 1, 0, 0, 1], bool)
  after = np.array([[1, 0, 1, 1, 1], [1, 1, 0, 0, 1]], bool)
  found = paired.compare(before, after, confidence=0.95)
  assert found.gained.tolist() == [2, 0]
  assert found.lost.tolist() == [1, 0]
  np.testing.assert_allclose(found.estimate, [1 / 5, 0])
  # (2 + 1 - 1 - 1) / 7 with variance (3 + 2)/7 - 1/49 over 7.
  reach = scipy_stats.norm.ppf(0.975) * np.sqrt((5 / 7 - 1 / 49) / 7)
  assert found.lower[0] == pytest.approx(1 / 7 - reach)
  assert found.upper[0] == pytest.approx(1 / 7 + reach)
  assert found.lower[1] < 0 < found.upper[1]
  assert found.p.tolist() == pytest.approx([1, 1])


def test_without_examples():
  nothing = np.zeros(0, bool)
  found = paired.compare(nothing, nothing, confidence=0.95)
  assert np.isnan([found.estimate, found.lower, found.upper]).all()
  assert found.p == 1


@pytest.mark.parametrize(
  ('gain', 'loss', 'total'), [(0.02, 0.01, 400), (0.1, 0.12, 150), (0, 0, 50)]
)
def test_intervals_cover(gain, loss, total):
  rng = np.random.default_rng(0)
  drawn = rng.multinomial(total, [gain, loss, 1 - gain - loss], size=4000)
  found = paired.from_counts(*drawn[:, :2].T, total, confidence=0.95)
  covered = (found.lower <= gain - loss) & (gain - loss <= found.upper)
  assert covered.mean() > 0.93
  if gain:
    assert covered.mean() < 0.98
