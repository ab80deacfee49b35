"""VGG: sizes, parity with timm, maps of other sizes than 7×7."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import checkpoints, vgg


# torchvision's tables.
@pytest.mark.parametrize(
  ('stage_sizes', 'parameters'),
  [
    ((1, 1, 2, 2, 2), 132_868_840),
    ((2, 2, 3, 3, 3), 138_365_992),
    ((2, 2, 4, 4, 4), 143_678_248),
  ],
)
def test_number_of_parameters(count_parameters, stage_sizes, parameters):
  model = vgg.VGG(num_classes=1000, stage_sizes=stage_sizes)
  assert count_parameters(model) == parameters


# The classifier's hundred million weights take their time.
@pytest.mark.slow
@pytest.mark.parametrize(
  ('timm_name', 'stage_sizes', 'image', 'gradient'),
  [
    # Maps of 2×8 pixels before the classifier: both rules in one.
    ('vgg11_bn', (1, 1, 2, 2, 2), (2, 77, 256, 3), True),
    ('vgg19_bn', (2, 2, 4, 4, 4), (2, 224, 224, 3), False),
  ],
)
def test_it_equals_timm(
  assert_equals_timm, timm_name, stage_sizes, image, gradient
):
  model = vgg.VGG(num_classes=7, stage_sizes=stage_sizes)
  assert_equals_timm(model, 'vgg', timm_name, image, gradient=gradient)


@pytest.mark.parametrize('shape', [(1, 6), (2, 7), (3, 9), (4, 5), (7, 7)])
def test_small_maps_are_stretched_as_pytorch_does(shape):
  torch = pytest.importorskip('torch')
  x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype('f')
  want = torch.nn.functional.adaptive_avg_pool2d(
    torch.from_numpy(x.transpose(0, 3, 1, 2).copy()),
    tuple(max(7, side) for side in shape),
  )
  got = vgg._at_least_a_window(jnp.asarray(x))
  np.testing.assert_allclose(
    got, want.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6
  )


def small(**options):
  return vgg.VGG(
    num_classes=3, stage_sizes=(1, 2), width=4, hidden_size=6, **options
  )


def shapes_of(model, size=28):
  return jax.eval_shape(
    model.init, jax.random.key(0), jnp.zeros((1, size, size, 1))
  )


def test_filters_double_up_to_eight_times():
  model = vgg.VGG(num_classes=3, stage_sizes=(1,) * 6, width=4, hidden_size=6)
  params = shapes_of(model, 64)['params']
  filters = [params[f'conv{i}']['kernel'].shape[3] for i in range(1, 7)]
  assert filters == [4, 8, 16, 32, 32, 32]


def test_the_classifier_sees_windows_or_the_mean():
  windows = shapes_of(small())['params']['hidden1']['kernel']
  mean = shapes_of(small(global_pool=True))['params']['hidden1']['kernel']
  assert windows.shape == (7, 7, 8, 6)
  assert mean.shape == (8, 6)


@pytest.mark.slow
def test_dropout_follows_both_hidden_layers():
  x = np.random.default_rng(0).normal(size=(4, 28, 28, 1)).astype('f')
  model = small(dropout_rate=0.5)
  variables = jax.jit(model.init)(jax.random.key(0), x)

  @jax.jit
  def outputs(key):
    return model.apply(
      variables, x, train=True, rngs={'dropout': key}, mutable='batch_stats'
    )[0]

  keys = jax.random.split(jax.random.key(1))
  first, second = jax.tree.map(np.asarray, [outputs(key) for key in keys])
  # Features are after the first dropout and before the second.
  assert (first[1] != second[1]).any()
  head = jax.tree.map(np.asarray, variables['params']['head'])
  dense = first[1] @ head['kernel'] + head['bias']
  assert np.abs(first[0] - dense).max() > 1e-3


def test_torchvision_s_names_are_known_too():
  template = shapes_of(small())
  rng = np.random.default_rng(0)
  state = {}
  # Convolution, norm and ReLU; a pooling after the first stage.
  for number, inputs, outputs in ((0, 1, 4), (4, 4, 8), (7, 8, 8)):
    shape = (outputs, inputs, 3, 3)
    state[f'features.{number}.weight'] = rng.normal(size=shape)
    names = ('weight', 'bias', 'running_mean', 'running_var')
    for name in (f'{number}.bias', *(f'{number + 1}.{n}' for n in names)):
      state[f'features.{name}'] = rng.normal(size=outputs)
  for number, inputs, outputs in ((0, 8 * 49, 6), (3, 6, 6), (6, 6, 3)):
    state[f'classifier.{number}.weight'] = rng.normal(size=(outputs, inputs))
    state[f'classifier.{number}.bias'] = rng.normal(size=outputs)
  state = {name: values.astype('f') for name, values in state.items()}
  params = checkpoints.fill('vgg', state, template=template)['params']
  for number, i in ((4, 2), (7, 3)):
    np.testing.assert_array_equal(
      params[f'conv{i}']['kernel'][1, 2, 3],
      state[f'features.{number}.weight'][:, 3, 1, 2],
    )
    np.testing.assert_array_equal(
      params[f'norm{i}']['scale'], state[f'features.{number + 1}.weight']
    )
  # Flattened channels first there.
  flat = state['classifier.0.weight'].reshape(6, 8, 7, 7)
  np.testing.assert_array_equal(
    params['hidden1']['kernel'][2, 5, 3], flat[:, 3, 2, 5]
  )


@pytest.mark.parametrize('name', ['features.0.gamma', 'features.1.weight.x'])
def test_a_name_of_no_vgg_is_one_line(name):
  with pytest.raises(errors.DataError, match='VGG must have names such as'):
    checkpoints.fill('vgg', {name: np.ones(3)}, template=shapes_of(small()))


def test_an_image_that_is_too_small_is_one_line():
  model = vgg.VGG(num_classes=2)
  with pytest.raises(errors.UsageError, match='32×32 pixels') as caught:
    shapes_of(model, 28)
  assert '\n' not in str(caught.value)
