"""Losses and gradients against float64, where float32 would lose digits."""

import jax.numpy as jnp
import numpy as np
import pytest

from overlap.probes import losses


def naive_softmax(logits, labels, weights):
  """`[p]` and `[p, k, n]`, in float64."""
  z = logits.astype(np.float64)
  z = z - z.max(axis=1, keepdims=True)
  log_probs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
  own = np.eye(z.shape[1])[labels].T[None]
  return -(log_probs * own * weights).sum((1, 2)), (
    (np.exp(log_probs) - own) * weights
  )


@pytest.mark.parametrize(('p', 'k', 'n'), [(1, 2, 1), (3, 5, 7), (2, 1, 4)])
@pytest.mark.parametrize('scale', [0.0, 1.0, 30.0])
def test_softmax_is_the_definition(p, k, n, scale):
  rng = np.random.default_rng(k)
  logits = (scale * rng.normal(size=(p, k, n))).astype(np.float32)
  labels = rng.integers(0, k, n)
  weights = rng.random(n).astype(np.float32)
  loss, grad, bend = losses.softmax(
    *map(jnp.asarray, (logits, labels, weights))
  )
  expected, expected_grad = naive_softmax(logits, labels, weights)
  np.testing.assert_allclose(loss[:, 0], expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(grad, expected_grad, rtol=1e-4, atol=1e-6)
  probs = expected_grad / weights + np.eye(k)[labels].T[None]
  np.testing.assert_allclose(
    bend[:, 0],
    (probs * (1 - probs) * weights).sum((1, 2)),
    rtol=1e-4,
    atol=1e-6,
  )


def test_a_small_loss_keeps_its_digits():
  # exp(-20) is below the spacing of float32 at 1.
  logits = jnp.asarray([[[20.0], [0.0], [-1.0]]])
  loss, grad, _ = losses.softmax(logits, jnp.asarray([0]), jnp.ones(1))
  others = np.exp(-20.0) * np.array([1, np.exp(-1.0)])
  assert float(loss[0, 0]) == pytest.approx(np.log1p(others.sum()), rel=1e-5)
  np.testing.assert_allclose(grad[0, :, 0], [-others.sum(), *others], rtol=1e-5)


@pytest.mark.parametrize('scale', [0.0, 1.0, 30.0])
def test_sigmoid_is_the_definition(scale):
  rng = np.random.default_rng(0)
  logits = (scale * rng.normal(size=(2, 3, 6))).astype(np.float32)
  labels = rng.integers(0, 2, (3, 6))
  weights = rng.random(6).astype(np.float32)
  loss, grad, bend = losses.sigmoid(
    *map(jnp.asarray, (logits, labels, weights))
  )
  z = logits.astype(np.float64)
  sign = np.where(labels == 1, -1, 1)
  expected = np.log1p(np.exp(sign * z))
  np.testing.assert_allclose(
    loss, (expected * weights).sum(axis=2), rtol=1e-5, atol=1e-6
  )
  np.testing.assert_allclose(
    grad, (1 / (1 + np.exp(-z)) - labels) * weights, rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(
    bend,
    (weights / (2 + 2 * np.cosh(z))).sum(axis=2),
    rtol=1e-4,
    atol=1e-6,
  )
