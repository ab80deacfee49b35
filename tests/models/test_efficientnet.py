"""EfficientNet: sizes, parity with timm, padding, dropping."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints, efficientnet
from overlap.models.inverted_residuals import BlockSpec

TENSORFLOW = {'padding': 'same', 'epsilon': 1e-3}


# timm's models; Tan and Le, table 2, has them in millions.
PARAMETERS = {
  0: 5_288_548,
  1: 7_794_184,
  2: 9_109_994,
  3: 12_233_232,
  4: 19_341_616,
  5: 30_389_784,
  6: 43_040_704,
  7: 66_347_960,
}


@pytest.mark.parametrize(
  'variant',
  [
    pytest.param(variant, marks=() if variant in (0, 3) else pytest.mark.slow)
    for variant in efficientnet.VARIANTS
  ],
)
def test_number_of_parameters(count_parameters, variant):
  model = efficientnet.EfficientNet(num_classes=1000, variant=variant)
  assert count_parameters(model) == PARAMETERS[variant]


# Rows and columns meet odd and even sizes on their way down.
@pytest.mark.slow_except('efficientnet_b0-options0')
@pytest.mark.parametrize(
  ('timm_name', 'options'),
  [('efficientnet_b0', {}), ('tf_efficientnet_b0', TENSORFLOW)],
)
def test_it_equals_timm(assert_equals_timm, timm_name, options):
  model = efficientnet.EfficientNet(num_classes=7, **options)
  assert_equals_timm(model, 'efficientnet', timm_name, (2, 64, 47, 3))


@pytest.mark.slow
def test_its_gradient_equals_timm(assert_equals_timm):
  model = efficientnet.EfficientNet(num_classes=7)
  assert_equals_timm(
    model, 'efficientnet', 'efficientnet_b0', (2, 64, 47, 3), gradient=True
  )


@pytest.mark.slow
@pytest.mark.parametrize(('variant', 'gain'), [(0, 2.0), (3, 1.6)])
def test_it_equals_timm_at_full_size(assert_equals_timm, variant, gain):
  model = efficientnet.EfficientNet(num_classes=7, variant=variant)
  assert_equals_timm(
    model,
    'efficientnet',
    f'efficientnet_b{variant}',
    (2, 224, 224, 3),
    gain=gain,
  )


def test_a_trunk_can_end_before_the_last_convolution():
  trunk = efficientnet.Trunk(2.0, 3.1, padding='end', top=False)
  x = jnp.zeros((2, 289, 289, 3))
  features, variables = jax.eval_shape(
    trunk.init_with_output, jax.random.key(0), x
  )
  assert features.shape == (2, 640)
  assert 'top' not in variables['params']
  count = sum(leaf.size for leaf in jax.tree.leaves(variables['params']))
  # B7 without the convolution from 640 to 2,560, its norm, and the head.
  assert count == PARAMETERS[7] - 640 * 2560 - 2 * 2560 - 2561 * 1000


def image(*shape):
  rng = np.random.default_rng(0)
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


def block(stride, padding='half', **options):
  return efficientnet.Block(BlockSpec(5, stride, 6, 8), padding, **options)


@pytest.mark.parametrize(
  ('size', 'sizes'), [(8, (4, 4, 4)), (7, (4, 4, 3)), (2, (1, 1, 1))]
)
def test_paddings_say_the_size_of_a_map(size, sizes):
  x = image(2, size, size, 8)
  for padding, want in zip(efficientnet.PADDINGS, sizes, strict=True):
    y, _ = jax.eval_shape(
      functools.partial(block(2, padding).init_with_output, train=False),
      jax.random.key(0),
      x,
    )
    assert y.shape == (2, want, want, 8)


def variables_of(module, x):
  init = functools.partial(module.init, train=False)
  return jax.jit(init)(jax.random.key(0), x)


def outputs(module, variables, x, **options):
  return jax.jit(functools.partial(module.apply, **options))(variables, x)


def test_padding_at_the_end_is_tensorflows_at_even_sizes():
  x = image(2, 8, 6, 8)
  variables = variables_of(block(2), x)
  half, same, end = (
    outputs(block(2, padding), variables, x, train=False)
    for padding in efficientnet.PADDINGS
  )
  np.testing.assert_array_equal(end, same)
  assert np.abs(half - same).max() > 0.01


@pytest.mark.parametrize(('stride', 'filters'), [(2, 8), (1, 16)])
def test_a_block_that_changes_the_shape_adds_no_input(stride, filters):
  module = efficientnet.Block(BlockSpec(3, stride, 4, filters))
  x = image(2, 4, 4, 8)
  variables = variables_of(module, x)
  variables['params']['project']['norm']['scale'] *= 0
  y = outputs(module, variables, x, train=False)
  np.testing.assert_array_equal(y, np.zeros((2, *y.shape[1:])))
  assert y.shape[-1] == filters


def test_a_block_is_left_out_for_whole_examples():
  x = image(64, 3, 3, 8)
  variables = variables_of(block(1), x)

  def change(drop_rate):
    y, _ = outputs(
      block(1, drop_rate=drop_rate),
      variables,
      x,
      train=True,
      rngs={'dropout': jax.random.key(0)},
      mutable=['batch_stats'],
    )
    return np.asarray(y) - np.asarray(x)

  whole, some = change(0.0), change(0.25)
  kept = np.abs(some).max(axis=(1, 2, 3)) > 0
  assert 32 < kept.sum() < 64
  np.testing.assert_allclose(some[kept], whole[kept] / 0.75, atol=1e-4)


def test_training_drops_later_blocks_more_and_reaches_every_statistic():
  model = efficientnet.EfficientNet(5, drop_path_rate=0.4)
  x = image(2, 32, 32, 1)
  rates = []

  def record(call, args, kwargs, context):
    if isinstance(context.module, efficientnet.Block):
      rates.append(context.module.drop_rate)
    return call(*args, **kwargs)

  variables = jax.eval_shape(model.init, jax.random.key(0), x)
  with nn.intercept_methods(record):
    (logits, features), updates = jax.eval_shape(
      functools.partial(model.apply, train=True, mutable=['batch_stats']),
      variables,
      x,
      rngs={'dropout': jax.random.key(0)},
    )
  np.testing.assert_allclose(rates, 0.4 * np.arange(16) / 16)
  assert (logits.shape, features.shape) == ((2, 5), (2, 1280))
  shapes = jax.tree.map(jnp.shape, variables['batch_stats'])
  assert jax.tree.map(jnp.shape, updates['batch_stats']) == shapes


@pytest.mark.parametrize(
  ('options', 'text'),
  [
    ({'variant': 8}, 'variant must be one of 0, 1, 2, 3, 4, 5, 6, 7, got 8'),
    ({'padding': 'valid'}, 'half, same, end'),
    ({'epsilon': 0.0}, 'epsilon must be positive, got 0.0'),
    ({'drop_path_rate': 1.0}, r'drop_path_rate must be in \[0, 1\)'),
  ],
)
def test_a_wrong_option_is_one_line(options, text):
  with pytest.raises(errors.UsageError, match=text) as caught:
    models.build('efficientnet', num_classes=2, **options)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'name', ['blocks.0.0.bn3.weight', 'blocks.1.0.se.fc1.bias', 'fc.weight']
)
def test_a_layer_that_it_does_not_have_is_one_line(name):
  with pytest.raises(errors.DataError, match='Weights of EfficientNet'):
    checkpoints.fill('efficientnet', {name: np.ones(3)}, template={})
