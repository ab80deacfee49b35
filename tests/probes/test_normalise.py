"""Normalisation against NumPy, and statistics taken block by block."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.probes import normalise, rows


def features(n=50, d=4, seed=0):
  rng = np.random.default_rng(seed)
  return (rng.normal(size=(n, d)) * 3 + 1).astype(np.float32)


def naive(train, given, kind):
  train, given = train.astype(np.float64), given.astype(np.float64)
  if kind.startswith('l2'):
    train = train / np.linalg.norm(train, axis=1, keepdims=True)
    given = given / np.linalg.norm(given, axis=1, keepdims=True)
  if 'standardise' in kind:
    given = (given - train.mean(axis=0)) / train.std(axis=0)
  return given


@pytest.mark.parametrize('kind', list(normalise.KINDS))
@pytest.mark.parametrize('size', [1, 7, 50, 99])
def test_each_kind_is_its_definition(kind, size, monkeypatch):
  train, given = features(), features(9, seed=1)
  monkeypatch.setattr(rows, '_BLOCK_NUMBERS', size * train.shape[1])
  normal = normalise.measure_statistics(rows.as_rows(train), kind)
  np.testing.assert_allclose(
    normal(given), naive(train, given, kind), rtol=2e-5, atol=2e-5
  )
  assert normal(given).dtype == np.float32


def test_far_from_zero_nothing_is_lost():
  train = features() * 1e-3 + np.float32(1000)
  normal = normalise.measure_statistics(rows.as_rows(train), 'standardise')
  np.testing.assert_allclose(
    normal.std, train.astype(np.float64).std(axis=0), rtol=1e-9
  )


def test_constant_dimensions_become_zero():
  train = features()
  train[:, 1] = 0.1
  normal = normalise.measure_statistics(rows.as_rows(train), 'standardise')
  assert np.isinf(normal.std[1])
  assert not normal(train)[:, 1].any()
  # Constant on each device, yet not constant.
  train[25:, 1] = 0.2
  normal = normalise.measure_statistics(rows.as_rows(train), 'standardise')
  assert np.isfinite(normal.std).all()


def test_rows_of_zeros_and_of_huge_numbers_stay_finite():
  train = features()
  train[0], train[1] = 0, 1e38
  normal = normalise.measure_statistics(rows.as_rows(train), 'l2')
  result = normal(train)
  assert not result[0].any()
  np.testing.assert_allclose(np.linalg.norm(result[1:], axis=1), 1, rtol=1e-6)


def test_an_unknown_kind_is_refused():
  with pytest.raises(errors.UsageError, match='l2_standardise'):
    normalise.measure_statistics(rows.as_rows(features()), 'standardize')
