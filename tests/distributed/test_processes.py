"""Several processes, one study: the same tables as a single process gives.

What is compared byte for byte is made on equally many devices: a sum over two
devices is rounded otherwise than one over a single device. A probe is fitted by
all processes of a run, and so is the same up to rounding where those differ.
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

import pandas as pd
import pytest

from overlap import store

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = '--config=tests/tiny_study.py'
CACHE = tempfile.TemporaryDirectory(prefix='overlap-compiled-')
MODELS = ('base', 'reinit', 'student')

pytestmark = pytest.mark.slow


def free_port() -> int:
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def start(workdir, *flags, devices=1, command='study', **environment):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [
      sys.executable, '-m', 'overlap', command, CONFIG,
      f'--workdir={workdir}', *flags,
    ],
    cwd=ROOT,
    env=os.environ | {
      'XLA_FLAGS': xla,
      'JAX_PLATFORMS': 'cpu',
      'JAX_COMPILATION_CACHE_DIR': CACHE.name,
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.1',
    } | environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )  # fmt: skip


def together(workdir, count, *flags):
  """Starts processes that are told what they are."""
  port = free_port()
  return [
    start(
      workdir,
      f'--coordinator=127.0.0.1:{port}',
      f'--num_processes={count}',
      f'--process_id={index}',
      *flags,
    )
    for index in range(count)
  ]


def by_slurm(workdir, count, *flags):
  """Starts processes as tasks of Slurm, on one node."""
  job = free_port()  # Slurm's numbers too are seldom the same.
  return [
    start(
      workdir,
      '--coordinator=auto',
      *flags,
      SLURM_JOB_ID=str(job),
      SLURM_STEP_NODELIST='localhost',
      SLURM_NTASKS=str(count),
      SLURM_PROCID=str(index),
      SLURM_LOCALID=str(index),
    )
    for index in range(count)
  ]


def finish(*processes):
  """Waits for processes; gives what each said."""
  said = [process.communicate(timeout=900)[0] for process in processes]
  ends = [process.returncode for process in processes]
  assert not any(ends), '\n\n'.join(map('{}: {}'.format, ends, said))
  return said


@pytest.fixture(scope='module')
def one(tmp_path_factory):
  """The study by one process with one device."""
  workdir = tmp_path_factory.mktemp('one')
  finish(start(workdir))
  return workdir


@pytest.fixture(scope='module')
def two(tmp_path_factory):
  """The study by one process with two devices."""
  workdir = tmp_path_factory.mktemp('two')
  finish(start(workdir, devices=2))
  return workdir


def check_same(workdir, expected):
  """Checks that two workdirs hold the same study."""
  assert list(store.check_store(workdir)) == []
  assert (workdir / 'report' / 'index.html').exists()
  check_same_models(workdir, expected)
  tables = sorted(path.name for path in expected.glob('tables/*.csv'))
  assert tables == sorted(path.name for path in workdir.glob('tables/*.csv'))
  for name in tables:
    first, second = expected / 'tables' / name, workdir / 'tables' / name
    assert lines_of_models(second) == lines_of_models(first), name
    pd.testing.assert_frame_equal(
      pd.read_csv(second), pd.read_csv(first), rtol=1e-3, atol=1e-5, obj=name
    )


def lines_of_models(table):
  """The lines of a table that are of no probe."""
  lines = table.read_bytes().splitlines()
  found = [line for line in lines if b'probe' not in line]
  assert len(found) > 2
  return found


def check_same_models(workdir, expected, models=MODELS):
  """Checks logits and features, on every split, bit by bit."""
  reader, other = store.Store(workdir), store.Store(expected)
  for dataset, split in reader.splits():
    for name in models:
      record, wanted = (
        r.record(dataset, split, name)['arrays'] for r in (reader, other)
      )
      for array in wanted:
        assert record[array]['sha256'] == wanted[array]['sha256'], (
          split, name, array,
        )  # fmt: skip


def test_each_model_over_both_processes(tmp_path, two):
  flags = ('--stages=train,predict', '--model=base')
  finish(*together(tmp_path, 2, *flags))
  check_same_models(tmp_path, two, ['base'])


def test_a_group_that_finds_nothing_to_do(tmp_path, one):
  flags = ('--stages=train,predict', '--model=base', '--model_groups=2')
  said = finish(*together(tmp_path, 2, *flags))
  assert sum('waits for others to train' in text for text in said) == 1
  check_same_models(tmp_path, one, ['base'])


def test_groups_under_slurm_one_of_which_is_killed(tmp_path, one):
  first, second = by_slurm(tmp_path, 2, '--model_groups=2')
  for line in second.stdout:
    if 'step 10 of' in line:
      break
  second.send_signal(signal.SIGKILL)
  said, _ = first.communicate(timeout=60)
  assert first.returncode == 1, said
  (line,) = [x for x in said.splitlines() if x.startswith('overlap: ')]
  assert line == said.splitlines()[-1]
  assert 'process 1 of 2 ended before the work was done' in line
  assert 'Traceback' not in said
  second.communicate()
  # The same command on both of them goes on from there.
  kept = any(
    step.name.isdigit() and not (step.parents[1] / 'model.json').exists()
    for step in tmp_path.glob('models/*/run-*/*')
  )
  said = finish(*by_slurm(tmp_path, 2, '--model_groups=2'))
  assert any('resumed at step' in text for text in said) == kept
  check_same(tmp_path, one)


def test_two_groups_of_two_processes(tmp_path, two):
  said = finish(*together(tmp_path, 4, '--model_groups=2'))
  trained = [
    {name for name in MODELS if f'{name}: held-out accuracy' in text}
    for text in said
  ]
  # Both of a group train a model together, and no other group does.
  assert trained[0] == trained[1]
  assert trained[2] == trained[3]
  assert trained[0] | trained[2] == set(MODELS)
  assert not trained[0] & trained[2]
  check_same(tmp_path, two)


def test_processes_that_do_not_divide_into_groups(tmp_path):
  process = start(tmp_path, '--model_groups=2')
  said, _ = process.communicate(timeout=300)
  assert process.returncode == 2
  assert said.splitlines()[-1] == (
    'overlap: --model_groups must divide the number of processes (1), got 2.'
  )
