"""MobileNetV2: sizes, parity with timm, strides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.models import mobilenet_v2


# torchvision's mobilenet_v2, and timm's mobilenetv2_050 and _140.
@pytest.mark.slow_except('1.0-3504872')
@pytest.mark.parametrize(
  ('width_multiplier', 'parameters'),
  [(1.0, 3_504_872), (0.5, 1_968_680), (1.4, 6_108_776)],
)
def test_number_of_parameters(count_parameters, width_multiplier, parameters):
  model = mobilenet_v2.MobileNetV2(1000, width_multiplier=width_multiplier)
  assert count_parameters(model) == parameters


# timm's mobilenetv2_110d and _120d.
@pytest.mark.parametrize(
  ('width', 'depth', 'parameters'),
  [(1.1, 1.2, 4_516_520), (1.2, 1.4, 5_831_144)],
)
def test_number_of_parameters_of_deeper_models(
  count_parameters, width, depth, parameters
):
  model = mobilenet_v2.MobileNetV2(
    1000, width_multiplier=width, depth_multiplier=depth, scale_ends=False
  )
  assert count_parameters(model) == parameters


DEEPER = {
  'width_multiplier': 1.2,
  'depth_multiplier': 1.4,
  'scale_ends': False,
}


@pytest.mark.parametrize(
  'size', [45, pytest.param(224, marks=pytest.mark.slow)]
)
def test_the_deeper_one_equals_timm(assert_equals_timm, size):
  model = mobilenet_v2.MobileNetV2(num_classes=7, **DEEPER)
  assert_equals_timm(
    model, 'mobilenet_v2', 'mobilenetv2_120d', (2, size, size, 3)
  )


@pytest.mark.slow
def test_its_gradient_equals_timm(assert_equals_timm):
  model = mobilenet_v2.MobileNetV2(num_classes=7)
  assert_equals_timm(
    model, 'mobilenet_v2', 'mobilenetv2_100', (2, 64, 45, 3), gradient=True
  )


@pytest.mark.slow_except('45')
@pytest.mark.parametrize('size', [64, 45])
def test_it_equals_timm(assert_equals_timm, size):
  model = mobilenet_v2.MobileNetV2(num_classes=7)
  assert_equals_timm(
    model, 'mobilenet_v2', 'mobilenetv2_100', (2, size, size, 3)
  )


@pytest.mark.parametrize(
  ('options', 'sizes'),
  [
    ({}, [14, 7, 4, 2, 2, 1, 1]),
    (
      {'stem_stride': 1, 'stage_strides': (1, 1, 2, 2, 1, 2, 1)},
      [28, 28, 14, 7, 7, 4, 4],
    ),
    ({'stage_sizes': (1, 2, 1), 'stage_strides': (2, 1, 2)}, [7, 7, 4]),
  ],
)
def test_strides_say_the_size_of_each_stage(options, sizes):
  model = mobilenet_v2.MobileNetV2(num_classes=2, top_filters=8, **options)

  def stages(x):
    (_, features), state = model.init_with_output(
      jax.random.key(0),
      x,
      mutable=['params', 'batch_stats', 'intermediates'],
      capture_intermediates=lambda m, _: isinstance(m, mobilenet_v2.Block),
    )
    return features, state['intermediates']

  features, blocks = jax.eval_shape(stages, jnp.zeros((1, 28, 28, 1)))
  assert features.shape == (1, 8)
  found = [
    blocks[f'stage{stage}_block1']['__call__'][0].shape[1:3]
    for stage in range(1, len(sizes) + 1)
  ]
  assert found == [(size, size) for size in sizes]
  assert f'stage{len(sizes) + 1}_block1' not in blocks


@pytest.mark.parametrize(('stride', 'filters'), [(1, 8), (2, 8), (1, 16)])
def test_a_block_adds_its_input_where_the_shapes_are_the_same(stride, filters):
  x = np.random.default_rng(0).normal(size=(2, 5, 5, 8)).astype('f')
  block = mobilenet_v2.Block(filters, stride, expansion=2)
  variables = block.init(jax.random.key(0), x, train=False)
  variables['params']['project']['norm']['scale'] *= 0
  y = block.apply(variables, x, train=False)
  same = (stride, filters) == (1, 8)
  np.testing.assert_array_equal(y, x if same else 0)
