"""ViT and DeiT: sizes, parity with timm, tokens, heads, dropping."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import errors as flax_errors

from overlap.core import errors
from overlap.models import vit


def _layer_norm(*args, **kwargs):
  """PyTorch's, which is imported where it is called."""
  import torch

  return torch.nn.LayerNorm(*args, **kwargs)


TINY = {'hidden_size': 192, 'num_heads': 3}


# Dosovitskiy et al., table 1, and Touvron et al., table 1, in timm's tables.
@pytest.mark.parametrize(
  ('options', 'parameters'),
  [
    ({}, 86_567_656),
    (TINY, 5_717_416),
    ({'hidden_size': 384, 'num_heads': 6}, 22_050_664),
    ({'patch_size': 32}, 88_224_232),
    ({'hidden_size': 1024, 'num_heads': 16, 'depth': 24}, 304_326_632),
    (TINY | {'distilled': True}, 5_910_800),
    ({'distilled': True}, 87_338_192),
  ],
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = vit.ViT(num_classes=1000, **options)
  assert count_parameters(model) == parameters


@pytest.mark.parametrize(
  ('timm_name', 'options', 'shape'),
  [
    ('vit_tiny_patch16_224', TINY, (48, 48)),
    ('vit_tiny_patch16_224', TINY, (32, 64)),
    (
      'deit_tiny_distilled_patch16_224',
      TINY | {'distilled': True},
      (64, 64),
    ),
  ],
)
def test_it_equals_timm(assert_equals_timm, timm_name, options, shape):
  model = vit.ViT(num_classes=7, depth=3, **options)
  assert_equals_timm(
    model,
    'vit',
    timm_name,
    (2, *shape, 3),
    gradient=True,
    options={'depth': 3, 'img_size': shape},
  )


@pytest.mark.parametrize(
  ('options', 'theirs'),
  [
    # As MAE's and BEiT's fine-tuned models have it, and timm's with a mean.
    ({'pool': 'gap_with_token', 'fc_norm': True}, {'global_pool': 'avg'}),
    ({'pool': 'gap_with_token'}, {'global_pool': 'avg', 'fc_norm': False}),
    (
      {'pool': 'gap', 'fc_norm': True},
      {'global_pool': 'avg', 'class_token': False},
    ),
    (
      {'pool': 'gap'},
      {'global_pool': 'avg', 'class_token': False, 'fc_norm': False},
    ),
    ({'fc_norm': True}, {'fc_norm': True}),
    ({'registers': 3}, {'reg_tokens': 3}),
    (
      {'registers': 2, 'pool': 'gap_with_token', 'fc_norm': True},
      {'global_pool': 'avg', 'reg_tokens': 2},
    ),
    ({'activation': 'quick_gelu'}, {'act_layer': 'quick_gelu'}),
    (
      {'epsilon': 0.1},
      {'norm_layer': functools.partial(_layer_norm, eps=0.1)},
    ),
    # Which our modules hold in other leaves.
    ({}, {'init_values': 0.1}),
    ({}, {'qkv_bias': False}),
    ({}, {'no_embed_class': True}),
  ],
)
def test_pooling_and_other_forms_equal_timm(
  assert_equals_timm, options, theirs
):
  model = vit.ViT(num_classes=7, depth=1, **TINY, **options)
  assert_equals_timm(
    model,
    'vit',
    'vit_tiny_patch16_224',
    (2, 64, 64, 3),
    options={'depth': 1, 'img_size': 64, **theirs},
  )


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    ({'pool': 'mean'}, "'mean'"),
    ({'registers': -1}, 'registers must be 0 or more'),
    ({'epsilon': 0.0}, 'epsilon must be positive'),
    ({'distilled': True, 'pool': 'gap'}, 'distilled must be False unless'),
    ({'distilled': True, 'fc_norm': True}, 'distilled must be False unless'),
  ],
)
def test_options_that_can_not_be(options, says):
  with pytest.raises(errors.UsageError, match=says):
    small(**options)


# Dosovitskiy et al., table 1: 632 million; Zhai et al., 'Scaling Vision
# Transformers' (CVPR 2022): 1.84 billion. With 1,000 classes and a class token
# here.
@pytest.mark.slow
@pytest.mark.parametrize(
  ('options', 'parameters', 'published'),
  [
    (
      {'hidden_size': 1280, 'num_heads': 16, 'depth': 32, 'patch_size': 14},
      632_045_800,
      632e6,
    ),
    (
      {'hidden_size': 1664, 'num_heads': 16, 'depth': 48, 'patch_size': 14}
      | {'mlp_ratio': 8192 / 1664},
      1_844_440_680,
      1.84e9,
    ),
  ],
)
def test_number_of_parameters_of_the_largest(
  count_parameters, options, parameters, published
):
  model = vit.ViT(num_classes=1000, **options)
  assert count_parameters(model) == parameters
  assert abs(parameters / published - 1) < 0.003


@pytest.mark.slow
@pytest.mark.parametrize(
  ('timm_name', 'options', 'gradient'),
  [
    ('vit_base_patch16_224', {}, False),
    ('vit_small_patch16_224', {'hidden_size': 384, 'num_heads': 6}, True),
    (
      'deit_tiny_distilled_patch16_224',
      TINY | {'distilled': True},
      True,
    ),
  ],
)
def test_it_equals_timm_at_224(
  assert_equals_timm, timm_name, options, gradient
):
  model = vit.ViT(num_classes=1000, **options)
  assert_equals_timm(
    model, 'vit', timm_name, (2, 224, 224, 3), gradient=gradient
  )


def small(**options):
  options = {'patch_size': 4, 'hidden_size': 8, 'num_heads': 2} | options
  return vit.ViT(num_classes=3, depth=options.pop('depth', 2), **options)


def images(*shape):
  x = np.random.default_rng(0).normal(size=shape or (3, 8, 8, 1))
  return jnp.asarray(x, jnp.float32)


def variables_of(model, x):
  """Random variables."""
  leaves, tree = jax.tree.flatten(
    jax.eval_shape(model.init, jax.random.key(0), x)
  )
  rng = np.random.default_rng(1)
  return tree.unflatten(
    [rng.normal(0, 0.3, leaf.shape).astype('f') for leaf in leaves]
  )


@pytest.mark.parametrize(
  ('options', 'tokens'),
  [({}, 1), ({'distilled': True}, 2), ({'pool': 'gap'}, 0)],
)
def test_each_token_and_patch_has_a_position(options, tokens):
  params = variables_of(small(**options), images(1, 8, 12, 1))['params']
  assert params['positions'].shape == (1, tokens + 6, 8)
  shape = params['tokens'].shape if tokens else None
  assert shape == ((1, tokens, 8) if tokens else None)


def test_patches_are_embedded_row_by_row_as_by_a_convolution():
  model = small(depth=1)
  x = images(2, 8, 12, 3)
  variables = variables_of(model, x)
  seen = []

  def record(call, args, kwargs, context):
    if isinstance(context.module, vit.Block):
      seen.append(np.asarray(args[0]))
    return call(*args, **kwargs)

  with nn.intercept_methods(record):
    model.apply(variables, x)
  (embedded,) = seen
  params = variables['params']
  np.testing.assert_allclose(
    embedded[:, 0],
    np.broadcast_to(params['tokens'][:, 0] + params['positions'][:, 0], (2, 8)),
    rtol=1e-6,
  )
  for number, (i, j) in enumerate(np.ndindex(2, 3), 1):
    patch = x[:, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].reshape(2, -1)
    expected = np.asarray(patch) @ params['embed']['kernel']
    expected = expected + params['embed']['bias']
    np.testing.assert_allclose(
      embedded[:, number],
      expected + params['positions'][:, number],
      rtol=1e-4,
      atol=1e-5,
    )


@pytest.mark.parametrize('shape', [(8, 7), (7, 8), (2, 2), (0, 8)])
def test_an_image_that_is_not_of_whole_patches_is_one_line(shape):
  with pytest.raises(errors.UsageError, match='4×4 pixels, got') as caught:
    small().init(jax.random.key(0), jnp.zeros((1, *shape, 1)))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('distilled', [True, False])
@pytest.mark.parametrize('train', [True, False])
def test_heads_are_sown_in_training_alone(distilled, train):
  model, x = small(distilled=distilled), images()
  variables = variables_of(model, x)
  (logits, _), state = jax.jit(
    functools.partial(model.apply, train=train, mutable=['heads'])
  )(variables, x)
  if not (distilled and train):
    assert not state.get('heads')
    return
  heads = state['heads']
  assert set(heads) == {'class', 'distillation'}
  (of_class,), (of_teacher,) = heads['class'], heads['distillation']
  assert np.abs(of_class - of_teacher).max() > 0.1
  np.testing.assert_allclose(logits, (of_class + of_teacher) / 2, rtol=1e-6)
  # No harm where they can't be sown; nor are they variables of the model.
  apply = jax.jit(functools.partial(model.apply, train=True))
  np.testing.assert_allclose(apply(variables, x)[0], logits, rtol=1e-5)
  init = functools.partial(model.init, train=True)
  assert set(jax.eval_shape(init, jax.random.key(0), x)) == {'params'}


def test_the_other_head_reads_the_distillation_token_alone():
  model, x = small(distilled=True), images()
  variables = variables_of(model, x)

  def of_class(params):
    _, state = model.apply({'params': params}, x, train=True, mutable=['heads'])
    return jnp.sum(state['heads']['class'][0])

  grads = jax.jit(jax.grad(of_class))(variables['params'])
  assert not np.any(grads['head_dist']['kernel'])
  assert np.all(grads['head']['kernel'])


@pytest.mark.slow_except('options0')
@pytest.mark.parametrize(
  'options', [{'dropout_rate': 0.5}, {'drop_path_rate': 0.5}]
)
def test_dropping_takes_a_key_in_training_alone(options):
  x = images()
  variables = variables_of(small(), x)
  model = small(**options)
  for ours, plain in zip(
    jax.jit(model.apply)(variables, x),
    jax.jit(small().apply)(variables, x),
    strict=True,
  ):
    np.testing.assert_array_equal(ours, plain)
  with pytest.raises(flax_errors.InvalidRngError, match='dropout'):
    model.apply(variables, x, train=True)

  @jax.jit
  def features(seed):
    rngs = {'dropout': jax.random.key(seed)}
    return model.apply(variables, x, train=True, rngs=rngs)[1]

  np.testing.assert_array_equal(features(0), features(0))
  assert np.abs(features(0) - features(1)).max() > 0.01


def test_a_dropped_path_leaves_an_example_as_it_was():
  """Or with both parts scaled by 1 / (1 - rate)."""
  x = images(64, 5, 8)
  block = vit.Block(num_heads=2, mlp_size=16, drop_path_rate=0.5)
  variables = jax.jit(lambda x: block.init(jax.random.key(0), x, train=False))(
    x
  )
  y = block.apply(variables, x, train=True, rngs={'dropout': jax.random.key(0)})
  same = np.all(np.asarray(y) == x, axis=(1, 2))
  # Both parts are left out for a quarter of the examples.
  assert 6 <= same.sum() <= 26


def test_the_authors_activation_is_close_to_the_exact_one_and_another():
  x = images()
  variables = variables_of(small(), x)
  exact = jax.jit(small().apply)(variables, x)[0]
  approximate = jax.jit(small(activation='gelu_tanh').apply)(variables, x)[0]
  assert 0 < np.abs(approximate - exact).max() < 0.01
  rough = jax.jit(small(activation='quick_gelu').apply)(variables, x)[0]
  assert np.abs(approximate - exact).max() < np.abs(rough - exact).max()
  with pytest.raises(errors.UsageError, match='gelu, gelu_tanh, quick_gelu'):
    small(activation='relu')
