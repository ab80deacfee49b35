"""All pairs over several devices and processes: the integers of one."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = """
import json, sys
import numpy as np
from overlap import parallel
from overlap.analyses import ensembles
from overlap.analyses.allpairs import blocks

coordinator, count, index, backend = sys.argv[1:]
parallel.initialize(coordinator, int(count), int(index))
blocks._MIB = 1  # The bound is then in bytes: a few rows a block.
rng = np.random.default_rng(0)
labels = rng.integers(0, 5, 75)
logits = np.round(rng.normal(size=(6, 75, 5)) * 3).astype(np.float32) / 2
logits[:, np.arange(75), labels] += 2
pairs = [(i, j) for i in range(6) for j in range(i)]
found = ensembles.pair_ensembles(
  list(logits), labels, pairs, memory_mb=6000, backend=backend
)
print(json.dumps({k: np.stack(v).tolist() for k, v in found.items()}))
"""


def free_port() -> int:
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def start(backend, *, devices=1, coordinator='', count=1, index=0):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [sys.executable, '-c', RUN, coordinator, str(count), str(index), backend],
    cwd=ROOT,
    env=os.environ | {'XLA_FLAGS': xla, 'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


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
  return results([start('numpy')])[0]


@pytest.mark.slow
@pytest.mark.parametrize('devices', [1, 8])
def test_any_number_of_devices(devices, expected):
  assert results([start('xla', devices=devices)]) == [expected]


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['numba', 'xla'])
def test_two_processes_share_the_blocks(backend, expected):
  coordinator = f'127.0.0.1:{free_port()}'
  together = [
    start(backend, devices=2, coordinator=coordinator, count=2, index=index)
    for index in range(2)
  ]
  # Each has the counts of both.
  assert results(together) == [expected, expected]
