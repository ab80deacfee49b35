"""Inception-v3: size, parity with timm, branches, the auxiliary head."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints, inception_v3


def shapes(model, size=75, channels=3):
  x = jnp.zeros((2, size, size, channels))
  return jax.eval_shape(model.init, jax.random.key(0), x)


def test_number_of_parameters(count_parameters):
  model = inception_v3.InceptionV3(num_classes=1000)
  # timm's without the auxiliary head; torchvision's 27,161,264 are with it.
  assert count_parameters(model, (1, 299, 299, 3)) == 23_834_568


@pytest.mark.slow
@pytest.mark.parametrize(
  ('size', 'gradient'),
  [((107, 107), False), ((299, 299), False), ((75, 96), True)],
)
def test_it_equals_timm(assert_equals_timm, size, gradient):
  model = inception_v3.InceptionV3(num_classes=7)
  assert_equals_timm(
    model, 'inception_v3', 'inception_v3', (2, *size, 3), gradient=gradient
  )


# Figures 5, 6, 7 and 10, and table 1.
def test_maps_have_the_papers_sizes():
  model = inception_v3.InceptionV3(num_classes=5)
  _, state = jax.eval_shape(
    functools.partial(
      model.apply,
      capture_intermediates=lambda m, _: isinstance(m, inception_v3.Block),
    ),
    shapes(model, 299),
    jnp.zeros((1, 299, 299, 3)),
  )
  blocks = state['intermediates']
  found = [blocks[f'block{i}']['__call__'][0].shape[2:] for i in range(1, 12)]
  assert found == [
    (35, 256),
    *[(35, 288)] * 2,
    *[(17, 768)] * 5,
    (8, 1280),
    *[(8, 2048)] * 2,
  ]


def test_zeros_around_an_image_count_in_means():
  spec = inception_v3.Spec(branches=(), pooled=3)
  block = inception_v3.Block(spec, epsilon=0.0)
  x = jnp.ones((1, 4, 5, 2))
  variables = {
    'params': {
      'pool': {
        'conv1': {
          'conv': {'kernel': jnp.ones((2, 3))},
          'norm': {'scale': jnp.ones(3), 'bias': jnp.zeros(3)},
        }
      }
    },
    'batch_stats': {
      'pool': {'conv1': {'norm': {'mean': jnp.zeros(3), 'var': jnp.ones(3)}}}
    },
  }
  y = block.apply(variables, x, train=False)
  share = np.outer([2, 3, 3, 2], [2, 3, 3, 3, 2]) / 9
  np.testing.assert_allclose(y[0, ..., 0], 2 * share, rtol=1e-6)


@functools.cache
def tensors():
  """Of a file with an auxiliary head, by names and shapes."""
  torch = pytest.importorskip('torch')
  timm = pytest.importorskip('timm')
  with torch.device('meta'):
    theirs = timm.create_model('inception_v3', aux_logits=True, num_classes=5)
  return {
    name: np.broadcast_to(np.float32(len(name)), tuple(values.shape))
    for name, values in theirs.state_dict().items()
  }


def test_the_auxiliary_head_is_left_out():
  state = tensors()
  auxiliary = [name for name in state if name.startswith('AuxLogits.')]
  assert 'AuxLogits.fc.weight' in auxiliary
  model = inception_v3.InceptionV3(num_classes=5)
  template = shapes(model)
  with_it = checkpoints.fill('inception_v3', state, template=template)
  rest = {name: v for name, v in state.items() if name not in auxiliary}
  without = checkpoints.fill('inception_v3', rest, template=template)
  jax.tree.map(np.testing.assert_array_equal, with_it, without)


@pytest.mark.parametrize(
  'name',
  [
    'Mixed_5a.branch1x1.conv.weight',
    'Mixed_5b.branch9x9.conv.weight',
    'Mixed_5b.branch1x1.norm.weight',
    'Conv2d_1a_3x3.weight',
  ],
)
def test_a_layer_that_it_does_not_have_is_one_line(name):
  with pytest.raises(errors.DataError, match='Weights of InceptionV3'):
    checkpoints.fill('inception_v3', {name: np.ones(3)}, template={})


@pytest.mark.parametrize('size', [(74, 99), (99, 74), (1, 1)])
def test_an_image_that_is_too_small_is_one_line(size):
  model = inception_v3.InceptionV3(num_classes=2)
  with pytest.raises(errors.UsageError, match='75×75 or more, got') as caught:
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *size, 3)))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_training_drops_features_and_outputs_are_float32(dtype):
  model = inception_v3.InceptionV3(num_classes=5, dtype=dtype)
  variables = shapes(model, channels=1)
  x = jnp.zeros((2, 75, 75, 1))
  rates = []

  def record(call, args, kwargs, context):
    if isinstance(context.module, nn.Dropout):
      rates.append((context.module.rate, args[0].shape))
    return call(*args, **kwargs)

  with nn.intercept_methods(record):
    outputs, updates = jax.eval_shape(
      functools.partial(model.apply, train=True, mutable=['batch_stats']),
      variables,
      x,
      rngs={'dropout': jax.random.key(0)},
    )
  assert rates == [(0.2, (2, 2048))]
  assert [leaf.shape for leaf in outputs] == [(2, 5), (2, 2048)]
  leaves = jax.tree.leaves((outputs, updates, variables))
  assert {leaf.dtype for leaf in leaves} == {jnp.dtype('float32')}


@pytest.mark.parametrize(
  ('options', 'text'),
  [
    ({'epsilon': -1.0}, 'epsilon must be positive, got -1.0'),
    ({'dropout_rate': 1}, r'dropout_rate must be in \[0, 1\), got 1'),
    ({'aux_logits': True}, 'No option of inception_v3'),
  ],
)
def test_a_wrong_option_is_one_line(options, text):
  with pytest.raises(errors.UsageError, match=text) as caught:
    models.build('inception_v3', num_classes=2, **options)
  assert '\n' not in str(caught.value)
