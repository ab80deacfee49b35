"""Test set-up: fake devices, strict ranks, the folder of real data."""

import collections
import functools
import gc
import importlib.util
import os
import pathlib
import warnings

# Before JAX is imported: its CPU becomes four devices, so that everything
# that is spread over devices is spread in the tests too. XLA ends the process
# when one device waits 40 s for another, and these four share two cores.
os.environ.setdefault(
  'XLA_FLAGS',
  '--xla_force_host_platform_device_count=4 '
  '--xla_cpu_collective_call_terminate_timeout_seconds=600',
)
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import store

jax.config.update('jax_numpy_rank_promotion', 'raise')

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
  """Marks as slow what `slow_except` does not name.

  Raises:
    pytest.UsageError: a test with the mark names an id that it does not have.
  """
  ids = collections.defaultdict(set)
  for item in items:
    for mark in item.iter_markers('slow_except'):
      ids[item.parent, item.originalname, mark.args].add(item.callspec.id)
      if item.callspec.id not in mark.args:
        item.add_marker('slow')
  if any('[' in word for word in config.args):
    return  # Some of a test's ids were asked for; the others are not here.
  for (_, name, named), found in ids.items():
    if unknown := set(named) - found:
      raise pytest.UsageError(f'{name} has no {sorted(unknown)}')


def pytest_collection_finish():
  """What was imported stays: the collector looks at it no more."""
  gc.collect()
  gc.freeze()


@pytest.fixture(autouse=True, scope='module')
def _forget_compiled_programs():
  """Gives back what a file's programs take: all files' together are 5 GB."""
  yield
  jax.clear_caches()
  gc.collect()


@pytest.fixture(scope='session')
def test_data() -> pathlib.Path:
  """The folder of real data for tests; tests skip where it is absent."""
  folder = pathlib.Path(
    os.environ.get('OVERLAP_TEST_DATA', ROOT.parent / 'shared' / 'data')
  )
  if not folder.is_dir():
    pytest.skip(f'no real data: set OVERLAP_TEST_DATA ({folder} is absent)')
  return folder


@pytest.fixture(scope='session')
def towers():
  """The module of small image-text models; skips without transformers."""
  pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    pytest.importorskip('transformers.models.clip.modeling_clip')
  return _module('models/tiny_towers.py')


@pytest.fixture(scope='session')
def synthetic():
  """The module that makes tables of a study that never ran."""
  return _module('figures/synthetic.py')


@pytest.fixture(scope='session')
def soak():
  """The module of the long run."""
  return _module('soak.py')


def _module(path):
  """A module of the tests that is none of them."""
  path = ROOT / 'tests' / path
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@functools.cache
def _count(model, image):
  variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(image))
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


@pytest.fixture
def count_parameters():
  """Counts a model's parameters without computing them."""
  return lambda model, image=(1, 224, 224, 3): _count(model, image)


def _add_model(folder, name, seed=0, **more):
  rng = np.random.default_rng(seed)
  with store.RecordWriter(
    folder, dataset='toy', split='test', model=name, **more
  ) as writer:
    writer.create('logits', shape=(40, 3), dtype=np.float32)
    writer.write('logits', 0, rng.normal(size=(40, 3)).astype(np.float32))
    writer.finish({'source': 'test'})


@pytest.fixture(scope='session')
def add_model():
  """Adds a model's predictions, drawn from a seed, to such a store."""
  return _add_model


@pytest.fixture(scope='session')
def fill_store():
  """Makes a folder such a store; its models are 'base' and 'other'."""

  def fill(folder):
    store.write_examples(
      folder, dataset='toy', split='test', ids=[f'i{i}' for i in range(40)],
      labels=np.arange(40) % 3, class_names=['a', 'b', 'c'],
    )  # fmt: skip
    for seed, name in enumerate(('base', 'other')):
      _add_model(folder, name, seed)

  return fill
