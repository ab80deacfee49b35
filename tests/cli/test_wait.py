"""Commands in a workdir in which another run is at work."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from overlap.core import locks


def pretend(workdir, *names):
  """A claim of a process of another machine."""
  folder = workdir / locks.FOLDER
  folder.mkdir(parents=True)
  said = {'names': names, 'host': 'far', 'process': 7, 'since': '2026-01-01'}
  (folder / 'elsewhere-7-1-a.json').write_text(json.dumps(said))


@pytest.mark.parametrize(
  ('claimed', 'command'),
  [
    ('tables', ['report']),
    ('tables', ['study', '--config=configs/quickstart.py:smoke']),
    ('model/vit', ['study', '--config=configs/quickstart.py:smoke']),
    (
      'model/vit',
      ['train', '--config=configs/quickstart.py:smoke', '--model=vit'],
    ),
    (
      'model/base',
      ['predict', '--config=configs/quickstart.py:smoke'],
    ),
  ],
)
def test_who_is_at_work_is_said_and_nothing_is_touched(
  overlap, tmp_path, claimed, command
):
  pretend(tmp_path, claimed)
  done = overlap(*command, f'--workdir={tmp_path}', '--nowait')
  assert done.status == 1
  assert 'being worked on by process 7 on far since 2026-01-01' in done.fault
  assert os.listdir(tmp_path) == [locks.FOLDER]
  assert len(os.listdir(tmp_path / locks.FOLDER)) == 1


def test_other_models_may_be_brought_meanwhile(overlap, predictions):
  pretend(predictions.workdir, 'model/a', 'tables')
  for model in ('a', 'b'):
    done = overlap(
      'ingest', *predictions.known, '--nowait',
      f'--predictions={predictions.hard(model)}',
    )  # fmt: skip
    assert done.status == (1 if model == 'a' else 0), done
    if model == 'a':
      assert 'process 7 on far' in done.fault


HOLD = """
import sys
from overlap.core import locks
with locks.workdir_lock(sys.argv[1], ['tables']):
  print('held', flush=True)
  sys.stdin.read()
"""


def test_the_second_waits_and_goes_on_where_the_first_was_killed(
  overlap, tmp_path
):
  first = subprocess.Popen(
    [sys.executable, '-c', HOLD, tmp_path],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
  )  # fmt: skip
  with first:
    assert first.stdout.readline() == 'held\n'
    killer = threading.Timer(1.0, first.kill)
    began = time.monotonic()
    killer.start()
    done = overlap('report', f'--workdir={tmp_path}')
    assert time.monotonic() - began > 0.9
    killer.join()
  # It came to its own fault: there are no tables.
  assert 'overlap analyse' in done.fault
  assert os.listdir(tmp_path) == []
