"""The L-BFGS machine on problems whose minima are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.probes import lbfgs

STEP = jax.jit(lbfgs.advance)


def minimise(function, start, tolerance=1e-6, steps=500, bound=np.inf):
  evaluate = jax.jit(jax.value_and_grad(function))
  state = lbfgs.start(jnp.asarray(start, jnp.float32))
  for _ in range(steps):
    value, grad = evaluate(lbfgs.trial(state))
    state = STEP(state, value, grad, bound, jnp.ones_like(grad), tolerance)
    if state.done:
      break
  return state


@pytest.mark.slow_except('1.0-30', '1000.0-2', '1000.0-30')
@pytest.mark.parametrize('size', [1, 2, 30])
@pytest.mark.parametrize('condition', [1.0, 1e3])
def test_a_quadratic_is_solved(size, condition):
  rng = np.random.default_rng(size)
  axes, _ = np.linalg.qr(rng.normal(size=(size, size)))
  matrix = (axes * np.geomspace(1, condition, size)) @ axes.T
  matrix = jnp.asarray(matrix, jnp.float32)
  least = jnp.asarray(rng.normal(size=size), jnp.float32)
  state = minimise(
    lambda x: 1 + (x - least) @ matrix @ (x - least) / 2, np.zeros(size)
  )
  assert state.converged
  np.testing.assert_allclose(state.value, 1, atol=1e-5)
  np.testing.assert_allclose(state.point, least, atol=2e-2)


def test_what_is_not_quadratic_is_solved():
  state = minimise(
    lambda x: jnp.sum(jnp.exp(x) - x) + jnp.sum(jnp.cosh(x)), np.full(3, 6.0)
  )
  # exp(x) - 1 + sinh(x) = 0.
  assert state.converged
  np.testing.assert_allclose(state.point, 0, atol=1e-2)
  assert state.evaluations < 60


def test_starting_at_the_minimum_ends_at_once():
  state = minimise(lambda x: 2 + jnp.sum(x**2), np.zeros(3))
  assert state.converged
  assert (state.steps, state.evaluations) == (0, 1)


def test_a_bound_given_ends_the_search():
  state = minimise(
    lambda x: 2 + jnp.sum(x**2), np.ones(3), bound=1e-7, tolerance=1e-6
  )
  assert state.converged
  assert state.evaluations == 1
  assert state.excess == pytest.approx(1e-7)


def test_a_state_that_is_done_stays():
  state = minimise(lambda x: 2 + jnp.sum(x**2), np.ones(3))
  after = STEP(state, jnp.float32(-5), jnp.ones(3), 0.0, jnp.ones(3), 1.0)
  for name, value in state._asdict().items():
    np.testing.assert_array_equal(value, getattr(after, name), name)


def test_losses_that_are_not_finite_are_stepped_back_from():
  def function(x):
    return jnp.where(x[0] < 0.5, jnp.inf, jnp.sum((x - 1) ** 2) + 1)

  state = minimise(function, [9.0])
  assert state.converged
  np.testing.assert_allclose(state.point, 1, atol=1e-2)


def test_a_start_that_is_not_finite_ends_without_converging():
  state = minimise(lambda x: jnp.sum(x) * jnp.nan, np.ones(2))
  assert state.done
  assert not state.converged


def test_rounding_ends_the_search_and_is_told():
  # Of this loss float32 sees no more than the constant.
  state = minimise(
    lambda x: 1e6 + jnp.sum(jnp.cosh(x)), np.full(4, 2.0), tolerance=0.0
  )
  assert state.done
  assert not state.converged or not state.grad.any()
  assert state.evaluations < 300
  np.testing.assert_allclose(state.point, 0, atol=0.05)


def test_a_slope_without_an_end_is_followed_far():
  # Falls for ever: the step lengths must grow.
  state = minimise(lambda x: jnp.exp(-x[0]), [0.0], steps=60)
  assert state.point[0] > 10


def test_problems_that_share_evaluations_end_as_each_alone():
  starts = np.array([[3.0, -2.0], [0.0, 0.1], [50.0, 9.0]], np.float32)
  scales = np.array([1.0, 5.0, 0.01], np.float32)

  def function(x, scale):
    return 1 + jnp.sum(jnp.log(jnp.cosh(scale * x))) + jnp.sum(x**2) * 0.01

  evaluate = jax.jit(jax.vmap(jax.value_and_grad(function)))
  step = jax.jit(jax.vmap(lbfgs.advance, (0, 0, 0, None, None, None)))
  many = jax.vmap(lbfgs.start)(jnp.asarray(starts))
  for _ in range(200):
    value, grad = evaluate(jax.vmap(lbfgs.trial)(many), scales)
    many = step(many, value, grad, jnp.inf, jnp.ones(2), 1e-6)
  for i, start in enumerate(starts):
    alone = minimise(lambda x, i=i: function(x, scales[i]), start)
    assert many.evaluations[i] == alone.evaluations
    np.testing.assert_allclose(many.point[i], alone.point, atol=1e-4)
