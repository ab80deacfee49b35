"""Every config loads under the lock and describes models that can be built."""

import importlib.util
import pathlib

import jax
import jax.numpy as jnp
import pytest

from overlap import config as overlap_config
from overlap import errors
from overlap.catalog import categories
from overlap.study import specs

ROOT = pathlib.Path(__file__).resolve().parents[1]
FORMS = [
  ('quickstart', ''),
  ('quickstart', 'smoke'),
  ('cifar10', ''),
  ('cifar10', 'smoke'),
  ('pretrained', ''),
]
# Those that are a study of the paper's five categories.
STUDIES = [form for form in FORMS if form[0] != 'pretrained']


def load(name, arg):
  path = ROOT / 'configs' / f'{name}.py'
  spec = importlib.util.spec_from_file_location(f'configs_{name}', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.get_config(arg)


def test_every_config_file_is_listed_here():
  files = {path.stem for path in (ROOT / 'configs').glob('*.py')}
  assert files == {name for name, _ in FORMS}


@pytest.mark.parametrize(('name', 'arg'), FORMS)
def test_config_loads_resolves_and_describes_models(name, arg):
  config = load(name, arg)
  config.lock()
  resolved = overlap_config.resolve(config)
  specs.check(resolved)
  assert resolved['name'] == (f'{name}:{arg}' if arg else name)
  for settings in resolved['models'].values():
    model = specs.build_model(settings, num_classes=10)
    size = settings['input']['size'] or 32
    size -= size % settings['architecture']['options'].get('patch_size', 1)
    shape = (1, size, size, settings['input']['channels'] or 1)
    logits, features = jax.eval_shape(
      lambda m=model, s=shape: m.init_with_output(
        jax.random.key(0), jnp.zeros(s)
      )[0]
    )
    assert logits.shape == (1, 10)
    assert features.shape[0] == 1


@pytest.mark.parametrize(('name', 'arg'), STUDIES)
def test_all_five_categories_are_there_as_often_as_the_paper_needs(name, arg):
  resolved = overlap_config.resolve(load(name, arg))
  axes = {
    model: specs.axes(settings, resolved['data']['dataset'])
    for model, settings in resolved['models'].items()
  }
  found = [
    categories.category_to_base(axes[model], axes[resolved['base']])
    for model in axes
    if model != resolved['base']
  ]
  least = {'REINIT': 3, 'HPARAM': 5, 'ARCH': 3, 'FRAMEWORK': 2, 'DATASET': 1}
  assert {c: found.count(c) >= n for c, n in least.items()} == dict.fromkeys(
    least, True
  )


@pytest.mark.parametrize('name', sorted({name for name, _ in STUDIES}))
def test_an_unknown_form_is_one_line(name):
  with pytest.raises(errors.UsageError, match="Did you mean 'smoke'"):
    load(name, 'smok')
