"""Models of Scenic's registry: with a stand-in of it, and with Scenic itself.

The stand-in has as much of Scenic's interface as is used: a registry by name,
and classes that make a Flax module of a config and of what is known of a data
set. It shows that the interface is used as it is meant, and no more: the tests
at the end ask Scenic itself, and skip where it is not installed.
"""

import importlib.util
import sys
import types

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints, scenic_model

HAS_SCENIC = importlib.util.find_spec('scenic') is not None


class Identity(nn.Module):
  @nn.compact
  def __call__(self, x):
    return x


class Small(nn.Module):
  """A classifier in Scenic's manner."""

  num_outputs: int
  width: int = 6
  after: bool = False  # Something comes after the last layer.
  pooled: bool = True

  @nn.compact
  def __call__(self, x, *, train, debug=False):
    x = nn.Conv(self.width, (3, 3), name='stem_conv')(x)
    x = nn.BatchNorm(use_running_average=not train, name='init_bn')(x)
    x = nn.Dropout(0.5)(nn.relu(x), deterministic=not train)
    if self.pooled:
      x = jnp.mean(x, axis=(1, 2))
    x = Identity(name='pre_logits')(x)
    x = nn.Dense(self.num_outputs, name='output_projection')(x)
    return 2 * x if self.after else x


class Headless(nn.Module):
  num_outputs: int

  @nn.compact
  def __call__(self, x, *, train, debug=False):
    return nn.Dense(self.num_outputs, name='logits')(jnp.mean(x, axis=(1, 2)))


def scenic_class(module, **fixed):
  """A class as Scenic's registry has them."""

  class Model:
    def __init__(self, config, dataset_meta_data):
      self.flax_model = module(
        num_outputs=dataset_meta_data['num_classes'], **fixed
      )
      if module is Small:
        self.flax_model = self.flax_model.clone(width=config.width)

  return Model


@pytest.fixture
def registry(monkeypatch):
  """The stand-in, where Scenic's registry is imported from."""
  found = types.ModuleType('scenic.model_lib.models')
  found.ALL_MODELS = {
    'small': scenic_class(Small),
    'after': scenic_class(Small, after=True),
    'dense': scenic_class(Small, pooled=False),
    'headless': scenic_class(Headless),
  }
  found.get_model_cls = found.ALL_MODELS.__getitem__
  library = types.ModuleType('scenic.model_lib')
  library.models = found
  for module in (types.ModuleType('scenic'), library, found):
    monkeypatch.setitem(sys.modules, module.__name__, module)
  scenic_model.build_flax_model.cache_clear()
  yield found
  scenic_model.build_flax_model.cache_clear()


CONFIG = """
import ml_collections


def get_config(runlocal=''):
  return ml_collections.ConfigDict({'model_name': 'small', 'width': 6})
"""


@pytest.fixture
def config(tmp_path):
  path = tmp_path / 'config.py'
  path.write_text(CONFIG)
  return str(path)


def build(config, num_classes=5, **options):
  return models.build(
    'scenic', num_classes=num_classes, config=config, **options
  )


def images(*shape):
  rng = np.random.default_rng(0)
  return rng.normal(size=shape or (3, 8, 8, 2)).astype('f')


def random_variables(model, x):
  template = jax.eval_shape(model.init, jax.random.key(0), x)
  rng = np.random.default_rng(1)
  return template, jax.tree.map(
    lambda leaf: rng.uniform(0.2, 1, leaf.shape).astype('f'), template
  )


def theirs(variables):
  """Variables as Scenic itself has them."""
  params = variables['params']
  return {
    'params': params['scenic'] | {'output_projection': params['head']},
    'batch_stats': variables['batch_stats']['scenic'],
  }


def test_it_gives_scenics_logits_and_what_its_last_layer_reads(
  registry, config
):
  model, x = build(config), images()
  assert hash(model) == hash(build(config))
  template, variables = random_variables(model, x)
  assert set(template['params']) == {'head', 'scenic'}
  # The layer that ours stands for has no parameters left.
  assert set(template['params']['scenic']) == {'stem_conv', 'init_bn'}
  logits, features = jax.jit(model.apply)(variables, x)
  assert features.shape == (3, 6)
  assert (logits.dtype, features.dtype) == (jnp.float32, jnp.float32)
  want, state = Small(5).apply(
    theirs(variables), x, train=False, capture_intermediates=True
  )
  (pre_logits,) = state['intermediates']['pre_logits']['__call__']
  np.testing.assert_allclose(features, pre_logits, rtol=1e-5)
  np.testing.assert_allclose(logits, want, rtol=1e-5)
  assert np.std(want, axis=0).min() > 0.01


def test_training_changes_statistics_and_drops(registry, config):
  model, x = build(config), images()
  _, variables = random_variables(model, x)

  @jax.jit
  def step(seed):
    return model.apply(
      variables,
      x,
      train=True,
      mutable=['batch_stats'],
      rngs={'dropout': jax.random.key(seed)},
    )

  (logits, _), state = step(0)
  (other, _), _ = step(1)
  assert np.abs(logits - other).max() > 1e-3
  old, new = variables['batch_stats'], state['batch_stats']
  assert jax.tree.structure(old) == jax.tree.structure(new)
  assert np.abs(old['scenic']['init_bn']['mean']).min() > 0
  changed = new['scenic']['init_bn']['mean'] - old['scenic']['init_bn']['mean']
  assert np.abs(changed).min() > 0


@pytest.mark.parametrize('form', ['train state', 'old train state', 'ours'])
def test_checkpoints_of_scenic_are_read(registry, config, tmp_path, form):
  model, x = build(config), images()
  template, variables = random_variables(model, x)
  of_scenic = theirs(variables)
  state = {
    'train state': {
      'global_step': 3,
      'params': of_scenic['params'],
      'model_state': {'batch_stats': of_scenic['batch_stats']},
      'opt_state': {'0': {'mu': of_scenic['params']}},
    },
    'old train state': {
      'optimizer': {'target': of_scenic['params'], 'state': {'step': 3}},
      'model_state': {'batch_stats': of_scenic['batch_stats']},
    },
    'ours': variables,
  }[form]
  (tmp_path / 'checkpoint_3').write_bytes(serialization.to_bytes(state))
  got = checkpoints.load_variables('scenic', str(tmp_path), template=template)
  jax.tree.map(np.testing.assert_array_equal, got, variables)
  of_three = jax.eval_shape(build(config, 3).init, jax.random.key(0), x)
  got = checkpoints.load_variables(
    'scenic', str(tmp_path), template=of_three, skip_head=True
  )
  assert set(got['params']) == {'scenic'}
  with pytest.raises(errors.DataError, match=r'params/head/kernel has shape'):
    checkpoints.load_variables('scenic', str(tmp_path), template=of_three)


def run(model):
  return jax.eval_shape(model.init, jax.random.key(0), images())


@pytest.mark.parametrize('name', ['after', 'dense', 'headless'])
def test_a_model_that_classifies_in_another_way_is_one_line(
  registry, config, name
):
  with pytest.raises(errors.UsageError, match="'output_projection'") as caught:
    run(build(config, model=name))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('content', 'error', 'says'),
  [
    (CONFIG.replace("'small'", "'smal'"), errors.UsageError, "mean 'small'"),
    (CONFIG.replace("'model_name'", "'name'"), errors.UsageError, 'called'),
    (CONFIG.replace("'width'", "'depth'"), errors.UsageError, 'of small, got'),
    ('x = 3', errors.UsageError, 'must have get_config(), and has not'),
    ('def', errors.UsageError, 'must run, got SyntaxError'),
    ('import no_such_module', errors.UsageError, 'got ModuleNotFoundError'),
    (None, errors.DataError, 'a config of Scenic, and is absent'),
  ],
)
def test_bad_configs_are_one_line(registry, tmp_path, content, error, says):
  path = tmp_path / 'config.py'
  if content is not None:
    path.write_text(content)
  with pytest.raises(error) as caught:
    run(build(str(path)))
  assert says in str(caught.value)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    ({'config': ''}, "config must be the path of a '.py' file, got ''"),
    ({'config': 'a.json'}, "'.py' file, got 'a.json'"),
    ({'config': 'a.py', 'dtype': jnp.bfloat16}, 'model_dtype_str'),
  ],
)
def test_bad_options_are_one_line(options, says):
  with pytest.raises(errors.UsageError) as caught:
    models.build('scenic', num_classes=5, **options)
  assert says in str(caught.value)


@pytest.mark.parametrize('other', [None, types.ModuleType('scenic')])
def test_without_scenic_it_says_what_to_install(monkeypatch, config, other):
  """Also where the other project of that name is installed."""
  scenic_model.build_flax_model.cache_clear()
  for name in [n for n in sys.modules if n.startswith('scenic.')]:
    monkeypatch.delitem(sys.modules, name)
  monkeypatch.setitem(sys.modules, 'scenic', other)
  with pytest.raises(errors.UsageError) as caught:
    run(build(config))
  assert "pip install 'overlap[scenic]'" in str(caught.value)
  assert '\n' not in str(caught.value)


OF_SCENIC = {
  'resnet_classification': {'num_filters': 8, 'num_layers': 11},
  'bit_resnet_classification': {'num_layers': 5},
  'vit_multilabel_classification': {
    'model': {
      'num_heads': 2,
      'num_layers': 2,
      'representation_size': 16,
      'mlp_dim': 32,
      'hidden_size': 16,
      'patches': {'size': (4, 4)},
      'classifier': 'token',
      'dropout_rate': 0.1,
      'attention_dropout_rate': 0.0,
    }
  },
  'mixer_multilabel_classification': {
    'model': {
      'patch_size': (4, 4),
      'hidden_size': 16,
      'num_layers': 1,
      'channels_mlp_dim': 32,
      'sequence_mlp_dim': 32,
    }
  },
  'fully_connected_classification': {'hid_sizes': (12, 6)},
}


@pytest.mark.slow
@pytest.mark.skipif(not HAS_SCENIC, reason='Scenic is not installed')
@pytest.mark.parametrize('name', OF_SCENIC)
def test_scenics_own_models_give_their_logits(tmp_path, name):
  registry = pytest.importorskip('scenic.model_lib.models')
  ml_collections = pytest.importorskip('ml_collections')
  settings = {'model_name': name} | OF_SCENIC[name]
  path = tmp_path / 'config.py'
  path.write_text(
    'import ml_collections\n\n\ndef get_config():\n'
    f'  return ml_collections.ConfigDict({settings!r})\n'
  )
  model, x = build(str(path)), images(3, 32, 32, 3)
  template, variables = random_variables(model, x)
  logits, features = jax.jit(model.apply)(variables, x)
  inner = registry.get_model_cls(name)(
    ml_collections.ConfigDict(settings), {'num_classes': 5}
  ).flax_model
  params = variables['params']
  of_scenic = {
    'params': params['scenic'] | {'output_projection': params['head']}
  }
  if 'batch_stats' in variables:
    of_scenic['batch_stats'] = variables['batch_stats']['scenic']
  expected = jax.eval_shape(
    lambda: inner.init(jax.random.key(0), x, train=False)
  )
  assert jax.tree.structure(expected) == jax.tree.structure(of_scenic)
  want = inner.apply(of_scenic, x, train=False)
  np.testing.assert_allclose(
    logits, want, rtol=1e-4, atol=1e-4 * np.abs(want).max()
  )
  assert features.shape == (3, len(params['head']['kernel']))
  (tmp_path / 'checkpoint_1').write_bytes(serialization.to_bytes(of_scenic))
  got = checkpoints.load_variables(
    'scenic', str(tmp_path / 'checkpoint_1'), template=template
  )
  jax.tree.map(np.testing.assert_array_equal, got, variables)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_SCENIC, reason='Scenic is not installed')
@pytest.mark.parametrize('classifier', ['token', 'gap'])
def test_scenics_vit_and_ours_are_one_model(tmp_path, classifier):
  registry = pytest.importorskip('scenic.model_lib.models')
  ml_collections = pytest.importorskip('ml_collections')
  name = 'vit_multilabel_classification'
  settings = dict(OF_SCENIC[name]['model'])
  settings |= {'representation_size': None, 'classifier': classifier}
  inner = registry.get_model_cls(name)(
    ml_collections.ConfigDict({'model': settings}), {'num_classes': 5}
  ).flax_model
  x = images(3, 16, 24, 3)
  template = jax.eval_shape(
    lambda: inner.init(jax.random.key(0), x, train=False)
  )
  rng = np.random.default_rng(1)
  of_scenic = jax.tree.map(
    lambda leaf: rng.normal(0, 0.5, leaf.shape).astype('f'), template
  )
  (tmp_path / 'checkpoint_1').write_bytes(serialization.to_bytes(of_scenic))
  model = models.build(
    'vit',
    num_classes=5,
    patch_size=4,
    hidden_size=16,
    depth=2,
    num_heads=2,
    mlp_ratio=2.0,
    pool=classifier,
    activation='gelu_tanh',
  )
  ours = checkpoints.load_variables(
    'vit',
    str(tmp_path),
    template=jax.eval_shape(model.init, jax.random.key(0), x),
  )
  want = inner.apply(of_scenic, x, train=False)
  assert np.std(want, axis=0).min() > 0.01
  np.testing.assert_allclose(
    model.apply(ours, x)[0], want, rtol=1e-4, atol=1e-4 * np.abs(want).max()
  )
