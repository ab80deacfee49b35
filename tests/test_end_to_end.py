"""The whole study from the command line: killed, resumed, verified, broken.

The study is the quickstart's smoke form, on real images. It runs once
uninterrupted and once with kills; everything else is tried on copies.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

import numpy as np
import pandas as pd
import pytest

from overlap import figures, notebook, store

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIG = '--config=configs/quickstart.py:smoke'
CACHE = tempfile.TemporaryDirectory(prefix='overlap-compiled-')

pytestmark = pytest.mark.slow


def command(*words, **flags):
  named = [f'--{name}={value}' for name, value in flags.items()]
  return [sys.executable, '-m', 'overlap', *map(str, words), *named]


def environment():
  # One device, as a user's machine has; the tests' own have four. What is
  # compiled is kept from run to run: these tests are about all the rest.
  return os.environ | {
    'XLA_FLAGS': '',
    'JAX_PLATFORMS': 'cpu',
    'JAX_COMPILATION_CACHE_DIR': CACHE.name,
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.5',
  }


def overlap(*words, **flags):
  """Runs a command to its end; returns (status, stdout, stderr)."""
  done = subprocess.run(
    command(*words, **flags),
    cwd=ROOT,
    env=environment(),
    capture_output=True,
    text=True,
    timeout=900,
  )
  return done.returncode, done.stdout, done.stderr


def one_line(stderr: str) -> str:
  """The only line of an error, without log lines before it."""
  assert 'Traceback' not in stderr, stderr
  lines = [x for x in stderr.splitlines() if x.startswith('overlap: ')]
  assert len(lines) == 1, stderr
  assert stderr.rstrip().splitlines()[-1] == lines[0], stderr
  return lines[0]


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  """An uninterrupted smoke study."""
  workdir = tmp_path_factory.mktemp('whole') / 'study'
  status, stdout, stderr = overlap('study', CONFIG, workdir=workdir)
  assert status == 0, stderr
  assert stdout.strip() == f'report: {workdir}/report/index.html'
  # What each stage took, and at last the whole.
  said = [x.split()[1] for x in stderr.splitlines() if ', at most ' in x]
  assert said == ['train', 'predict', 'analyse', 'report', 'in']
  return workdir


@pytest.fixture
def copy(study, tmp_path):
  """A copy of the study, to be broken."""
  return pathlib.Path(shutil.copytree(study, tmp_path / 'study'))


def test_the_study_has_every_pair_and_verifies(study):
  models = pd.read_csv(study / 'tables/models.csv')
  pairs = pd.read_csv(study / 'tables/pairs.csv')
  count = len(models)
  assert count >= 14
  assert len(pairs) == count * (count - 1) // 2
  assert set(models['category']) == {
    'BASE', 'REINIT', 'HPARAM', 'ARCH', 'FRAMEWORK', 'DATASET',
  }  # fmt: skip
  assert (study / 'report/index.html').stat().st_size > 10_000
  for name in ('fig01', 'fig02', 'fig08', 'table1'):
    for suffix in ('svg', 'png', 'csv'):
      assert (study / f'figures/{name}.{suffix}').stat().st_size > 0
  status, stdout, stderr = overlap('verify', workdir=study)
  assert status == 0, stdout + stderr


def test_a_notebook_opens_the_study(study):
  opened = notebook.load_study(study)
  assert opened.base == 'base'
  assert opened.figures.keys() == figures.FIGURES.keys()
  assert 'reinit_1' in opened._repr_html_()
  assert '“vit” right' in opened.pair('vit', 'base')._repr_html_()


def test_every_count_equals_a_recomputation_from_the_arrays(study):
  reader = store.Store(study)
  ((dataset, split),) = [pair for pair in reader.splits() if pair[1] == 'test']
  labels = reader.examples(dataset, split).labels
  right = {
    name: np.argmax(reader.read(dataset, split, name), -1) == labels
    for name in reader.models(dataset, split)
  }
  pairs = pd.read_csv(study / 'tables/pairs.csv')
  for row in pairs.itertuples():
    first, second = right[row.model_1], right[row.model_2]
    assert row.both_correct == np.sum(first & second)
    assert row.only_1 == np.sum(first & ~second)
    assert row.only_2 == np.sum(~first & second)
    assert row.neither == np.sum(~first & ~second)
    assert row.n == len(labels)


def test_the_conversion_identity_holds_on_the_counts(study):
  pairs = pd.read_csv(study / 'tables/pairs.csv')
  inconsistent = pairs['only_1'] + pairs['only_2']
  counts = {
    'conversion_rate': inconsistent,
    'neither_conversion_rate': pairs['neither'],
    'loss_rate': pairs['both_correct'],
  }
  rounded = {}
  for rate, total in counts.items():
    value = (pairs[rate].fillna(0) * total).to_numpy()
    np.testing.assert_allclose(value, np.round(value), atol=1e-6)
    rounded[rate] = np.round(value)
  ensemble = np.round(pairs['ensemble_accuracy'] * pairs['n'])
  np.testing.assert_array_equal(
    ensemble,
    pairs['both_correct']
    - rounded['loss_rate']
    + rounded['conversion_rate']
    + rounded['neither_conversion_rate'],
  )


def kill_when(process, condition):
  """SIGKILLs a process as soon as something is there; False if it ended."""
  while process.poll() is None:
    if condition():
      process.send_signal(signal.SIGKILL)
      process.wait()
      return True
    time.sleep(0.01)
  return False


def test_killed_and_resumed_gives_the_same_tables(study, tmp_path):
  workdir = tmp_path / 'killed'
  models = workdir / 'models'
  records = workdir / 'predictions'
  moments = [
    # In training: a checkpoint of the second model is there, its end not.
    lambda: any(models.glob('reinit_1/run-*/train/checkpoints/5')),
    # In a later model.
    lambda: (models / 'vit/model.json').exists(),
    # In prediction: something is being written aside. (Not by rglob, which
    # may look into a folder that is being renamed.)
    lambda: len(list(records.glob('*/*/*/record.json'))) >= 5,
  ]
  for moment in moments:
    process = subprocess.Popen(
      command('study', CONFIG, workdir=workdir),
      cwd=ROOT,
      env=environment(),
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    assert kill_when(process, moment), 'it ended before it was killed'
  status, _, stderr = overlap('study', CONFIG, workdir=workdir)
  assert status == 0, stderr
  for table in (study / 'tables').iterdir():
    assert (workdir / 'tables' / table.name).read_bytes() == table.read_bytes()
  status, stdout, _ = overlap('verify', workdir=workdir)
  assert status == 0, stdout


def test_a_second_run_trains_and_predicts_nothing(study):
  made = [*(study / 'models').rglob('*'), *(study / 'predictions').rglob('*')]
  before = {p: p.stat().st_mtime_ns for p in made}
  status, _, stderr = overlap('study', CONFIG, workdir=study)
  assert status == 0
  trained = stderr.count('trained already')
  assert trained == stderr.count('predicted test already') >= 14
  assert {p: p.stat().st_mtime_ns for p in before} == before


def test_another_config_is_refused_with_the_fields_and_the_choices(copy):
  before = (copy / 'config.json').read_bytes()
  flag = '--config.models.vit.seed=7'
  status, _, stderr = overlap('study', CONFIG, flag, workdir=copy)
  line = one_line(stderr)
  assert status == 2
  assert 'models.vit.seed: 0 -> 7' in line
  assert '--resume=update' in line
  assert '--resume=original' in line
  assert (copy / 'config.json').read_bytes() == before


def test_update_makes_again_only_what_changed(copy):
  flag = '--config.models.vit.seed=7'
  status, _, stderr = overlap(
    'study', CONFIG, flag, workdir=copy, resume='update'
  )
  assert status == 0, stderr
  models = pd.read_csv(copy / 'tables/models.csv')
  assert stderr.count('trained already') == len(models) - 1
  assert 'vit: trained already' not in stderr
  status, stdout, _ = overlap('verify', workdir=copy)
  assert status == 0, stdout


def test_original_goes_on_with_the_old_config(copy):
  flag = '--config.models.vit.seed=7'
  status, _, stderr = overlap(
    'study', CONFIG, flag, workdir=copy, resume='original'
  )
  assert status == 0
  config = json.loads((copy / 'config.json').read_text())['config']
  assert config['models']['vit']['seed'] == 0
  assert 'vit: trained already' in stderr


@pytest.mark.parametrize('damage', ['truncate', 'edit', 'delete'])
def test_a_damaged_array_is_found_and_named(copy, damage):
  chunk = next(
    p
    for p in sorted((copy / 'predictions').rglob('densenet/logits/c/**/*'))
    if p.is_file()
  )
  content = chunk.read_bytes()
  if damage == 'truncate':
    chunk.write_bytes(content[: len(content) // 2])
  elif damage == 'edit':
    chunk.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
  else:
    chunk.unlink()
  status, stdout, _ = overlap('verify', workdir=copy)
  assert status == 1
  assert 'densenet' in stdout
  status, _, stderr = overlap('analyse', CONFIG, workdir=copy)
  assert status == 1
  assert 'densenet' in one_line(stderr)


def test_an_edited_table_is_found(copy):
  file = copy / 'tables/pairs.csv'
  pairs = pd.read_csv(file)
  pairs.loc[3, 'only_1'] += 1
  pairs.to_csv(file, index=False)
  status, stdout, _ = overlap('verify', workdir=copy)
  assert status == 1
  assert 'pairs.csv: row 4 has only_1' in stdout


def test_one_model_alone_and_the_store_without_a_config(copy):
  status, _, stderr = overlap('predict', CONFIG, workdir=copy, model='vit')
  assert status == 0
  assert stderr.count('predicted test already') == 1
  tables = {p: p.read_bytes() for p in (copy / 'tables').glob('*.csv')}
  # The one split with more than features.
  status, _, stderr = overlap(
    'analyse', workdir=copy, base='base', tables='models,pairs'
  )
  assert status == 0, stderr
  # The store has the same models; only their order and options may differ.
  assert len(pd.read_csv(copy / 'tables/pairs.csv')) == 105
  assert len(tables) >= 4


def test_a_model_that_is_in_the_store_needs_no_training(copy):
  shutil.rmtree(copy / 'models' / 'vit')
  flag = '--config.models.vit.source=store'
  status, _, stderr = overlap(
    'study', CONFIG, flag, workdir=copy, resume='update'
  )
  assert status == 0, stderr
  assert 'vit: ' not in stderr
  models = pd.read_csv(copy / 'tables/models.csv').set_index('model')
  assert models.loc['vit', 'category'] == 'ARCH'


def test_a_diverging_loss_names_the_step_and_stops(tmp_path):
  flags = [
    '--config.models.base.train.learning_rate=1e30',
    '--config.models.base.train.warmup_steps=0',
  ]
  status, _, stderr = overlap(
    'train', CONFIG, *flags, workdir=tmp_path / 'w', model='base'
  )
  line = one_line(stderr)
  assert status == 1
  assert 'The loss of base must be finite' in line
  assert 'at step ' in line
  assert not (tmp_path / 'w/models/base/model.json').exists()


def unpack_some(archive, folder, *, train, test):
  """The first files of each class of CIFAR-10, as a tree."""
  wanted = {'train': train, 'test': test}
  seen: dict[str, int] = {}
  with tarfile.open(archive) as tar:
    for member in tar:
      parts = pathlib.PurePosixPath(member.name).parts
      if not member.isfile() or len(parts) < 3:
        continue
      split, label = parts[-3:-1]
      key = f'{split}/{label}'
      seen[key] = seen.get(key, 0) + 1
      if seen[key] <= wanted.get(split, 0):
        target = folder / split / label / parts[-1]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(tar.extractfile(member).read())


def test_cifar10_from_a_tree_of_files(test_data, tmp_path):
  unpack_some(
    test_data / 'cifar10.tar.xz', tmp_path / 'cifar10', train=40, test=10
  )
  flags = [
    f'--config.data.data_dir={tmp_path}',
    '--config.data.splits.train=train[25%:]',
    '--config.data.splits.heldout=train[:25%]',
    '--config.data.splits.test=test',
    '--config.data.splits.probe_train=train[25%:]',
    '--config.data.splits.probe_heldout=train[:25%]',
  ]
  config = '--config=configs/cifar10.py:smoke'
  for stage in ('train', 'predict'):
    status, _, stderr = overlap(
      stage, config, *flags, workdir=tmp_path / 'w', model='base'
    )
    assert status == 0, stderr
  examples = store.Store(tmp_path / 'w').examples('cifar10', 'test')
  assert len(examples) == 100
  assert np.all(np.bincount(examples.labels) == 10)
  assert examples.ids[0].startswith('test/airplane/')
