"""The compiled passes over logits against SciPy and moments in float64."""

from concurrent import futures

import numpy as np
import pytest
from scipy import special

from overlap.analyses import softmax

INF = np.inf


def draw(examples, classes, scale=5.0, folds=2):
  rng = np.random.default_rng([examples, classes])
  logits = (scale * rng.normal(size=(examples, classes))).astype(np.float32)
  labels = rng.integers(0, classes, examples).astype(np.int32)
  return logits, labels, rng.random((examples, folds))


def naive_sums(logits, labels, weights, b):
  """From the moments about the mean, in float64."""
  z = logits.astype(np.float64)
  u = (z - z.max(axis=1, keepdims=True)) * b
  p = special.softmax(u, axis=1)
  u_label = u[np.arange(len(u)), labels]
  u = np.where(p > 0, u, 0)
  mean = (p * u).sum(axis=1)
  centred = u - mean[:, None]
  second, third, fourth = ((p * centred**k).sum(axis=1) for k in (2, 3, 4))
  terms = [
    np.ones(len(z)), np.log(np.exp(u).sum(axis=1)) - u_label,
    mean - u_label, second, third, fourth - 3 * second**2,
  ]  # fmt: skip
  return np.stack(terms) @ weights


@pytest.mark.parametrize(
  ('examples', 'classes'),
  [(1, 1), (1, 2), (7, 3), (50, 16), (33, 17), (20, 1000), (500, 10)],
)
@pytest.mark.parametrize('b', [1e-3, 0.3, 1.0, 7.0])
def test_sums_are_those_of_the_cumulants(examples, classes, b):
  inputs = draw(examples, classes)
  got = softmax.cumulant_sums(*inputs, b)
  expected = naive_sums(*inputs, b)
  scale = np.abs(expected).max(axis=1, keepdims=True)
  # The higher cumulants are differences of moments that float32 has summed.
  slack = np.array([1e-15, 1e-6, 1e-6, 3e-5, 1e-3, 1e-2])[:, None]
  assert (np.abs(got - expected) <= slack * scale + 1e-6 * examples).all()


def test_sums_are_float32s_best_where_they_decide():
  logits, labels, weights = draw(2000, 100, 2.0)
  got = softmax.cumulant_sums(logits, labels, weights, 0.7)
  expected = naive_sums(logits, labels, weights, 0.7)
  np.testing.assert_allclose(got[:3], expected[:3], rtol=1e-6)


def test_nothing_is_left_of_what_underflows():
  logits = np.float32([[0, -1e30], [5, 4], [0, -INF]])
  labels, weights = np.zeros(3, np.int32), np.ones((3, 1))
  got = softmax.cumulant_sums(logits, labels, weights, 1000.0)
  assert got[:, 0].tolist() == [3, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
  'row',
  [
    [np.nan, 1, 2],
    [1, 2, -np.nan],
    [1, INF, 2],
    [INF, INF, 0],
    [-INF, 0, 0],
    [-INF, -INF, -INF],
  ],
)
def test_unusable_rows_are_left_out(row):
  logits, labels, weights = draw(20, 3)
  labels[4] = 0
  expected = softmax.cumulant_sums(
    np.delete(logits, 4, 0), np.delete(labels, 4), np.delete(weights, 4, 0), 0.5
  )
  logits[4] = row
  got = softmax.cumulant_sums(logits, labels, weights, 0.5)
  np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_other_nan_has_a_sign():
  # Else the test above has not tried it.
  assert np.signbit(np.float32(-np.nan)) != np.signbit(np.float32(np.nan))


@pytest.mark.parametrize('label', [-1, 3, 2**31 - 1])
def test_labels_that_are_no_class_are_left_out(label):
  logits, labels, weights = draw(20, 3)
  weights[4] = 0
  expected = softmax.cumulant_sums(logits, labels, weights, 0.5)
  weights[4], labels[4] = 1, label
  got = softmax.cumulant_sums(logits, labels, weights, 0.5)
  np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize('examples', [1, 9, 10, 11, 95])
def test_blocks_and_threads_change_nothing(monkeypatch, examples):
  inputs = draw(examples, 4)
  whole = softmax.cumulant_sums(*inputs, 0.8)
  monkeypatch.setattr(softmax, '_BLOCK', 40)
  parts = softmax.cumulant_sums(*inputs, 0.8)
  np.testing.assert_allclose(parts, whole, rtol=1e-12)
  with futures.ThreadPoolExecutor(1) as alone:
    monkeypatch.setattr(softmax, 'pool', lambda: alone)
    np.testing.assert_array_equal(softmax.cumulant_sums(*inputs, 0.8), parts)


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.float16])
@pytest.mark.parametrize('shape', [(0, 3), (1, 1), (3, 2), (40, 1000)])
def test_losses_at_several_temperatures_equal_scipys(shape, dtype):
  logits, labels, weights = draw(*shape)
  logits = logits.astype(dtype)
  temperatures = [1.0, 0.01, weights[:, 0] + 0.1, 50.0]
  nll, confidence = softmax.losses(logits, labels, temperatures)
  assert nll.shape == confidence.shape == (4, shape[0])
  for k, t in enumerate(temperatures if shape[0] else []):
    scaled = logits.astype(np.float64) / np.reshape(t, (-1, 1))
    log_p = special.log_softmax(scaled, axis=1)
    expected = -log_p[np.arange(shape[0]), labels]
    np.testing.assert_allclose(nll[k], expected, rtol=1e-12, atol=1e-14)
    expected = np.exp(log_p).max(axis=1)
    np.testing.assert_allclose(confidence[k], expected, rtol=1e-12)


def test_the_exponential_is_numpys():
  """Through the sum over two classes, one of which adds 1."""
  u = np.r_[np.linspace(-700, 0, 20_001), -np.geomspace(1e-12, 1, 500)]
  logits = np.stack([np.zeros_like(u), u], axis=1)
  labels = np.ones(len(u), int)
  nll, _ = softmax.losses(logits, labels, [1.0])
  np.testing.assert_allclose(nll[0], np.log1p(np.exp(u)) - u, rtol=4e-15)


def test_it_works_where_nothing_compiled_can_be_kept(monkeypatch):
  njit = softmax.numba.njit

  def refusing(**options):
    if options.pop('cache', False):
      raise RuntimeError('cannot cache function: no locator available')
    return njit(**options)

  monkeypatch.setattr(softmax.numba, 'njit', refusing)
  assert softmax._jit(lambda x: x + 1)(2) == 3
