"""What all families have in common: building, outputs, modes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.distributed import meshes

# Small instances, on images of 28×28 grey pixels.
SMALL = {
  'resnet': ('resnet', {'stage_sizes': (1, 1), 'width': 8, 'stem': 'small'}),
  'basic': (
    'resnet',
    {'stage_sizes': (2, 1, 1), 'block': 'basic', 'width_multiplier': 0.125},
  ),
  'vit': (
    'vit',
    {'patch_size': 7, 'hidden_size': 16, 'depth': 2, 'num_heads': 2},
  ),
  'gap': (
    'vit',
    {'patch_size': 14, 'hidden_size': 16, 'depth': 1, 'pool': 'gap'}
    | {'num_heads': 4},
  ),
  'distilled': (
    'vit',
    {'patch_size': 7, 'hidden_size': 16, 'depth': 1, 'num_heads': 2}
    | {'distilled': True},
  ),
  'mobilenet_v2': (
    'mobilenet_v2',
    {'width_multiplier': 0.25, 'stage_sizes': (1, 2), 'stage_strides': (2, 2)}
    | {'top_filters': 24, 'dropout_rate': 0.0},
  ),
  'densenet': (
    'densenet',
    {'block_config': (2, 1), 'growth_rate': 4, 'stem': 'small'},
  ),
  'clip': (
    'clip',
    {'patch_size': 7, 'hidden_size': 16, 'depth': 2, 'num_heads': 2}
    | {'projection_size': 12},
  ),
  'vgg': (
    'vgg',
    {'stage_sizes': (1, 1), 'width': 8, 'hidden_size': 16}
    | {'global_pool': True, 'dropout_rate': 0.0},
  ),
  'senet': ('senet', {'stage_sizes': (1, 1), 'width': 8, 'reduction': 4}),
  'seresnext_d': (
    'senet',
    {'stage_sizes': (1, 1), 'width': 16, 'reduction': 4, 'form': 'd'}
    | {'groups': 2, 'width_per_group': 16},
  ),
  'sknet': ('sknet', {'stage_sizes': (1, 1), 'width': 8, 'stem': 'small'}),
  'bit': ('bit', {'stage_sizes': (1, 1), 'width': 8, 'groups': 4}),
  'blur': (
    'densenet',
    {'block_config': (1,), 'growth_rate': 4, 'stem': 'deep'}
    | {'blur_pool': True},
  ),
  'hrnet': (
    'hrnet',
    {'width': 4, 'stem_filters': (4, 4), 'stem_strides': (2, 1)}
    | {'first_filters': 4, 'first_blocks': 1, 'exchanges': (1,)}
    | {'branch_blocks': 1, 'top_filters': 16},
  ),
  'dpn': (
    'dpn',
    {'stage_sizes': (1, 1), 'growth': (4, 4), 'bottleneck': 8, 'groups': 2},
  ),
  'dla': (
    'dla',
    {'depths': (1, 1, 1, 2), 'filters': (4, 4, 8, 8)}
    | {'strides': (1, 1, 2, 2)},
  ),
  'vovnet': (
    'vovnet',
    {'stem_filters': (4, 4, 4), 'filters': (8, 12), 'layer_filters': (4, 6)}
    | {'stage_sizes': (1, 2), 'block_layers': 2},
  ),
}


@functools.cache
def small(name, *, num_classes=5, dtype=jnp.float32):
  model_name, options = SMALL[name]
  return models.build(
    model_name, num_classes=num_classes, dtype=dtype, **options
  )


def images(count=3, channels=1):
  rng = np.random.default_rng(0)
  return jnp.asarray(rng.normal(size=(count, 28, 28, channels)), jnp.float32)


@functools.cache
def variables_of(name):
  """Random variables of a trained scale; variances are positive."""
  template = jax.eval_shape(small(name).init, jax.random.key(0), images())
  leaves, tree = jax.tree.flatten_with_path(template)
  rng = np.random.default_rng(1)

  def draw(path, leaf):
    if path[-1].key in ('var', 'scale'):
      return rng.uniform(0.5, 1.5, leaf.shape).astype('f')
    fan_in = max(1, leaf.size // leaf.shape[-1])
    return rng.normal(0, fan_in**-0.5, leaf.shape).astype('f')

  return tree.unflatten([draw(path, leaf) for path, leaf in leaves])


@functools.cache
def forward(name, dtype=jnp.float32):
  return jax.jit(small(name, dtype=dtype).apply)


# Of the quickstart's: the slow part takes the others to the same tests.
QUICK = ('resnet', 'vit', 'densenet', 'clip', 'bit')

# Families without small instances, whose own tests see to modes and outputs.
ELSEWHERE = {
  'align', 'efficientnet', 'efficientnet_lite', 'inception_v3', 'scenic',
}  # fmt: skip


def test_every_family_has_a_small_instance_or_is_tested_elsewhere():
  families = {family for family, _ in SMALL.values()}
  assert families | ELSEWHERE == set(models.MODELS)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('name', SMALL)
def test_outputs_and_variables_are_float32(name, dtype):
  model = small(name, dtype=dtype)
  (logits, features), variables = jax.eval_shape(
    model.init_with_output, jax.random.key(0), images()
  )
  assert logits.shape == (3, 5)
  assert features.shape == (3, variables['params']['head']['kernel'].shape[0])
  leaves = jax.tree.leaves((logits, features, variables))
  assert {leaf.dtype for leaf in leaves} == {jnp.dtype('float32')}
  assert set(variables) <= {'params', 'batch_stats'}


@pytest.mark.slow_except(*QUICK)
@pytest.mark.parametrize('name', SMALL)
def test_bfloat16_is_used_and_is_close_to_float32(name):
  model = small(name, dtype=jnp.bfloat16)
  variables = variables_of(name)
  half = [
    equation.outvars[0].aval.dtype == jnp.bfloat16
    for equation in products(jax.make_jaxpr(model.apply)(variables, images()))
  ]
  # All but the heads', which are float32 in any case.
  heads = 2 if name == 'distilled' else 1
  assert len(half) - heads == sum(half) > 0
  for ours, exact in zip(
    forward(name, jnp.bfloat16)(variables, images()),
    forward(name)(variables, images()),
    strict=True,
  ):
    np.testing.assert_allclose(
      ours, exact, atol=0.05 * np.abs(exact).max(), rtol=0
    )


def products(jaxpr):
  """The convolutions and matrix products of images or tokens."""
  for equation in jaxpr.eqns:
    for parameter in equation.params.values():
      inner = getattr(parameter, 'jaxpr', parameter)
      if hasattr(inner, 'eqns'):
        yield from products(inner)
    if equation.primitive.name == 'conv_general_dilated':
      yield equation
    # The products within attention accumulate in float32.
    if equation.primitive.name == 'dot_general':
      (_, _), (batch, _) = equation.params['dimension_numbers']
      if not batch:
        yield equation


@pytest.mark.parametrize('name', SMALL)
def test_logits_are_the_head_of_the_features(name):
  variables = variables_of(name)
  logits, features = forward(name)(variables, images())
  head = variables['params']['head']
  if name == 'distilled':
    # Where both heads are the same one, as when a fitted head is put in.
    twice = variables['params'] | {'head_dist': head}
    logits, features = forward(name)({'params': twice}, images())
  np.testing.assert_allclose(
    logits,
    np.asarray(features) @ head['kernel'] + head['bias'],
    rtol=1e-5,
    atol=1e-5,
  )


@pytest.mark.slow_except(*QUICK)
@pytest.mark.parametrize('name', SMALL)
def test_an_example_s_outputs_depend_on_no_other(name):
  variables = variables_of(name)
  together = forward(name)(variables, images(3))
  for outputs, alone in zip(
    together, forward(name)(variables, images(3)[1:2]), strict=True
  ):
    np.testing.assert_allclose(outputs[1:2], alone, rtol=1e-4, atol=1e-5)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3


@pytest.mark.slow_except('resnet', 'vit')
@pytest.mark.parametrize('name', SMALL)
def test_jit_equals_no_jit(name):
  variables = variables_of(name)
  for jitted, plain in zip(
    forward(name)(variables, images()),
    small(name).apply(variables, images()),
    strict=True,
  ):
    np.testing.assert_allclose(jitted, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', ['resnet', 'vit', 'mobilenet_v2', 'densenet'])
def test_images_may_have_any_number_of_channels(name):
  logits, _ = jax.eval_shape(
    lambda: small(name).init_with_output(jax.random.key(0), images(channels=3))[
      0
    ]
  )
  assert logits.shape == (3, 5)


@pytest.mark.slow_except(*QUICK)
@pytest.mark.parametrize('name', SMALL)
def test_training_reaches_every_parameter_and_statistic(name):
  variables = variables_of(name)

  def loss(params):
    (logits, features), updates = small(name).apply(
      variables | {'params': params},
      images(8),
      train=True,
      mutable=['batch_stats'],
    )
    return jnp.sum(jnp.sin(logits)) + jnp.sum(jnp.sin(features)), updates

  gradients, updates = jax.jit(jax.grad(loss, has_aux=True))(
    variables['params']
  )
  for path, gradient in jax.tree.flatten_with_path(gradients)[0]:
    assert np.isfinite(gradient).all(), path
    assert np.abs(gradient).max() > 0, path
  assert jax.tree.structure(updates.get('batch_stats')) == jax.tree.structure(
    variables.get('batch_stats')
  )
  for old, new in zip(
    jax.tree.leaves(variables.get('batch_stats')),
    jax.tree.leaves(updates.get('batch_stats')),
    strict=True,
  ):
    assert (np.asarray(old) != new).all()


def test_batch_norm_is_over_the_whole_batch_and_forgets_a_tenth():
  """With unit statistics before: new = 0.9·old + 0.1·of the batch."""
  model, x = small('resnet'), 3 + 2 * images(8)
  variables = variables_of('resnet')

  @jax.jit
  def statistics(variables, x):
    return model.apply(variables, x, train=True, mutable=['batch_stats'])[1]

  whole = statistics(variables, x)['batch_stats']
  batch = meshes.shard({'x': np.asarray(x)})['x']
  assert len(batch.sharding.device_set) == jax.device_count() > 1
  spread = statistics(meshes.replicate(variables), batch)['batch_stats']
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    whole,
    spread,
  )
  kernel = np.asarray(variables['params']['stem']['conv']['kernel'])
  padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  windows = np.lib.stride_tricks.sliding_window_view(
    padded, (3, 3), axis=(1, 2)
  )
  stem = np.einsum('bhwcij,ijcf->bhwf', windows, kernel)
  old = variables['batch_stats']['stem']['norm']
  new = whole['stem']['norm']
  for kind, of_batch in [
    ('mean', stem.mean((0, 1, 2))),
    ('var', stem.var((0, 1, 2))),
  ]:
    expected = 0.9 * old[kind] + 0.1 * of_batch
    np.testing.assert_allclose(new[kind], expected, rtol=1e-4, atol=1e-5)


def test_a_built_module_is_a_key_of_caches():
  options = {'stage_sizes': [1, 1], 'block': 'basic', 'dropblock_groups': [2]}
  build = functools.partial(models.build, 'resnet', num_classes=3)
  first, second = build(**options), build(**options)
  assert first == second
  assert hash(first) == hash(second)
  assert first.stage_sizes == (1, 1)
  assert first != build(stage_sizes=[1, 2])


def test_integers_stand_for_floats_but_for_nothing_else():
  model = models.build('resnet', num_classes=3, width_multiplier=2)
  assert model.width_multiplier == 2.0
  assert type(model.width_multiplier) is float


@pytest.mark.parametrize(
  ('name', 'options', 'text'),
  [
    ('resnt', {}, "Did you mean 'resnet'"),
    ('resnet', {'dropout': 0.1}, "Did you mean 'dropout_rate'"),
    ('resnet', {'num_clases': 1}, 'No option of resnet'),
    ('vit', {'parent': None}, 'No option of vit'),
    ('vit', {'depth': 2.0}, 'depth of vit must be of type int, got 2.0'),
    ('vit', {'distilled': 1}, 'must be of type bool, got 1'),
    ('resnet', {'width': True}, 'must be of type int, got True'),
    ('resnet', {'dropout_rate': '0.1'}, 'must be of type float'),
    ('resnet', {'stage_sizes': 3}, r'type tuple\[int, ...\], got 3'),
    ('resnet', {'stage_sizes': (1, 2.5)}, r'type tuple\[int, ...\]'),
    ('resnet', {'stage_sizes': ()}, 'stage_sizes must be positive'),
    ('resnet', {'stage_sizes': (2, 0)}, 'stage_sizes must be positive'),
    ('resnet', {'block': 'botleneck'}, "Did you mean 'bottleneck'"),
    ('resnet', {'stem': 'large'}, 'imagenet, small'),
    ('resnet', {'stem_stride': 2}, "unless stem='small'"),
    ('resnet', {'stem': 'small', 'stem_stride': 3}, '1 or 2, got 3'),
    ('resnet', {'dropblock_groups': (4, 5)}, 'the 4 stages, counted from 1'),
    ('resnet', {'dropblock_groups': (0,)}, 'the 4 stages, counted from 1'),
    ('resnet', {'dropblock_keep_prob': 0.9}, 'no dropblock_groups'),
    (
      'resnet',
      {'dropblock_groups': (1,), 'dropblock_keep_prob': 0.0},
      r'in \(0, 1\], got 0.0',
    ),
    ('resnet', {'dropblock_size': 0}, 'dropblock_size must be positive'),
    ('resnet', {'dropout_rate': 1.5}, r'dropout_rate must be in \[0, 1\)'),
    ('resnet', {'width': 0}, 'width must be positive'),
    ('vit', {'num_heads': 5}, 'a divisor of hidden_size=768'),
    ('vit', {'pool': 'map'}, 'token, gap'),
    (
      'vit',
      {'pool': 'gap', 'distilled': True},
      'must be False unless pool',
    ),
    ('vit', {'depth': 0}, 'depth must be positive'),
    ('vit', {'drop_path_rate': -0.1}, r'drop_path_rate must be in \[0, 1\)'),
    ('mobilenet_v2', {'stage_sizes': (1, 2)}, '2 times 1 or 2'),
    ('mobilenet_v2', {'stage_sizes': (1,) * 8}, 'at most 7 stages'),
    ('mobilenet_v2', {'stem_stride': 4}, '1 or 2, got 4'),
    ('mobilenet_v2', {'depth_multiplier': 0}, 'depth_multiplier must be pos'),
    ('mobilenet_v2', {'stage_strides': (1, 2, 3, 1, 1, 1, 1)}, '1 or 2'),
    ('densenet', {'block_config': (3, -1)}, 'block_config must be positive'),
    ('densenet', {'compression': 1.1}, 'at most 1, got 1.1'),
    ('vgg', {'stage_sizes': (1, 0)}, 'stage_sizes must be positive'),
    ('vgg', {'hidden_size': 0}, 'hidden_size must be positive'),
    ('vgg', {'dropout_rate': 1.0}, r'dropout_rate must be in \[0, 1\)'),
    ('senet', {'block': 'botleneck'}, "Did you mean 'bottleneck'"),
    ('senet', {'form': 'D'}, 'caffe, d'),
    ('senet', {'block': 'basic', 'groups': 2}, 'groups must be 1 where'),
    ('senet', {'block': 'basic', 'width_per_group': 4}, 'group must be 64'),
    ('senet', {'reduction': 0}, 'reduction must be positive'),
    ('senet', {'stem_stride': 2}, "unless stem='small'"),
    ('sknet', {'width': 7}, 'width must be even, got 7'),
    ('sknet', {'min_squeezed': 0}, 'min_squeezed must be positive'),
    ('bit', {'width': 40}, 'a divisor of width·width_factor=40, got 32'),
    ('bit', {'width_factor': 0}, 'width_factor must be positive'),
    ('densenet', {'stem': 'cifar'}, 'imagenet, small, deep'),
    ('densenet', {'stem': 'deep', 'stem_stride': 2}, "unless stem='small'"),
    ('densenet', {'blur_pool': True}, "False unless stem='deep', got True"),
  ],
)
def test_a_wrong_option_is_one_line(name, options, text):
  with pytest.raises(errors.UsageError, match=text) as caught:
    models.build(name, num_classes=2, **options)
  assert '\n' not in str(caught.value)
