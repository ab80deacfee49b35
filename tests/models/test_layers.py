"""Convolutions against sums by hand; DropBlock against its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.models import layers


def random_images(*shape):
  return np.random.default_rng(0).normal(size=shape).astype('f')


def convolve(x, kernel, stride):
  """What `Conv` computes, one output at a time."""
  size = kernel.shape[0]
  x = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
  rows = range(0, x.shape[1] - size + 1, stride)
  columns = range(0, x.shape[2] - size + 1, stride)
  return np.stack(
    [
      np.stack(
        [
          np.tensordot(x[:, i : i + size, j : j + size], kernel, 3)
          for j in columns
        ],
        axis=1,
      )
      for i in rows
    ],
    axis=1,
  )


@pytest.mark.parametrize('image', [(6, 6), (7, 7), (5, 8), (1, 1), (2, 1)])
@pytest.mark.parametrize('kernel', [1, 3, 7])
@pytest.mark.parametrize('stride', [1, 2])
def test_convolution(image, kernel, stride):
  x = random_images(2, *image, 3)
  module = layers.Conv(4, kernel, stride)
  y, variables = module.init_with_output(jax.random.key(0), x)
  weights = np.asarray(variables['params']['kernel'])
  expected = convolve(x, weights.reshape(kernel, kernel, 3, 4), stride)
  assert y.shape == expected.shape
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
  'options',
  [
    {'kernel': (1, 7)},
    {'kernel': 3, 'groups': 2, 'stride': 2},
    {'kernel': 1, 'groups': 4},
    {'kernel': 1, 'use_bias': True, 'stride': 2},
    {'kernel': 3, 'use_bias': True, 'padding': 0},
    {'kernel': (3, 1), 'padding': (2, 1)},
    {'kernel': 3, 'dilation': 2},
  ],
)
def test_options_of_a_convolution_are_pytorch_s(options):
  torch = pytest.importorskip('torch')
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, 9, 8, 4)).astype('f')
  conv = layers.Conv(filters=8, **options)
  params = conv.init(jax.random.key(0), x)['params']
  params = {k: rng.normal(size=v.shape).astype('f') for k, v in params.items()}
  kernel = options['kernel']
  size = (kernel, kernel) if isinstance(kernel, int) else kernel
  groups, dilation = options.get('groups', 1), options.get('dilation', 1)
  weights = params['kernel'].reshape(*size, 4 // groups, 8)
  want = torch.nn.functional.conv2d(
    torch.from_numpy(x.transpose(0, 3, 1, 2).copy()),
    torch.from_numpy(weights.transpose(3, 2, 0, 1).copy()),
    torch.from_numpy(params['bias']) if 'bias' in params else None,
    stride=options.get('stride', 1),
    padding=options.get('padding', tuple(dilation * (k // 2) for k in size)),
    dilation=dilation,
    groups=groups,
  )
  np.testing.assert_allclose(
    conv.apply({'params': params}, x),
    want.numpy().transpose(0, 2, 3, 1),
    rtol=1e-4,
    atol=1e-4,
  )


def test_a_convolution_starts_with_he_s_variance():
  """2 / (kernel area · filters), within 5 %."""
  variables = layers.Conv(64, 3).init(
    jax.random.key(0), jnp.zeros((1, 4, 4, 8))
  )
  variance = np.var(variables['params']['kernel'])
  np.testing.assert_allclose(variance, 2 / (9 * 64), rtol=0.05)


def test_a_zero_start_makes_zeros():
  x = random_images(2, 4, 4, 3)
  module = layers.ConvNorm(4, 3, zero_init=True)
  y, _ = module.init_with_output(jax.random.key(0), x, train=False)
  np.testing.assert_array_equal(y, 0)


@pytest.mark.parametrize(
  ('kind', 'stride', 'size', 'expected'),
  [
    ('imagenet', 1, 224, 56),
    ('imagenet', 1, 33, 9),
    ('imagenet', 1, 1, 1),
    ('small', 1, 28, 28),
    ('small', 2, 28, 14),
    ('small', 2, 27, 14),
  ],
)
def test_the_size_after_the_stem(kind, stride, size, expected):
  stem = layers.Stem(4, kind, stride)
  y, _ = jax.eval_shape(
    lambda: stem.init_with_output(
      jax.random.key(0), jnp.zeros((2, size, size, 1)), train=False
    )
  )
  assert y.shape == (2, expected, expected, 4)


SHAPES = [(3, 8, 8, 2), (2, 7, 5, 3), (4, 1, 1, 2), (1, 4, 9, 1), (0, 4, 4, 2)]


@pytest.mark.slow_except(
  '0.5-1-shape0',
  '0.5-3-shape0',
  '0.9-2-shape1',
  '0.5-7-shape3',
  '0.9-3-shape2',
  '0.5-1-shape4',
)
@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('block_size', [1, 2, 3, 7])
@pytest.mark.parametrize('keep_prob', [0.5, 0.9])
def test_dropblock_mask_drops_a_block_for_each_seed(
  shape, block_size, keep_prob
):
  batch, height, width, channels = shape
  rows, columns = min(block_size, height), min(block_size, width)
  starts = (height - rows + 1, width - columns + 1)
  rate = (1 - keep_prob) * height * width / (rows * columns * np.prod(starts))
  key = jax.random.key(3)
  seeds = jax.random.bernoulli(key, min(rate, 1), (batch, *starts, channels))
  expected = np.ones(shape, bool)
  for b, i, j, c in np.argwhere(seeds):
    expected[b, i : i + rows, j : j + columns, c] = False
  mask = layers.dropblock_mask(
    key, shape, keep_prob=keep_prob, block_size=block_size
  )
  assert mask.dtype == bool
  np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
  ('size', 'block_size', 'keep_prob'),
  [(8, 1, 0.7), (8, 3, 0.9), (14, 7, 0.9), (7, 7, 0.8), (5, 9, 0.8)],
)
def test_share_that_dropblock_keeps(size, block_size, keep_prob):
  """Kept are positions that no seed reaches: (1 - rate)^(seeds in reach)."""
  shape = (500, size, size, 8)
  block = min(block_size, size)
  starts = size - block + 1
  rate = (1 - keep_prob) * size**2 / (block * starts) ** 2
  in_reach = np.convolve(np.ones(starts), np.ones(block))
  expected = np.mean((1 - rate) ** np.outer(in_reach, in_reach))
  # At least what was asked for, and all of it where blocks can't overlap.
  assert keep_prob - 1e-9 <= expected < keep_prob + 0.03
  if block in (1, size):
    np.testing.assert_allclose(expected, keep_prob)
  mask = layers.dropblock_mask(
    jax.random.key(0), shape, keep_prob=keep_prob, block_size=block_size
  )
  np.testing.assert_allclose(np.mean(mask), expected, atol=0.01)


def drop(x, keep_prob, block_size=3, *, train=True, seed=0):
  module = layers.DropBlock(keep_prob, block_size)
  rngs = {} if seed is None else {'dropout': jax.random.key(seed)}
  return module.apply({}, x, train=train, rngs=rngs)


def test_dropblock_scales_so_that_the_mean_of_ones_stays_one():
  y = np.asarray(drop(jnp.ones((16, 9, 9, 4)), 0.8))
  assert 0.1 < np.mean(y == 0) < 0.3
  np.testing.assert_allclose(y.mean(), 1, rtol=1e-5)
  assert np.unique(y).size == 2


@pytest.mark.parametrize('strength', [0.0, 0.25, 1.0])
def test_dropblock_goes_its_way_from_keeping_all(strength):
  x = jnp.ones((8, 12, 12, 16))
  rngs = {'dropout': jax.random.key(2)}
  got = jax.jit(
    lambda strength: layers.DropBlock(0.6, 3, strength).apply(
      {}, x, train=True, rngs=rngs
    )
  )(strength)
  constant = layers.DropBlock(1 - 0.4 * strength, 3)
  want = constant.apply({}, x, train=True, rngs=rngs)
  np.testing.assert_allclose(got, want, rtol=1e-6)


def test_dropblock_drops_channels_and_examples_by_themselves():
  y = np.asarray(drop(jnp.ones((4, 9, 9, 4)), 0.8))
  masks = {(y[b, :, :, c] == 0).tobytes() for b in range(4) for c in range(4)}
  assert len(masks) > 12


def test_dropblock_draws_anew_with_another_key():
  x = jnp.ones((2, 9, 9, 2))
  np.testing.assert_array_equal(drop(x, 0.8), drop(x, 0.8))
  assert (np.asarray(drop(x, 0.8)) != drop(x, 0.8, seed=1)).any()


@pytest.mark.parametrize(('keep_prob', 'train'), [(0.5, False), (1.0, True)])
def test_dropblock_that_drops_nothing_takes_no_key(keep_prob, train):
  x = random_images(2, 4, 4, 3)
  y = drop(x, keep_prob, train=train, seed=None)
  np.testing.assert_array_equal(y, x)


def test_dropblock_that_drops_all_gives_zeros():
  y = drop(jnp.ones((1, 3, 3, 1)), 1e-6, 3)
  np.testing.assert_array_equal(y, 0)


def test_dropblock_keeps_the_dtype_and_what_it_drops_has_no_gradient():
  x = jnp.asarray(random_images(4, 6, 6, 2), jnp.bfloat16)
  y, vjp = jax.vjp(lambda x: drop(x, 0.7), x)
  (gradient,) = vjp(jnp.ones_like(y))
  assert y.dtype == gradient.dtype == jnp.bfloat16
  np.testing.assert_array_equal(np.asarray(gradient) == 0, np.asarray(y) == 0)
