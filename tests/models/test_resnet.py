"""ResNet: sizes, parity with timm, where DropBlock and dropout act."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import errors as flax_errors

from overlap.models import layers, resnet


# torchvision's tables.
@pytest.mark.parametrize(
  ('options', 'parameters'),
  [
    ({'stage_sizes': (2, 2, 2, 2), 'block': 'basic'}, 11_689_512),
    ({'stage_sizes': (3, 4, 6, 3), 'block': 'basic'}, 21_797_672),
    ({}, 25_557_032),
    ({'stage_sizes': (3, 4, 23, 3)}, 44_549_160),
    ({'stage_sizes': (3, 8, 36, 3)}, 60_192_808),
  ],
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = resnet.ResNet(num_classes=1000, **options)
  assert count_parameters(model) == parameters


# Chen et al. 2020 (SimCLR), table 6, in millions and without the head.
@pytest.mark.parametrize(('factor', 'millions'), [(1.0, 24), (2.0, 94)])
def test_wider(count_parameters, factor, millions):
  model = resnet.ResNet(num_classes=1000, width_multiplier=factor)
  head = (2048 * factor + 1) * 1000
  count = count_parameters(model)
  assert round((count - head) / 1e6) == millions
  same = resnet.ResNet(num_classes=1000, width=int(64 * factor))
  assert count_parameters(same) == count


# The published count at width 1 is a + b + c: products of two widths (a), of
# one, which are the norms, the stem and the head's kernel (b), and the head's
# bias (c). At width w it is a·w² + b·w + c.
@pytest.mark.parametrize(
  ('stage_sizes', 'published', 'norms', 'factor'),
  [
    ((3, 4, 6, 3), 25_557_032, 53_120, 2.0),
    ((3, 4, 23, 3), 44_549_160, 105_344, 0.5),
  ],
)
def test_every_filter_is_as_much_wider(
  count_parameters, stage_sizes, published, norms, factor
):
  linear = norms + 7 * 7 * 3 * 64 + 2048 * 1000
  quadratic = published - linear - 1000
  model = resnet.ResNet(
    num_classes=1000, stage_sizes=stage_sizes, width_multiplier=factor
  )
  expected = quadratic * factor**2 + linear * factor + 1000
  assert count_parameters(model) == expected


@pytest.mark.parametrize(
  ('timm_name', 'options', 'size'),
  [
    ('resnet18', {'stage_sizes': (2, 2, 2, 2), 'block': 'basic'}, 64),
    ('resnet18', {'stage_sizes': (2, 2, 2, 2), 'block': 'basic'}, 45),
    ('resnet50', {}, 64),
    pytest.param('resnet50', {}, 224, marks=pytest.mark.slow),
    pytest.param(
      'resnet101', {'stage_sizes': (3, 4, 23, 3)}, 64, marks=pytest.mark.slow
    ),
  ],
)
def test_it_equals_timm(assert_equals_timm, timm_name, options, size):
  model = resnet.ResNet(num_classes=7, **options)
  assert_equals_timm(model, 'resnet', timm_name, (2, size, size, 3))


def small(**options):
  return resnet.ResNet(
    num_classes=3,
    stage_sizes=(1, 1, 1),
    block=options.pop('block', 'basic'),
    width=4,
    stem='small',
    **options,
  )


def variables_of(model):
  """The shapes of the variables, for images of 12×12 grey pixels."""
  return jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 12, 12, 1)))


@pytest.mark.parametrize(
  ('stem_stride', 'block', 'maps'),
  [(1, 'basic', [(12, 4), (6, 8), (3, 16)])]
  + [(2, 'bottleneck', [(6, 16), (3, 32), (2, 64)])],
)
def test_images_halve_and_filters_double(stem_stride, block, maps):
  model = small(stem_stride=stem_stride, block=block)
  _, state = jax.eval_shape(
    functools.partial(
      model.apply,
      capture_intermediates=lambda module, _: isinstance(module, resnet.Block),
    ),
    variables_of(model),
    jnp.ones((1, 12, 12, 1)),
  )
  blocks = state['intermediates']
  for stage, (size, filters) in enumerate(maps, 1):
    (output,) = blocks[f'stage{stage}_block1']['__call__']
    assert output.shape == (1, size, size, filters)


def test_blocks_start_as_the_identity_unless_told_otherwise():
  x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 6, 4)), 'float32')
  for zero_init in (True, False):
    block = resnet.Block(4, bottleneck=False, zero_init=zero_init)
    y, _ = block.init_with_output(jax.random.key(0), x, train=False)
    assert np.allclose(y, nn.relu(x)) == zero_init


def drops(model):
  """(stage, keep probability, side) of each DropBlock that is called."""
  seen = []

  def record(call, args, kwargs, context):
    if isinstance(context.module, layers.DropBlock):
      block = context.module.scope.path[0]
      module = context.module
      seen.append((block, module.keep_prob, module.block_size))
    return call(*args, **kwargs)

  variables = variables_of(model)
  with nn.intercept_methods(record):
    jax.eval_shape(model.apply, variables, jnp.ones((2, 12, 12, 1)))
  return seen


@pytest.mark.parametrize('block', ['basic', 'bottleneck'])
def test_dropblock_follows_each_convolution_and_shortcut_of_its_groups(block):
  model = small(
    block=block,
    dropblock_groups=(2, 3),
    dropblock_keep_prob=0.8,
    dropblock_size=2,
  )
  # Convolutions and the shortcut; an earlier stage drops a quarter as much.
  calls = 3 if block == 'basic' else 4
  expected = [('stage1_block1', 1.0, 2)] * calls
  expected += [('stage2_block1', pytest.approx(0.95), 2)] * calls
  expected += [('stage3_block1', pytest.approx(0.8), 2)] * calls
  assert drops(model) == expected


@functools.partial(jax.jit, static_argnames='model')
def outputs(model, variables, x, key):
  rngs = {} if key is None else {'dropout': key}
  return model.apply(
    variables, x, train=True, rngs=rngs, mutable=['batch_stats']
  )[0]


KEYS = jax.random.split(jax.random.key(0))


@pytest.mark.slow
def test_dropblock_changes_features_and_dropout_only_logits():
  def one_stage(**options):
    return resnet.ResNet(
      num_classes=3, stage_sizes=(1,), width=2, stem='small', **options
    )

  x = np.random.default_rng(0).normal(size=(4, 6, 6, 1)).astype('f')
  variables = jax.jit(one_stage().init)(jax.random.key(0), x)
  plain = outputs(one_stage(), variables, x, None)
  dropout = one_stage(dropout_rate=0.5)
  first, second = (outputs(dropout, variables, x, key) for key in KEYS)
  np.testing.assert_array_equal(first[1], plain[1])
  np.testing.assert_array_equal(second[1], plain[1])
  assert (first[0] != second[0]).any()
  dropblock = one_stage(dropblock_groups=(1,), dropblock_keep_prob=0.5)
  first, second = (outputs(dropblock, variables, x, key) for key in KEYS)
  assert (first[1] != second[1]).any()


@pytest.mark.parametrize(
  'options',
  [
    {'dropout_rate': 0.5},
    {'dropblock_groups': (3,), 'dropblock_keep_prob': 0.9},
  ],
)
def test_a_key_is_needed_in_training_alone(options):
  model, x = small(**options), jnp.ones((2, 12, 12, 1))
  variables = variables_of(model)
  jax.eval_shape(model.apply, variables, x)
  train = functools.partial(model.apply, train=True, mutable=['batch_stats'])
  with pytest.raises(flax_errors.InvalidRngError, match='dropout'):
    jax.eval_shape(train, variables, x)
