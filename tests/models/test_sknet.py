"""SK-ResNet: sizes, parity with timm, what the choice does."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.models import sknet


# timm's counts.
@pytest.mark.parametrize(
  ('stage_sizes', 'parameters'),
  [((2, 2, 2, 2), 11_958_056), ((3, 4, 6, 3), 22_282_376)],
)
def test_number_of_parameters(count_parameters, stage_sizes, parameters):
  model = sknet.SKNet(num_classes=1000, stage_sizes=stage_sizes)
  assert count_parameters(model) == parameters


def test_one_block_a_stage_equals_timm(assert_equals_timm):
  sizes = (1, 1, 1, 1)
  assert_equals_timm(
    sknet.SKNet(num_classes=7, stage_sizes=sizes),
    'sknet',
    'skresnet34',
    (2, 77, 77, 3),
    gradient=True,
    options={'layers': sizes},
  )


@pytest.mark.slow
def test_it_equals_timm_on_whole_images(assert_equals_timm):
  model = sknet.SKNet(num_classes=7)
  # At 2 rounding grows until timm differs from its own float64.
  assert_equals_timm(model, 'sknet', 'skresnet34', (2, 224, 224, 3), gain=1.0)


def test_each_half_of_the_channels_has_its_path_and_the_shares_sum_to_one():
  x = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype('f')
  module = sknet.SelectiveKernel(4)
  y, variables = jax.jit(
    functools.partial(module.init_with_output, train=False)
  )(jax.random.key(0), x)
  params = variables['params']
  # Without a norm that changes anything: means 0, variances 1.
  paths = [
    nn.relu(
      jax.lax.conv_general_dilated(
        x[..., half],
        params[f'path{i}_conv']['kernel'],
        (1, 1),
        [(i, i), (i, i)],
        rhs_dilation=(i, i),
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      )
    )
    / np.sqrt(1 + 1e-5)
    for i, half in ((1, slice(4)), (2, slice(4, 8)))
  ]
  mean = np.mean(paths[0] + paths[1], axis=(1, 2))
  inner = np.maximum(mean @ params['reduce']['kernel'], 0) / np.sqrt(1 + 1e-5)
  scores = (inner @ params['expand']['kernel']).reshape(2, 2, 4)
  shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
  expected = sum(
    path * shares[:, None, None, i] for i, path in enumerate(paths)
  )
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
  # The shares differ between the paths, so that their order matters.
  assert np.abs(shares[:, 0] - shares[:, 1]).max() > 0.01


@pytest.mark.parametrize(
  ('filters', 'options', 'squeezed'),
  [
    (64, {}, 16),
    (256, {}, 32),
    (512, {}, 64),
    (512, {'reduction': 16}, 32),
    (64, {'min_squeezed': 4}, 8),
  ],
)
def test_the_choice_is_made_from_few_channels(filters, options, squeezed):
  module = sknet.SelectiveKernel(filters, **options)
  variables = jax.eval_shape(
    lambda: module.init(jax.random.key(0), jnp.zeros((1, 4, 4, 2)), train=False)
  )
  shape = variables['params']['reduce']['kernel'].shape
  assert shape == (filters, squeezed)


@pytest.mark.slow_except('True')
@pytest.mark.parametrize('zero_init', [False, True])
def test_blocks_start_as_the_identity_if_told_so(zero_init):
  x = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype('f')
  block = sknet.Block(4, zero_init=zero_init)
  y, _ = jax.jit(functools.partial(block.init_with_output, train=False))(
    jax.random.key(0), x
  )
  assert np.allclose(y, nn.relu(x)) == zero_init
