"""BiT: sizes, parity with timm, standardised weights, norms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.models import bit

R101 = (3, 4, 23, 3)


# timm's counts, which for R50x1 to R152x4 are the paper's in millions.
@pytest.mark.slow_except('options0-25549352')
@pytest.mark.parametrize(
  ('options', 'parameters'),
  [
    ({}, 25_549_352),
    ({'stage_sizes': R101}, 44_541_480),
    ({'width_factor': 3}, 217_319_080),
    ({'stage_sizes': R101, 'width_factor': 3}, 387_934_888),
    ({'stage_sizes': (3, 8, 36, 3), 'width_factor': 4}, 936_533_224),
  ],
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = bit.BiT(num_classes=1000, **options)
  assert count_parameters(model) == parameters


@pytest.mark.slow
def test_one_block_a_stage_and_another_width_equal_timm(assert_equals_timm):
  timm_layers = pytest.importorskip('timm.layers')
  sizes = (1, 1, 1, 1)
  assert_equals_timm(
    bit.BiT(num_classes=7, stage_sizes=sizes, width_factor=2, width=32),
    'bit',
    'resnetv2_50',
    (2, 77, 77, 3),
    gradient=True,
    options={
      'layers': sizes,
      'channels': (128, 256, 512, 1024),
      'width_factor': 2,
      'stem_chs': 32,
      'stem_type': 'fixed',
      'conv_layer': functools.partial(timm_layers.StdConv2d, eps=1e-8),
      'norm_layer': functools.partial(timm_layers.GroupNormAct, num_groups=32),
    },
  )


@pytest.mark.slow
def test_it_equals_timm_on_whole_images(assert_equals_timm):
  model = bit.BiT(num_classes=7)
  assert_equals_timm(model, 'bit', 'resnetv2_50x1_bit', (2, 224, 224, 3))


@pytest.mark.parametrize('shape', [(3, 3, 4, 5), (6, 2)])
def test_standardised_kernels_have_mean_0_and_variance_1(shape):
  kernel = np.random.default_rng(0).normal(3, 0.02, shape).astype('f')
  got = np.asarray(bit.standardise(jnp.asarray(kernel))).reshape(-1, shape[-1])
  # Means of 3 are rounded at 1e-7, which is divided by 0.02.
  np.testing.assert_allclose(got.mean(0), 0, atol=1e-4)
  # 1e-8 is added to variances of 4e-4.
  np.testing.assert_allclose(got.var(0), 1, rtol=1e-3)


def test_an_output_that_ignores_its_inputs_stays_finite():
  kernel = jnp.full((3, 3, 2, 4), 0.1)
  value, slope = jax.jit(
    jax.value_and_grad(lambda k: bit.standardise(k).sum())
  )(kernel)
  assert np.isfinite(value)
  assert np.isfinite(slope).all()


def small(**options):
  return bit.BiT(
    num_classes=3, stage_sizes=(1, 1), width=8, groups=4, **options
  )


@pytest.mark.slow
def test_the_head_starts_at_zero():
  x = np.random.default_rng(0).normal(size=(2, 33, 33, 3)).astype('f')
  (logits, features), _ = jax.jit(small().init_with_output)(
    jax.random.key(0), x
  )
  np.testing.assert_array_equal(logits, 0)
  assert features.shape == (2, 64)
  assert np.std(features, axis=0).mean() > 0.01


def test_the_width_factor_scales_every_layer():
  def shapes(**options):
    variables = jax.eval_shape(
      small(**options).init, jax.random.key(0), jnp.zeros((1, 32, 32, 3))
    )
    return jax.tree.map(lambda leaf: leaf.shape, variables)['params']

  plain, wide = shapes(), shapes(width_factor=3)
  assert wide['stem']['kernel'] == (7, 7, 3, 24)
  del plain['stem'], wide['stem'], plain['head'], wide['head']
  # A filter's height and width are 3 and so is the factor: leave these out.
  leaves = jax.tree.leaves(plain, is_leaf=lambda x: isinstance(x, tuple))
  wider = jax.tree.leaves(wide, is_leaf=lambda x: isinstance(x, tuple))
  assert [tuple(3 * n for n in shape[-2:]) for shape in leaves] == [
    shape[-2:] for shape in wider
  ]


@pytest.mark.slow
def test_weights_that_differ_in_scale_and_shift_are_the_same_model():
  x = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype('f')
  model = small()
  variables = jax.jit(model.init)(jax.random.key(0), x)

  def changed(path, leaf):
    inside = path[-1].key == 'kernel' and path[1].key != 'head'
    return 2 * leaf + 0.1 if inside else leaf

  other = jax.tree.map_with_path(changed, variables)
  features = jax.jit(lambda v: model.apply(v, x)[1])
  np.testing.assert_allclose(
    features(variables), features(other), rtol=1e-3, atol=1e-3
  )
