"""SE-ResNet and SE-ResNeXt: sizes, parity with timm, what a form is."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.models import senet

# 'caffe' with groups strides in a bottleneck's second convolution.
X26 = {'stage_sizes': (2, 2, 2, 2), 'groups': 32, 'width_per_group': 4}
OPTIONS = {
  'legacy_seresnet34': {'block': 'basic'},
  'legacy_seresnet50': {},
  'legacy_seresnext26_32x4d': X26,
  'seresnext26d_32x4d': X26 | {'form': 'd'},
}


# timm's counts.
@pytest.mark.parametrize(
  ('timm_name', 'parameters'),
  [
    ('legacy_seresnet34', 21_958_868),
    ('legacy_seresnet50', 28_088_024),
    ('legacy_seresnext26_32x4d', 16_790_280),
    ('seresnext26d_32x4d', 16_809_512),
  ],
)
def test_number_of_parameters(count_parameters, timm_name, parameters):
  model = senet.SENet(num_classes=1000, **OPTIONS[timm_name])
  assert count_parameters(model) == parameters


# 77 makes maps of odd sides: 39, 19 or 20, 10, 5 and 3 pixels.
@pytest.mark.slow_except(
  'seresnext26d_32x4d-77-False', 'legacy_seresnet34-64-False'
)
@pytest.mark.parametrize(
  ('timm_name', 'size', 'gradient'),
  [
    ('legacy_seresnet34', 64, False),
    ('legacy_seresnet50', 77, True),
    ('legacy_seresnext26_32x4d', 64, False),
    ('seresnext26d_32x4d', 77, False),
  ],
)
def test_one_block_a_stage_equals_timm(
  assert_equals_timm, timm_name, size, gradient
):
  sizes = (1, 1, 1, 1)
  model = senet.SENet(
    num_classes=7, **OPTIONS[timm_name] | {'stage_sizes': sizes}
  )
  assert_equals_timm(
    model,
    'senet',
    timm_name,
    (2, size, size, 3),
    gradient=gradient,
    options={'layers': sizes},
  )


@pytest.mark.slow
@pytest.mark.parametrize(
  'timm_name',
  ['legacy_seresnet34', 'legacy_seresnet50', 'seresnext26d_32x4d'],
)
def test_it_equals_timm_on_whole_images(assert_equals_timm, timm_name):
  model = senet.SENet(num_classes=7, **OPTIONS[timm_name])
  # At 2, timm's own logits in float32 are up to 4 % from those in float64.
  gain = 1.0 if timm_name.startswith('legacy') else 2.0
  assert_equals_timm(model, 'senet', timm_name, (2, 224, 224, 3), gain=gain)


@pytest.mark.parametrize('height', range(1, 9))
def test_caffe_pools_in_windows_that_start_within_the_image(height):
  x = np.random.default_rng(0).normal(size=(2, height, 6, 3)).astype('f')
  got = senet._pool_at_the_end(jnp.asarray(x))
  # The next window starts where two new pixels follow, or one.
  rows = [0, *range(2, height - 1, 2)]
  assert got.shape == (2, len(rows), 3, 3)
  for i, row in enumerate(rows):
    for j, column in enumerate((0, 2, 4)):
      window = x[:, row : row + 3, column : column + 3]
      np.testing.assert_array_equal(got[:, i, j], window.max((1, 2)))


def strides(**options):
  """The stride of each convolution of a striding block."""
  block = senet.Block(4, 16, stride=2, **options)
  x = jnp.zeros((1, 8, 8, 16))
  seen = {}

  def record(call, args, kwargs, context):
    if type(context.module).__name__ == 'ConvNorm':
      seen[context.module.name] = context.module.stride
    return call(*args, **kwargs)

  with nn.intercept_methods(record):
    jax.eval_shape(
      lambda: block.init_with_output(jax.random.key(0), x, train=False)
    )
  return seen


def test_a_form_says_where_a_block_strides():
  others = {'conv3': 1}
  first = {'conv1': 2, 'conv2': 1, 'shortcut': 2}
  second = {'conv1': 1, 'conv2': 2, 'shortcut': 2}
  assert strides(form='caffe') == first | others
  assert strides(form='caffe', groups=2) == second | others
  assert strides(form='d') == second | {'shortcut': 1} | others


@pytest.mark.slow_except('True')
@pytest.mark.parametrize('zero_init', [False, True])
def test_blocks_start_as_the_identity_if_told_so(zero_init):
  x = np.random.default_rng(0).normal(size=(2, 6, 6, 16)).astype('f')
  block = senet.Block(4, 16, 'd', zero_init=zero_init)
  y, _ = jax.jit(functools.partial(block.init_with_output, train=False))(
    jax.random.key(0), x
  )
  assert np.allclose(y, nn.relu(x)) == zero_init


def test_squeezed_channels_follow_the_reduction():
  def squeezed(reduction):
    model = senet.SENet(
      num_classes=2,
      stage_sizes=(1,),
      width=8,
      reduction=reduction,
      stem='small',
    )
    variables = jax.eval_shape(
      model.init, jax.random.key(0), jnp.zeros((1, 8, 8, 1))
    )
    block = variables['params']['stage1_block1']
    return block['squeeze']['reduce']['kernel'].shape

  # Of 4·8 channels.
  assert squeezed(16) == (32, 2)
  assert squeezed(4) == (32, 8)
  assert squeezed(64) == (32, 1)
