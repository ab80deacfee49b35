"""DenseNet: sizes, parity with timm, growth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import densenet, pooling


# torchvision's tables.
@pytest.mark.slow_except('options0-7978856')
@pytest.mark.parametrize(
  ('options', 'parameters'),
  [
    ({}, 7_978_856),
    ({'block_config': (6, 12, 32, 32)}, 14_149_480),
    ({'block_config': (6, 12, 36, 24), 'growth_rate': 48}, 28_681_000),
    # timm's densenetblur121d; blurring has no parameters.
    ({'stem': 'deep', 'blur_pool': True}, 7_998_088),
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


@pytest.mark.slow
def test_it_equals_timm(assert_equals_timm):
  model = densenet.DenseNet(num_classes=7)
  assert_equals_timm(model, 'densenet', 'densenet121', (2, 64, 64, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
  ('timm_name', 'options'),
  [
    ('densenet121', {}),
    ('densenetblur121d', {'stem': 'deep', 'blur_pool': True}),
  ],
)
def test_it_equals_timm_at_full_size(assert_equals_timm, timm_name, options):
  model = densenet.DenseNet(num_classes=7, **options)
  assert_equals_timm(model, 'densenet', timm_name, (2, 224, 224, 3), gain=2.3)


# Behind the stem's first convolution, 77 and 73 pixels are 39 and 37, and a
# blur makes 20 and 19 of these.
@pytest.mark.parametrize('blur_pool', [False, True])
def test_deep_stems_equal_timm(assert_equals_timm, blur_pool):
  size = {'block_config': (2, 1)}
  name = 'densenetblur121d' if blur_pool else 'densenet264d'
  width = {} if blur_pool else {'growth_rate': 48}
  model = densenet.DenseNet(
    num_classes=7, stem='deep', blur_pool=blur_pool, **size, **width
  )
  assert_equals_timm(
    model, 'densenet', name, (2, 77, 73, 3), options=size, gradient=blur_pool
  )


@pytest.mark.parametrize('shape', [(2, 6, 5, 3), (1, 2, 2, 1), (1, 7, 8, 2)])
def test_blur_pool_is_a_weighted_mean_of_mirrored_images(shape):
  x = np.random.default_rng(0).normal(size=shape).astype('f')

  def halved(rows):
    """Rows [n, ...], of which those outside are mirrored ones."""
    last = len(rows) - 1
    kept = []
    for i in range(0, len(rows), 2):
      before, after = abs(i - 1), last - abs(last - (i + 1))
      kept.append(rows[before] / 4 + rows[i] / 2 + rows[after] / 4)
    return np.stack(kept)

  want = halved(x.transpose(1, 2, 0, 3))
  want = halved(want.transpose(1, 0, 2, 3)).transpose(2, 1, 0, 3)
  got = pooling.blur_pool(jnp.asarray(x))
  np.testing.assert_allclose(got, want, atol=1e-6)


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
