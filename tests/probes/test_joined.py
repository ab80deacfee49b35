"""Random parts of two representations."""

import numpy as np
import pytest

from overlap import errors
from overlap.probes import joined


@pytest.mark.parametrize('percent', joined.PERCENTS)
@pytest.mark.parametrize(('base', 'other'), [(8, 8), (1, 5), (10, 3), (7, 20)])
def test_widths_and_indices(percent, base, other):
  for seed in range(5):
    first, second = joined.dimensions(base, other, percent, seed)
    assert abs(len(first) - base * percent / 100) <= 0.5
    assert len(second) == min(base - len(first), other)
    for indices, width in ((first, base), (second, other)):
      assert len(set(indices)) == len(indices)
      assert all(0 <= i < width for i in indices)


def test_seeds_differ_repeat_and_nest():
  first = [joined.dimensions(40, 40, 50, seed) for seed in (0, 0, 1)]
  np.testing.assert_array_equal(first[0], first[1])
  assert not np.array_equal(first[0], first[2])
  # Not the same places of both.
  assert not np.array_equal(*first[0])
  half, quarter = (set(joined.dimensions(40, 40, p, 0)[0]) for p in (50, 25))
  assert quarter < half


def test_every_dimension_is_taken_equally_often():
  counts = np.zeros(10)
  for seed in range(400):
    counts[joined.dimensions(10, 10, 50, seed)[0]] += 1
  # 200 each, with a standard deviation of 10.
  assert np.all(np.abs(counts - 200) < 50)


def test_join_takes_the_columns():
  rng = np.random.default_rng(0)
  base, other = rng.normal(size=(6, 8)), rng.normal(size=(6, 5))
  first, second = joined.dimensions(8, 5, 25, 3)
  expected = np.hstack([base[:, first], other[:, second]])
  np.testing.assert_array_equal(joined.join(base, other, 25, 3), expected)
  np.testing.assert_array_equal(joined.join(base, other, 100, 3), base)
  with pytest.raises(errors.DataError, match='one n'):
    joined.join(base, other[1:], 25, 3)
  for percent in (-1, 101):
    with pytest.raises(errors.UsageError, match='within'):
      joined.join(base, other, percent, 0)
