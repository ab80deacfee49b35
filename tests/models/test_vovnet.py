"""VoVNet: sizes, parity with timm, pooling that keeps the last pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import vovnet

V39 = {
  'depthwise': False,
  'stem_filters': (64, 64, 128),
  'stage_sizes': (1, 1, 2, 2),
  'block_layers': 5,
}


# timm's ese_vovnet19b_dw and ese_vovnet39b: 6.5 and 24.6 million.
@pytest.mark.parametrize(
  ('options', 'parameters'), [({}, 6_543_080), (V39, 24_568_936)]
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = vovnet.VoVNet(num_classes=1000, **options)
  assert count_parameters(model) == parameters


@pytest.mark.slow_except('64-False')
@pytest.mark.parametrize(('size', 'gradient'), [(64, False), (45, True)])
def test_it_equals_timm(assert_equals_timm, size, gradient):
  model = vovnet.VoVNet(num_classes=7)
  assert_equals_timm(
    model,
    'vovnet',
    'ese_vovnet19b_dw',
    (2, size, size, 3),
    gradient=gradient,
  )


@pytest.mark.slow
@pytest.mark.parametrize(
  ('timm_name', 'options', 'size'),
  [('ese_vovnet19b_dw', {}, 224), ('ese_vovnet39b', V39, 64)],
)
def test_larger_ones_equal_timm(assert_equals_timm, timm_name, options, size):
  model = vovnet.VoVNet(num_classes=7, **options)
  assert_equals_timm(model, 'vovnet', timm_name, (2, size, size, 3))


# torch.nn.MaxPool2d(3, 2, ceil_mode=True) of a row of 1, 2, ..., size.
@pytest.mark.parametrize(
  ('size', 'row'),
  [(2, [2]), (3, [3]), (4, [3, 4]), (5, [3, 5]), (8, [3, 5, 7, 8])],
)
def test_pooling_keeps_the_last_pixels(size, row):
  x = jnp.arange(1.0, size + 1)[None, None, :, None] * jnp.ones((1, 2, 1, 1))
  np.testing.assert_array_equal(vovnet._pool(x)[0, 0, :, 0], row)


def test_blocks_reduce_add_and_weigh_where_they_should():
  model = vovnet.VoVNet(
    num_classes=2,
    stem_filters=(4, 4, 4),
    filters=(6, 8),
    layer_filters=(4, 5),
    stage_sizes=(1, 2),
    block_layers=2,
  )
  variables = jax.eval_shape(
    model.init, jax.random.key(0), jnp.zeros((1, 16, 16, 1))
  )
  blocks = {
    name: sorted(inner)
    for name, inner in variables['params'].items()
    if name.startswith('stage')
  }
  always = ['join', 'layer1', 'layer2']
  # The stem gives as many channels as the first stage's layers have.
  assert blocks == {
    'stage1_block1': sorted([*always, 'excitation']),
    'stage2_block1': sorted([*always, 'reduce']),
    'stage2_block2': sorted([*always, 'reduce', 'excitation']),
  }


@pytest.mark.parametrize('residual', [False, True])
def test_a_residual_block_adds_its_input(residual):
  x = np.random.default_rng(0).normal(size=(2, 5, 5, 4)).astype('f')
  block = vovnet.Block(4, 4, num_layers=1, residual=residual)
  variables = block.init(jax.random.key(0), x, train=False)
  variables['params']['join']['norm']['scale'] *= 0
  y = block.apply(variables, x, train=False)
  np.testing.assert_array_equal(y, x if residual else 0)


def test_an_image_that_is_too_small_is_one_line():
  model = vovnet.VoVNet(num_classes=2)
  with pytest.raises(errors.UsageError, match='2×2 or more, got 1×1') as caught:
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'filters': (8, 8)}, 'filters must be 4 numbers'),
    ({'layer_filters': (8,) * 5}, 'layer_filters must be 4 numbers'),
    ({'stem_filters': (8,)}, 'stem_filters must be 3 numbers'),
    ({'stem_strides': (2, 2, 4)}, 'stem_strides must be 3 times 1 or 2'),
  ],
)
def test_options_that_can_not_be(options, message):
  with pytest.raises(errors.UsageError, match=message):
    vovnet.VoVNet(num_classes=2, **options)
