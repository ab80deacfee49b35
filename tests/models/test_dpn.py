"""DPN: sizes, parity with timm, the two paths."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import dpn

DPN92 = {
  'stage_sizes': (3, 4, 20, 3),
  'growth': (16, 32, 24, 128),
  'bottleneck': 96,
  'expansion': 4,
  'stem_filters': 64,
  'stem_kernel': 7,
}
SHORT = {'stage_sizes': (2, 2, 1, 1), 'growth': (16, 32, 32, 64)}


# Chen et al., table 1: 12.6 and 37.7 million.
@pytest.mark.slow_except('options0-12611602')
@pytest.mark.parametrize(
  ('options', 'parameters'), [({}, 12_611_602), (DPN92, 37_668_392)]
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = dpn.DPN(num_classes=1000, **options)
  assert count_parameters(model) == parameters


@pytest.mark.slow
def test_maps_of_odd_sizes_equal_timm(assert_equals_timm):
  model = dpn.DPN(num_classes=7, **SHORT)
  assert_equals_timm(
    model,
    'dpn',
    'dpn68',
    (2, 45, 45, 3),
    gradient=True,
    options={'k_sec': SHORT['stage_sizes']},
  )


@pytest.mark.slow
@pytest.mark.parametrize('size', [64, 224])
def test_it_equals_timm(assert_equals_timm, size):
  model = dpn.DPN(num_classes=7)
  assert_equals_timm(model, 'dpn', 'dpn68', (2, size, size, 3))


@pytest.mark.slow
def test_the_first_channels_are_added_to_and_the_others_kept():
  x = np.random.default_rng(0).normal(size=(2, 5, 5, 12)).astype('f')
  block = dpn.Block(bottleneck=8, residual=6, growth=3, groups=2)
  apply = jax.jit(functools.partial(block.apply, train=False))
  variables = block.init(jax.random.key(0), x, train=False)
  y = apply(variables, x)
  assert y.shape == (2, 5, 5, 15)
  np.testing.assert_array_equal(y[..., 6:12], x[..., 6:])
  variables['params']['conv3']['conv']['kernel'] *= 0
  y = apply(variables, x)
  np.testing.assert_array_equal(y, np.pad(x, ((0, 0),) * 3 + ((0, 3),)))


@pytest.mark.slow
def test_the_last_activation_acts_on_the_features_alone():
  x = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype('f')

  def make(activation):
    return dpn.DPN(
      num_classes=3,
      stage_sizes=(1,),
      growth=(2,),
      bottleneck=4,
      groups=2,
      last_activation=activation,
    )

  variables = jax.jit(make('relu').init)(jax.random.key(0), x)
  # Then all normalised values are negative: relu gives 0, elu exp(·) - 1.
  variables['params']['norm']['scale'] *= 0
  variables['params']['norm']['bias'] -= 2
  for activation, want in (('relu', 0), ('elu', np.exp(-2) - 1)):
    _, features = jax.jit(make(activation).apply)(variables, x)
    np.testing.assert_allclose(features, want, rtol=1e-6)


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'last_activation': 'gelu'}, 'Choices: relu, elu'),
    ({'growth': (16,)}, 'growth must be 4 numbers'),
    ({'groups': 30}, r'bottleneck must be a multiple of groups \(30\)'),
    ({'stem_kernel': 2}, 'stem_kernel must be odd'),
    ({'stage_sizes': (1,) * 5}, 'stage_sizes must be of at most 4 stages'),
  ],
)
def test_options_that_can_not_be(options, message):
  with pytest.raises(errors.UsageError, match=message):
    dpn.DPN(num_classes=2, **options)


def test_one_by_one_images_have_features():
  model = dpn.DPN(num_classes=2, **SHORT)
  logits, _ = jax.eval_shape(
    lambda x: model.init_with_output(jax.random.key(0), x)[0],
    jnp.zeros((1, 1, 1, 1)),
  )
  assert logits.shape == (1, 2)
