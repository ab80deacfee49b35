"""Which dimensions are kept, against the definitions."""

import numpy as np
import pytest

from overlap.analyses.probing import dimensions
from overlap.core import errors


def correlated(width=7, seed=0, examples=200):
  rng = np.random.default_rng(seed)
  mixed = rng.normal(size=(examples, width)) @ rng.normal(size=(width, width))
  return mixed - mixed.mean(axis=0)


@pytest.mark.parametrize('widths', [(8, 8), (8, 3), (8, 100), (1, 5), (5, 1)])
@pytest.mark.parametrize('percent', [0, 25, 50, 75, 100])
def test_shares(widths, percent):
  one, two = dimensions.share(*widths, percent, dimensions.generator('a', 1))
  assert len(one) == round(widths[0] * percent / 100)
  assert len(one) + len(two) <= widths[0]
  wanted = round(widths[1] * (100 - percent) / 100)
  assert len(two) == min(wanted, widths[0] - len(one))
  for chosen, width in zip((one, two), widths):
    assert (np.diff(chosen) > 0).all()
    assert set(chosen) <= set(range(width))


def test_draws_differ_by_seed_alone():
  def drawn(*words):
    return dimensions.share(64, 64, 50, dimensions.generator(*words))[0]

  np.testing.assert_array_equal(drawn('a', 0), drawn('a', 0))
  assert not np.array_equal(drawn('a', 0), drawn('a', 1))
  assert not np.array_equal(drawn('ab', 'c'), drawn('a', 'bc'))


def test_shares_are_even():
  """Each dimension is as likely as any other."""
  hits = np.zeros(20)
  for seed in range(400):
    one, _ = dimensions.share(20, 20, 25, dimensions.generator(seed))
    hits[one] += 1
  assert hits.min() > 60
  assert hits.max() < 140


def test_covariance_in_blocks():
  values = correlated()
  blocks = [values[:3], values[3:150], values[150:]]
  got = dimensions.covariance(blocks, values.shape[1])
  np.testing.assert_allclose(got, values.T @ values / len(values))
  assert not dimensions.covariance([], 2).any()


def test_mean_correlation():
  values = correlated()
  expected = np.abs(np.corrcoef(values.T))
  expected = [np.delete(row, i).mean() for i, row in enumerate(expected)]
  got = dimensions.mean_correlation(values.T @ values)
  np.testing.assert_allclose(got, expected)


def test_constant_dimensions_come_last():
  values = correlated()
  values[:, 2] = 0
  matrix = values.T @ values
  for ranking in ('correlation', 'variance', 'cholesky'):
    got = dimensions.order(
      ranking, matrix, matrix.diagonal(), dimensions.generator(0)
    )
    assert sorted(got) == list(range(7))
    assert got[-1] == 2
  others = np.delete(np.arange(7), 2)
  rest = dimensions.mean_correlation(matrix[np.ix_(others, others)])
  got = dimensions.mean_correlation(matrix)
  np.testing.assert_allclose(got[others], rest)
  assert np.isnan(got[2])


def test_pivots_are_greedy():
  """Each step: the most residual variance of a regression on those before."""
  values = correlated(width=6, seed=3)
  chosen = []
  for _ in range(6):
    residual = []
    for i in range(6):
      left = values[:, i]
      if chosen:
        before = values[:, chosen]
        left = left - before @ np.linalg.lstsq(before, left, rcond=None)[0]
      residual.append(-1 if i in chosen else (left**2).sum())
    chosen.append(int(np.argmax(residual)))
  assert dimensions.pivots(values.T @ values).tolist() == chosen


def test_copies_come_last():
  values = correlated(width=4)
  both = np.concatenate([values, values], axis=1)
  got = dimensions.pivots(both.T @ both)
  assert {i % 4 for i in got[:4]} == set(range(4))


def test_orders():
  matrix, variances = np.diag([1.0, 1, 1]), np.array([1.0, 3, 2])
  got = dimensions.order('variance', matrix, variances, None)
  assert got.tolist() == [1, 2, 0]
  assert dimensions.order('correlation', matrix, variances, None).tolist() == [
    0, 1, 2,
  ]  # fmt: skip
  got = dimensions.order('random', matrix, variances, dimensions.generator(1))
  assert sorted(got) == [0, 1, 2]
  with pytest.raises(errors.UsageError, match='ranking of dimensions'):
    dimensions.order('diversity', matrix, variances, None)
  assert len(dimensions.pivots(np.zeros((0, 0)))) == 0
