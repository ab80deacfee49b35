"""All pairs over devices and processes, killed and not: the same integers."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = """
import json, os, signal, sys
import numpy as np
from overlap.distributed import processes
from overlap.analyses import ensembles
from overlap.analyses import scratch
from overlap.analyses.allpairs import blocks, resume

coordinator, count, index, backend, folder, killed_at = sys.argv[1:]
processes.initialize(coordinator, int(count), int(index))
blocks._MIB = 1  # The bound is then in bytes: a few rows a block.
rng = np.random.default_rng(0)
labels = rng.integers(0, 5, 75)
logits = np.round(rng.normal(size=(6, 75, 5)) * 3).astype(np.float32) / 2
logits[:, np.arange(75), labels] += 2
read = []

class Model:
  def __init__(self, values):
    self.values, self.shape = values, values.shape

  def __getitem__(self, rows):
    read.append(rows.start)
    return self.values[rows]

class Killed(scratch.Scratch):
  def save(self, *arguments):
    super().save(*arguments)
    # Not while it writes, which another thread than the reader's does.
    if max(read) >= int(killed_at):
      os.kill(os.getpid(), signal.SIGKILL)

scratch._EVERY = 0
resume.Scratch = Killed
kept = resume.Checkpoint(folder, ['random']) if folder else None
pairs = [(i, j) for i in range(6) for j in range(i)]
found = ensembles.pair_ensembles(
  [Model(z) for z in logits], labels, pairs, memory_mb=6000, backend=backend,
  checkpoint=kept,
)
counts = {k: np.stack(v).tolist() for k, v in found.items()}
print(json.dumps({'counts': counts, 'read': min(read, default=-1)}))
"""


def free_port() -> int:
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def start(
  backend,
  *,
  devices=1,
  coordinator='',
  count=1,
  index=0,
  folder='',
  killed_at=10**6,
):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [
      sys.executable, '-c', RUN, coordinator, str(count), str(index), backend,
      str(folder), str(killed_at),
    ],
    cwd=ROOT,
    env=os.environ | {'XLA_FLAGS': xla, 'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )  # fmt: skip


def results(processes):
  found = []
  for process in processes:
    output, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    # Other lines tell of connections.
    (line,) = [x for x in output.split('\n') if x.startswith('{')]
    found.append(json.loads(line))
  return found


@pytest.fixture(scope='module')
def expected():
  return results([start('numpy')])[0]['counts']


@pytest.mark.slow
@pytest.mark.parametrize('devices', [1, 8])
def test_any_number_of_devices(devices, expected):
  (found,) = results([start('xla', devices=devices)])
  assert found['counts'] == expected


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['numba', 'xla'])
def test_two_processes_share_the_blocks(backend, expected):
  coordinator = f'127.0.0.1:{free_port()}'
  together = [
    start(backend, devices=2, coordinator=coordinator, count=2, index=index)
    for index in range(2)
  ]
  for found in results(together):  # Each has the counts of both.
    assert found['counts'] == expected


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['numba', 'xla'])
def test_a_killed_pass_goes_on_where_it_was(backend, expected, tmp_path):
  folder = tmp_path / 'cache'
  process = start(backend, folder=folder, killed_at=40)
  process.communicate(timeout=300)
  assert process.returncode == -signal.SIGKILL
  assert [f.name for f in folder.iterdir()] == ['pairs-0.npz']
  (found,) = results([start(backend, folder=folder)])
  assert found['counts'] == expected
  assert found['read'] > 0
  assert not folder.exists()
