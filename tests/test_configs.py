"""Every config loads under the lock and describes models that can be built."""

import pathlib

import jax
import jax.numpy as jnp
import pytest

from overlap.catalog import categories
from overlap.cli import main as cli
from overlap.config import schema, sweeps
from overlap.core import errors, python_file
from overlap.launch import units
from overlap.study import specs

ROOT = pathlib.Path(__file__).resolve().parents[1]
FORMS = [
  ('quickstart', ''),
  ('quickstart', 'all'),
  ('quickstart', 'smoke'),
  ('cifar10', ''),
  ('cifar10', 'smoke'),
  ('pretrained', ''),
  ('swept', 'configs/quickstart.py:smoke+configs/sweeps/dropout.py'),
]
# Those that are a study of the paper's five categories.
STUDIES = [form for form in FORMS if form[0] in ('quickstart', 'cifar10')]
# Each sweep with a config that it is of.
SWEEPS = [
  ('dropout', 'quickstart.py'),
  ('dropout:vit', 'cifar10.py'),
  ('seeds', 'quickstart.py'),
  ('learning_rate', 'quickstart.py'),
  ('train_fraction', 'quickstart.py'),
  ('paper', 'imagenet/paper.py:all'),
  ('paper:FRAMEWORK', 'imagenet/paper.py:all'),
]


def load(name, arg):
  path = ROOT / 'configs' / f'{name}.py'
  return python_file.load(path).get_config(arg)


def test_every_config_file_is_listed_here():
  files = {path.stem for path in (ROOT / 'configs').glob('*.py')}
  assert files == {name for name, _ in FORMS}


def test_every_sweep_is_listed_here():
  files = {path.stem for path in (ROOT / 'configs' / 'sweeps').glob('*.py')}
  assert files == {name.partition(':')[0] for name, _ in SWEEPS}


@pytest.mark.parametrize(('sweep', 'config'), SWEEPS)
def test_every_unit_of_a_sweep_loads_under_the_lock(monkeypatch, sweep, config):
  monkeypatch.chdir(ROOT)
  name, colon, arg = sweep.partition(':')
  path = f'configs/sweeps/{name}.py{colon}{arg}'
  made = units.make_units(f'configs/{config}', path, '/w').units
  of_models = {
    word for unit in made for word in unit.words if '--model=' in word
  }
  named = {item.name for item in sweeps.load(path)}
  assert named <= {unit.name for unit in made}
  # Those in one workdir have one config, which `units.make_units` has checked.
  if of_models:
    assert len(of_models) == len(made)
    made = made[:1]
  for unit in made:
    values = cli.parse(unit.words)
    assert values['config'].value.is_locked
    specs.check_specs(schema.resolve(values['config'].value))


def trained(resolved):
  """Settings of the models that are not probes on others."""
  return {
    name: settings
    for name, settings in resolved['models'].items()
    if settings['source'] == 'train'
  }


@pytest.mark.parametrize(('name', 'arg'), FORMS)
def test_config_loads_resolves_and_describes_models(monkeypatch, name, arg):
  monkeypatch.chdir(ROOT)
  config = load(name, arg)
  config.lock()
  resolved = schema.resolve(config)
  specs.check_specs(resolved)
  assert resolved['name'] == (f'{name}:{arg}' if arg else name)
  for settings in trained(resolved).values():
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
  resolved = schema.resolve(load(name, arg))
  axes = {
    model: specs.axes(settings, resolved['data']['dataset'])
    for model, settings in trained(resolved).items()
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
