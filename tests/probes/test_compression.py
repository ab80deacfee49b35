"""Rankings of dimensions against loops over their definitions."""

import numpy as np
import pytest

from overlap import errors
from overlap.probes import compression


def features(n=60, d=7, seed=0):
  rng = np.random.default_rng(seed)
  values = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
  values[:, 3] = values[:, 0] + 0.01 * rng.normal(size=n)
  return values


def naive_cholesky(values):
  """Takes each time what is least explained by what was taken, by NumPy."""
  rest, taken = values - values.mean(axis=0), []
  for _ in range(values.shape[1]):
    left = rest
    if taken:
      known = rest[:, taken]
      left = rest - known @ np.linalg.lstsq(known, rest, rcond=None)[0]
    variances = left.var(axis=0)
    variances[taken] = -1
    taken.append(int(variances.argmax()))
  return taken


@pytest.mark.parametrize('seed', range(5))
def test_rankings_equal_their_definitions(seed):
  values = features(seed=seed)
  matrix = compression.covariance(values)
  np.testing.assert_allclose(matrix, np.cov(values.T, bias=True))
  correlations = np.abs(np.corrcoef(values.T))
  means = [np.delete(row, i).mean() for i, row in enumerate(correlations)]
  rank = lambda ranking: compression.rank(matrix, ranking).tolist()  # noqa: E731
  assert rank('correlation') == np.argsort(means).tolist()
  assert rank('variance') == np.argsort(-values.var(axis=0)).tolist()
  assert rank('cholesky') == naive_cholesky(values)
  assert sorted(rank('random')) == list(range(7))


def test_a_copy_is_the_last_thing_that_cholesky_wants():
  values = features()
  values = np.hstack([values, values[:, :2]])
  order = compression.rank(compression.covariance(values), 'cholesky')
  assert len({i % 7 for i in order[:7]}) == 7


@pytest.mark.parametrize('ranking', ['correlation', 'variance', 'cholesky'])
def test_what_does_not_vary_is_last_and_ties_go_by_index(ranking):
  values = features()
  values[:, 2] = 0.1
  order = compression.rank(compression.covariance(values), ranking)
  assert order[-1] == 2
  np.testing.assert_array_equal(
    compression.rank(np.eye(4), ranking), np.arange(4)
  )
  np.testing.assert_array_equal(
    compression.rank(np.zeros((1, 1)), ranking), [0]
  )


def test_seeds_of_the_control():
  orders = [compression.rank(np.eye(30), 'random', seed) for seed in (0, 0, 1)]
  np.testing.assert_array_equal(orders[0], orders[1])
  assert not np.array_equal(orders[0], orders[2])


def test_the_smallest_size_that_reaches_a_target():
  sizes, accuracies = (512, 128, 256, 64), (0.9, 0.7, 0.6, 0.1)
  assert compression.smallest(sizes, accuracies, 0.7) == 128
  assert compression.smallest(sizes, accuracies, 0.8) == 512
  assert compression.smallest(sizes, accuracies, 0.95) is None
  with pytest.raises(errors.DataError, match='one accuracy'):
    compression.smallest(sizes, accuracies[1:], 0.7)


def test_faulty_input_is_refused():
  with pytest.raises(errors.DataError, match='finite'):
    compression.covariance(np.array([[1.0, np.nan]]))
  with pytest.raises(errors.DataError, match='neither 0'):
    compression.covariance(np.ones((0, 2)))
  with pytest.raises(errors.DataError, match=r'\[d, d\]'):
    compression.rank(np.ones((2, 3)), 'variance')
  with pytest.raises(errors.UsageError, match='cholesky'):
    compression.rank(np.eye(2), 'choleski')
