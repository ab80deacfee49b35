"""Convolution in groups against XLA's own, forwards and backwards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.models import grouped

SAME = ((1, 1), (1, 1))


def inputs(size, channels, kernel, filters, groups):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, *size, channels)).astype('f')
  shape = (*kernel, channels // groups, filters)
  return x, rng.normal(size=shape).astype('f')


def slopes(convolve, x, kernel, window):
  """Of a sum that weighs every output differently."""

  def loss(x, kernel):
    y = convolve(x, kernel, window)
    weights = jnp.sin(jnp.arange(y.size, dtype='float32')).reshape(y.shape)
    return jnp.sum(weights * y), y

  return jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(x, kernel)


@pytest.mark.parametrize(
  ('size', 'channels', 'kernel', 'filters', 'window'),
  [
    ((6, 6), 6, (3, 3), 9, grouped.Window(1, SAME, 1, 3)),
    ((7, 5), 4, (3, 3), 4, grouped.Window(2, SAME, 1, 2)),
    ((6, 8), 4, (3, 3), 8, grouped.Window(2, ((0, 1), (0, 1)), 1, 4)),
    ((7, 7), 4, (3, 3), 4, grouped.Window(1, ((2, 2), (2, 2)), 2, 2)),
    ((5, 6), 4, (1, 1), 6, grouped.Window(2, ((0, 0), (0, 0)), 1, 2)),
    ((5, 5), 4, (1, 3), 2, grouped.Window(1, ((0, 0), (1, 1)), 1, 2)),
    ((1, 1), 2, (3, 3), 2, grouped.Window(2, SAME, 1, 2)),
  ],
)
def test_it_equals_xla(size, channels, kernel, filters, window):
  x, kernel = inputs(size, channels, kernel, filters, window.groups)
  got = slopes(grouped.grouped_conv, x, kernel, window)
  want = slopes(grouped._convolve, x, kernel, window)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
    got,
    want,
  )
  assert np.abs(want[0][1]).max() > 0.1


def test_slopes_are_of_the_inputs_types():
  x, kernel = inputs((4, 4), 4, (3, 3), 4, 2)
  window = grouped.Window(1, SAME, 1, 2)
  x, kernel = jnp.asarray(x, jnp.bfloat16), jnp.asarray(kernel, jnp.bfloat16)
  (of_x, of_kernel), y = slopes(grouped.grouped_conv, x, kernel, window)
  assert {of_x.dtype, of_kernel.dtype, y.dtype} == {jnp.dtype('bfloat16')}
  exact = slopes(
    grouped._convolve, *(a.astype('float32') for a in (x, kernel)), window
  )[0][1]
  np.testing.assert_allclose(
    of_kernel.astype('float32'), exact, atol=0.02 * np.abs(exact).max()
  )
