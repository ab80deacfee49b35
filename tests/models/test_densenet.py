"""DenseNet: sizes, parity with timm, growth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import errors
from overlap.models import densenet


# torchvision's tables.
@pytest.mark.parametrize(
  ('options', 'parameters'),
  [
    ({}, 7_978_856),
    ({'block_config': (6, 12, 32, 32)}, 14_149_480),
    ({'block_config': (6, 12, 36, 24), 'growth_rate': 48}, 28_681_000),
  ],
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = densenet.DenseNet(num_classes=1000, **options)
  assert count_parameters(model) == parameters


def test_maps_of_odd_sizes_equal_timm(assert_equals_timm):
  model = densenet.DenseNet(num_classes=7, block_config=(2, 3, 2, 1))
  assert_equals_timm(
    model,
    'densenet',
    'densenet121',
    (2, 77, 77, 3),
    options={'block_config': (2, 3, 2, 1)},
  )


def test_it_equals_timm(assert_equals_timm):
  model = densenet.DenseNet(num_classes=7)
  assert_equals_timm(model, 'densenet', 'densenet121', (2, 64, 64, 3))


@pytest.mark.parametrize(
  ('block_config', 'compression', 'size'),
  # Twice the growth rate of 4, and 4 a layer.
  [((1,), 0.5, 12), ((2, 1), 0.5, 12), ((2, 3, 1), 0.3, 8)],
)
def test_layers_add_channels_and_transitions_take_some(
  block_config, compression, size
):
  model = densenet.DenseNet(
    num_classes=2,
    block_config=block_config,
    growth_rate=4,
    compression=compression,
    stem='small',
  )
  _, features = jax.eval_shape(
    lambda: model.init_with_output(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))[
      0
    ]
  )
  assert features.shape == (1, size)


def test_a_layer_keeps_its_input_first():
  x = np.random.default_rng(0).normal(size=(2, 5, 5, 8)).astype('f')
  layer = densenet.Layer(growth_rate=3)
  y, _ = layer.init_with_output(jax.random.key(0), x, train=False)
  assert y.shape == (2, 5, 5, 11)
  np.testing.assert_array_equal(y[..., :8], x)


def test_an_image_that_is_too_small_is_one_line():
  model = densenet.DenseNet(num_classes=2)
  with pytest.raises(errors.UsageError, match='2×2 or more, got 1×1') as caught:
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
  assert '\n' not in str(caught.value)
