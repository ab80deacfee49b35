"""The long run's harness, in short: what grows is told, what ends too."""

import pathlib
import re
import subprocess
import sys

import pytest

FILE = pathlib.Path(__file__).resolve().parent / 'soak.py'
SMALL = (
  '--models=4', '--examples=300', '--classes=10', '--resamples=20',
  '--tables=models,pairs,greedy', '--minutes=0',
)  # fmt: skip


def run(*flags):
  return subprocess.run(
    [sys.executable, FILE, *SMALL, *flags],
    capture_output=True,
    text=True,
    timeout=600,
  )


def rounds(**columns):
  """Rounds in which nothing changes but what is given."""
  level = {
    'rss': 2e9, 'files': 30, 'threads': 9, 'temporary': 0, 'disk': 1e9,
    'tables': 'same',
  }  # fmt: skip
  return [
    level | {name: values[i] for name, values in columns.items()}
    for i in range(10)
  ]


def test_steady_rounds_are_no_fault(soak):
  # The first round fills caches; what goes up and down again is no growth.
  columns = {
    'rss': [1e9, 2e9, 3e9, 2e9, 3e9, 2e9, 3e9, 2e9, 2e9, 2e9],
    'files': [9] * 10,
  }
  assert list(soak.faults(rounds(**columns), 64)) == []


@pytest.mark.parametrize('name', ['files', 'threads', 'temporary'])
def test_one_more_a_round_is_growth(soak, name):
  found = list(soak.faults(rounds(**{name: range(10)}), 64))
  assert found == [f'{name} grew from 2 to 8']


def test_memory_that_grows_by_more_than_is_allowed(soak):
  grown = [2e9 + i * 20 * soak.MIB for i in range(10)]
  (fault,) = soak.faults(rounds(rss=grown), 64)
  assert fault.startswith('rss grew from ')
  assert list(soak.faults(rounds(rss=grown), 128)) == []


def test_tables_that_change_are_a_fault(soak):
  tables = ['same'] * 9 + ['other']
  found = list(soak.faults(rounds(tables=tables), 64))
  assert found == ['the tables of two rounds differ']


@pytest.mark.slow
def test_a_short_run(tmp_path):
  done = run(f'--workdir={tmp_path / "w"}', '--rounds=3', '--growth_mb=512')
  assert done.returncode == 0, done.stdout + done.stderr
  assert done.stdout.splitlines()[-1] == '3 rounds, nothing grew'
  lines = [x for x in done.stdout.splitlines() if re.match(r' +\d+ .*MiB', x)]
  assert len(lines) == 2 * 3  # As they come, and together at the end.
  assert (tmp_path / 'w' / 'report' / 'index.html').exists()


@pytest.mark.slow
def test_too_little_memory_ends_it(tmp_path):
  done = run(f'--workdir={tmp_path / "w"}', '--memory_gb=0.1')
  assert done.returncode == 1
  assert 'exit status -9, 0 rounds' in done.stderr
