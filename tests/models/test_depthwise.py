"""Depthwise convolution against loops and against XLA's own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.models import depthwise

SHAPES = [
  # examples, height, width, channels, kernel, stride
  (2, 8, 8, 3, 3, 1),
  (2, 8, 6, 3, 3, 2),
  (1, 7, 9, 2, 5, 2),
  (3, 5, 4, 1, 5, 1),
  (2, 1, 1, 4, 5, 1),
  (2, 1, 2, 4, 3, 2),
  (2, 9, 9, 2, 3, 3),
  (0, 4, 4, 2, 3, 1),
]


def inputs(examples, height, width, channels, kernel):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(examples, height, width, channels)).astype('f')
  return x, rng.normal(size=(kernel, kernel, 1, channels)).astype('f')


def loops(x, kernel, stride):
  """Every output from its window; what lies outside counts as zero."""
  examples, height, width, channels = x.shape
  size = kernel.shape[0]
  out = np.zeros(
    (examples, -(-height // stride), -(-width // stride), channels)
  )
  before = [
    max((o - 1) * stride + size - i, 0) // 2
    for o, i in zip(out.shape[1:3], (height, width))
  ]
  for row, column, i, j in np.ndindex(*out.shape[1:3], size, size):
    y, z = row * stride + i - before[0], column * stride + j - before[1]
    if 0 <= y < height and 0 <= z < width:
      out[:, row, column] += x[:, y, z] * kernel[i, j, 0]
  return out


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize(
  'convolve',
  [
    depthwise.depthwise_conv,
    depthwise._shifted_products,
    depthwise._grouped_convolution,
  ],
)
def test_it_equals_loops(convolve, shape):
  x, kernel = inputs(*shape[:5])
  got = jax.jit(functools.partial(convolve, stride=shape[5]))(x, kernel)
  want = loops(x, kernel, shape[5])
  assert got.shape == want.shape
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize('shape', SHAPES[:4])
def test_gradients_are_those_of_the_convolution(shape):
  x, kernel = inputs(*shape[:5])

  def gradients(convolve):
    def loss(x, kernel):
      return jnp.sum(jnp.sin(convolve(x, kernel, stride=shape[5])))

    return jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)

  got = gradients(depthwise.depthwise_conv)
  want = gradients(depthwise._grouped_convolution)
  for g, w in zip(got, want):
    np.testing.assert_allclose(g, w, atol=1e-5)


@pytest.mark.parametrize('shape', SHAPES[:-1])
def test_given_padding_is_pytorchs(shape):
  torch = pytest.importorskip('torch')
  x, kernel = inputs(*shape[:5])
  want = torch.nn.functional.conv2d(
    torch.tensor(x.transpose(0, 3, 1, 2)),
    torch.tensor(kernel.transpose(3, 2, 0, 1)),
    stride=shape[5],
    padding=shape[4] // 2,
    groups=x.shape[-1],
  ).numpy()
  for convolve in (
    depthwise.depthwise_conv,
    depthwise._shifted_products,
    depthwise._grouped_convolution,
  ):
    got = convolve(x, kernel, stride=shape[5], padding=shape[4] // 2)
    np.testing.assert_allclose(got, want.transpose(0, 2, 3, 1), atol=1e-5)


def test_half_precision_accumulates_in_float32():
  # 25 products of 1 and 1/256 added to 1: bfloat16 has 8 bits and would stay
  # at 1 all along, float32 rounds 1 + 24/256 once.
  x = np.full((1, 5, 5, 1), 1 / 256, jnp.bfloat16)
  x[0, 0, 0, 0] = 1
  kernel = np.ones((5, 5, 1, 1), jnp.bfloat16)
  got = depthwise.depthwise_conv(jnp.asarray(x), jnp.asarray(kernel))
  assert got.dtype == jnp.bfloat16
  assert float(got[0, 2, 2, 0]) == jnp.bfloat16(1 + 24 / 256)


@pytest.mark.parametrize(
  ('platform', 'is_convolution'),
  [('cpu', False), ('tpu', True), ('cuda', True)],
)
def test_accelerators_get_the_convolution(platform, is_convolution):
  x, kernel = inputs(2, 8, 8, 6, 3)
  traced = jax.jit(depthwise.depthwise_conv).trace(x, kernel)
  text = traced.lower(lowering_platforms=(platform,)).as_text()
  assert ('feature_group_count = 6' in text) == is_convolution


def test_the_module_has_a_kernel_per_channel():
  module = depthwise.DepthwiseConv(5, 2, jnp.bfloat16)
  x = jnp.ones((2, 7, 7, 1000))
  y, variables = module.init_with_output(jax.random.key(0), x)
  kernel = variables['params']['kernel']
  assert (kernel.shape, kernel.dtype) == ((5, 5, 1, 1000), jnp.float32)
  assert (y.shape, y.dtype) == ((2, 4, 4, 1000), jnp.bfloat16)
  # He initialisation over the 25 pixels that a channel is made of.
  np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / 25), rtol=0.05)
