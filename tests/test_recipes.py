"""The recipes of overlap/README.md, carried out on a copy of the tree."""

import json
import os
import pathlib
import re
import runpy
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from overlap import store
from overlap.tables import schemas as tables_schemas
from overlap.tables import table_io

ROOT = pathlib.Path(__file__).resolve().parents[1]
GUIDE = (ROOT / 'overlap' / 'README.md').read_text()
# Code that says where it goes: '# overlap/x.py', or '# overlap/x.py, in NAME'.
BLOCK = re.compile(
  r'^```python\n# (\S+\.py)(?:, in (\w+))?\n(.*?)^```$',
  re.MULTILINE | re.DOTALL,
)
COUNTS = {'train': 48, 'test': 20}


def put(tree, path, names, code):
  """A file of its own, or lines at the end of a dictionary of one."""
  file = tree / path
  if not names:
    assert not file.exists()
    file.write_text(code)
    return
  before, opening, rest = re.split(
    rf'^({names}\b.*= \{{\n)', file.read_text(), flags=re.MULTILINE
  )
  inside, after = rest.split('\n}\n', 1)
  file.write_text(f'{before}{opening}{inside}\n{code}}}\n{after}')


@pytest.fixture(scope='module')
def recipes():
  return BLOCK.findall(GUIDE)


@pytest.fixture(scope='module')
def tree(tmp_path_factory, recipes):
  path = tmp_path_factory.mktemp('recipes')
  ignored = shutil.ignore_patterns('__pycache__')
  shutil.copytree(ROOT / 'overlap', path / 'overlap', ignore=ignored)
  shutil.copy(ROOT / 'pyproject.toml', path)
  (path / 'configs').mkdir()
  for recipe in recipes:
    put(path, *recipe)
  return path


def test_they_are_written_as_the_rest_is(tree, recipes):
  files = sorted({path for path, _, _ in recipes})
  assert len(files) == 8
  ruff = pathlib.Path(sys.executable).parent / 'ruff'
  for command in (['check', '--no-cache'], ['format', '--check', '--no-cache']):
    done = subprocess.run(
      [ruff, *command, *files], cwd=tree, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_study_makes_all_tables_unless_its_config_names_some(tree):
  schemas = runpy.run_path(str(tree / 'overlap' / 'tables' / 'schemas.py'))[
    'SCHEMAS'
  ]
  assert [*tables_schemas.SCHEMAS, 'sureness'] == list(schemas)


@pytest.mark.slow
def test_the_model_trains_on_the_source_and_the_table_appears(tree, tmp_path):
  rng = np.random.default_rng(0)
  (tmp_path / 'mine').mkdir()
  for split, count in COUNTS.items():
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 99, (count, 6, 6, 1)) + 50 * labels.reshape(
      -1, 1, 1, 1
    )
    np.savez(
      tmp_path / 'mine' / f'{split}.npz', images=images.astype(np.uint8),
      labels=labels, names=['a', 'b', 'c'],
    )  # fmt: skip
  (line,) = re.findall(r'^overlap study .*configs/mine\.py.*$', GUIDE, re.M)
  workdir = tmp_path / 'W'
  words = line.replace('=W', f'={workdir}').replace('=DIR', f'={tmp_path}')
  short = {'total_steps': 2, 'batch_size': 8}
  flags = [
    f'--config.models.{name}.train.{field}={value}'
    for name in ('base', 'wide')
    for field, value in short.items()
  ]
  # What else a study makes takes a minute to compile.
  flags += [
    "--config.analyses.tables=('models', 'sureness')",
    '--stages=train,predict,analyse',
  ]
  done = subprocess.run(
    [sys.executable, '-m', *shlex.split(words), *flags],
    cwd=tree,
    env=os.environ | {'PYTHONPATH': str(tree), 'XLA_FLAGS': ''},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  told = json.loads((workdir / 'models' / 'wide' / 'model.json').read_text())
  assert told['settings']['architecture']['options'] == {'hidden_size': 256}
  assert told['settings']['train']['total_steps'] == 2
  reader = store.Store(workdir)
  examples = reader.examples('npz:mine', 'test')
  assert (len(examples), tuple(examples.class_names)) == (20, ('a', 'b', 'c'))
  features = reader.read('npz:mine', 'test', 'wide', 'features')
  assert features.shape == (20, 256)
  table = table_io.read_table(workdir, 'sureness').set_index('model')
  assert list(table.index) == ['base', 'wide']
  assert list(table.columns) == ['when_right', 'when_wrong']
  known = table.stack().dropna()
  assert len(known)
  assert known.between(1 / 3, 1).all()
