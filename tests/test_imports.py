"""Who may import whom, and what no file does, read off the syntax trees."""

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CODE = sorted(
  path
  for folder in ('overlap', 'configs', 'launch', 'tests')
  for path in (ROOT / folder).rglob('*.py')
) + [ROOT / 'setup.py']

# Lowest first: a folder imports from folders above it in this list.
LAYERS = (
  'core',
  'catalog tables distributed store',
  'config data probes ingest',
  'models predict workdir analyses',
  'train figures',
  'study report',
  'stages',
  'cli notebook',
  '__main__ launch',
)
RANK = {unit: i for i, units in enumerate(LAYERS) for unit in units.split()}

DOWNSTREAM = ('store', 'ingest', 'tables', 'analyses', 'figures', 'report')
TRAINING = ('data', 'models', 'train', 'predict')
# (who, what is never imported there, but for these modules)
NEVER = (
  (DOWNSTREAM, ('tensorflow', 'tensorflow_datasets', 'transformers'), ()),
  (DOWNSTREAM, ('scenic', *(f'overlap.{unit}' for unit in TRAINING)), ()),
  (('probes',), tuple(f'overlap.{unit}' for unit in TRAINING), ()),
  (('probes',), ('flax', 'tensorflow'), ()),
  (('analyses',), ('altair', 'vl_convert', 'matplotlib', 'plotly'), ()),
  (('figures',), ('jax', 'overlap.store'), ()),
  (
    ('models', 'predict', 'probes', 'train', 'analyses'),
    ('ml_collections', 'overlap.config'),
    ('overlap.analyses.run',),
  ),
  (
    tuple(RANK.keys() - {'config', 'study', 'cli'}),
    ('ml_collections',),
    ('overlap.analyses.run',),
  ),
  (
    tuple(RANK.keys() - {'cli'}),
    ('absl.flags', 'absl.app'),
    ('overlap.core.log',),
  ),
  # A launcher's units are command lines, which it checks as they check them.
  (tuple(RANK.keys() - {'cli', '__main__', 'launch'}), ('overlap.cli',), ()),
  (tuple(RANK), ('configs', 'tests', 'notebooks'), ()),
  (tuple(RANK.keys() - {'distributed'}), ('flax.jax_utils',), ()),
  (
    tuple(RANK.keys() - {'data'}),
    ('tensorflow',),
    ('overlap.core.log',),
  ),
)
# Imported inside the function that loads with them, nowhere else.
LAZY = ('scenic', 'transformers', 'huggingface_hub', 'tensorflow')
PARALLEL = ('pmap', 'shard_map')
UNPICKLERS = ('pickle', 'cPickle', 'dill', 'cloudpickle', 'shelve', 'marshal')


def module_of(path: pathlib.Path) -> str:
  """'overlap/data/__init__.py' is 'overlap.data'."""
  parts = path.relative_to(ROOT).with_suffix('').parts
  return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def unit_of(module: str) -> str:
  """The part of overlap that a module belongs to: 'overlap.data.x', 'data'."""
  return module.split('.')[1] if module.count('.') else ''


def within(module: str, packages: tuple[str, ...]) -> bool:
  return any(module == p or module.startswith(f'{p}.') for p in packages)


def imports(tree: ast.AST) -> Iterator[str]:
  """What a tree imports, named in tables of 'module:object' included."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      module = '.' * node.level + (node.module or '')
      yield from (f'{module}.{alias.name}' for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
      found = re.fullmatch(r'(overlap(?:\.\w+)+):\w+', node.value)
      yield from found.groups() if found else ()


def import_faults(module: str, source: str) -> Iterator[str]:
  """One line for each import that must not exist in a module of overlap."""
  tree, unit = ast.parse(source), unit_of(module)
  for name in imports(tree):
    if name.startswith('.'):
      yield f'{module}: relative import of {name}'
    target = unit_of(name) if within(name, ('overlap',)) else ''
    if unit and target in RANK and RANK[target] > RANK[unit]:
      yield f'{module}: imports {name}, of a higher layer'
    for units, packages, exceptions in NEVER:
      if unit in units and module not in exceptions and within(name, packages):
        yield f'{module}: imports {name}'
  for name in (n for node in at_import(tree) for n in imports(node)):
    if within(name, LAZY):
      yield f'{module}: imports {name} outside of a function'


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
  """The import statements that run when the module is imported."""
  for node in ast.iter_child_nodes(tree):
    if isinstance(node, (ast.Import, ast.ImportFrom)):
      yield node
    elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
      yield from at_import(node)


def habit_faults(module: str, source: str) -> Iterator[str]:
  """One line for each thing that no file does, tests included."""
  if module.endswith(('.utils', '.util')):
    yield f'{module}: is called utils'
  tree = ast.parse(source)
  for name in imports(tree):
    if within(name, UNPICKLERS):
      yield f'{module}: imports {name}'
  for node in ast.walk(tree):
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(called, ast.Name) and called.id in ('eval', 'exec'):
      yield f'{module}: calls {called.id}'
    if (
      isinstance(node, ast.keyword)
      and node.arg in ('shell', 'allow_pickle')
      and not (isinstance(node.value, ast.Constant) and not node.value.value)
    ):
      yield f'{module}: passes {node.arg}'
    word = node.attr if isinstance(node, ast.Attribute) else None
    word = node.name if isinstance(node, ast.alias) else word
    if word in PARALLEL and unit_of(module) in RANK.keys() - {'distributed'}:
      yield f'{module}: uses {word}'


@pytest.mark.parametrize('path', CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_or_habit_is_forbidden(path):
  module, source = module_of(path), path.read_text(encoding='utf-8')
  faults = list(habit_faults(module, source))
  if within(module, ('overlap',)):
    faults += import_faults(module, source)
    assert module == 'overlap' or unit_of(module) in RANK, 'give it a layer'
  assert not faults


@pytest.mark.parametrize(
  ('module', 'source'),
  [
    ('overlap.store.zarr', 'import tensorflow_datasets as tfds'),
    ('overlap.tables.table_io', 'from overlap.data import examples'),
    ('overlap.tables.table_io', 'from overlap import train'),
    ('overlap.report.page', 'def f():\n  import transformers'),
    ('overlap.analyses.correctness', 'import altair as alt'),
    ('overlap.figures.fig01', 'import jax.numpy as jnp'),
    ('overlap.figures.fig01', 'from overlap import store'),
    ('overlap.models.vit', 'from ml_collections import config_dict'),
    ('overlap.analyses.pairs', 'from overlap import config'),
    ('overlap.predict.to_store', 'import ml_collections'),
    ('overlap.train.loop', 'from absl import flags'),
    ('overlap.study', 'from overlap.cli import main'),
    ('overlap.study', 'from overlap.launch import units'),
    ('overlap.study', "TABLE = {'x': 'overlap.cli.study:main'}"),
    ('overlap.study', 'from configs import quickstart'),
    ('overlap.train.step', 'from flax import jax_utils'),
    ('overlap.train.step', 'import tensorflow as tf'),
    ('overlap.core.errors', 'from overlap.distributed import meshes'),
    ('overlap.data.tfds', 'import tensorflow as tf'),
    ('overlap.models.x', 'class A:\n  from scenic import models'),
    ('overlap.models.x', 'from . import resnet'),
    ('overlap.probes.probe', 'from overlap.data import examples'),
    ('overlap.probes.probe', 'from overlap import config'),
  ],
)
def test_a_planted_import_is_found(module, source):
  assert list(import_faults(module, source))


@pytest.mark.parametrize(
  ('module', 'source'),
  [
    ('overlap.analyses.run', 'import ml_collections'),
    ('overlap.data.tfds', 'def f():\n  import tensorflow as tf'),
    ('overlap.study', 'from overlap import predict, tables'),
    ('overlap.predict.to_store', 'from overlap import store'),
    ('overlap.analyses.layers', 'from overlap.probes import selection'),
    ('overlap.cli.study', 'from absl import flags, logging'),
    ('overlap.train', "M = {'a': 'overlap.train.supervised:train'}"),
  ],
)
def test_what_may_be_imported_is_no_fault(module, source):
  assert not list(import_faults(module, source))


@pytest.mark.parametrize(
  ('module', 'source'),
  [
    ('overlap.data.utils', ''),
    ('tests.test_x', 'import pickle'),
    ('tests.test_x', 'from pickle import loads'),
    ('setup', "exec('1')"),
    ('configs.x', "eval('1')"),
    ('launch.sweep', "subprocess.run('ls', shell=True)"),
    ('overlap.store', 'np.load(f, allow_pickle=flag)'),
    ('overlap.train.step', 'step = jax.pmap(f)'),
    ('overlap.train.step', 'from jax import shard_map'),
  ],
)
def test_a_planted_habit_is_found(module, source):
  assert list(habit_faults(module, source))


def test_what_looks_like_a_habit_is_no_fault():
  source = 'model.eval()\nnp.load(f, allow_pickle=False)\n"""No pickle."""'
  assert not list(habit_faults('overlap.models.x', source))
  assert not list(habit_faults('overlap.distributed', 'jax.pmap(f)'))
