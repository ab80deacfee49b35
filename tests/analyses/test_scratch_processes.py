"""Notes of several processes, written at every step, one of them killed."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Stands for an analysis: each step needs all processes, as a probe does.
RUN = """
import os, signal, sys
import numpy as np
from etils import epath
from overlap.distributed import processes
from overlap.analyses import scratch
from overlap.analyses.allpairs import resume
from overlap.analyses.probing import fitting, memo

coordinator, count, index, folder, killed_at = sys.argv[1:]
processes.initialize(coordinator, int(count), int(index))
scratch._EVERY = 0
folder = epath.Path(folder)
for measure in ('joined', 'transfer'):
  pairs = resume.Checkpoint(folder, [measure])
  counts = np.zeros(3, np.int64)
  done = pairs.load(0, [], counts)
  for block in range(done, 4):
    counts += int(index)
    pairs.save(block + 1, counts)
  assert counts.tolist() == [4 * int(index)] * 3
  kept = memo.Memo(folder, [measure], fitting.Result, name=measure)
  for step in range(5):
    if kept.get(str(step)) is None:
      processes.barrier(f'{measure} {step}')
      if [measure, step] == ['transfer', int(killed_at)] and index == '1':
        os.kill(os.getpid(), signal.SIGKILL)
      kept.put(str(step), fitting.Result(np.ones(3, bool), 1, 0.1, 0.5, True))
      print('fitted', measure, step, flush=True)
processes.barrier('measured')
if processes.is_primary():
  scratch.clear(folder)
"""


def run(folder, count, killed_at):
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    coordinator = f'127.0.0.1:{s.getsockname()[1]}'
  processes = [
    subprocess.Popen(
      [
        sys.executable, '-c', RUN, coordinator, str(count), str(index),
        str(folder), str(killed_at),
      ],
      cwd=ROOT,
      env=os.environ | {'JAX_PLATFORMS': 'cpu', 'XLA_FLAGS': ''},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for index in range(count)
  ]  # fmt: skip
  said = [process.communicate(timeout=300) for process in processes]
  fitted = [
    [line for line in out.splitlines() if line.startswith('fitted')]
    for out, _ in said
  ]
  return [process.returncode for process in processes], fitted, said


@pytest.mark.parametrize('count', [2, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_and_gone_on_with(count, tmp_path):
  folder = tmp_path / 'cache'
  status, fitted, said = run(folder, count, 3)
  assert status[1] == -signal.SIGKILL, said
  assert all(status)
  assert fitted[1] == [
    *(f'fitted joined {step}' for step in range(5)),
    *(f'fitted transfer {step}' for step in range(3)),
  ]
  # The primary may have noted one more than the others.
  assert (folder / 'overlap-transfer-shared.npz').exists()
  status, fitted, said = run(folder, count, -1)
  assert status == [0] * count, said
  assert len(fitted[0]) in (1, 2)
  assert fitted[0][-1] == 'fitted transfer 4'
  assert all(one == fitted[0] for one in fitted)
  assert not folder.exists()
