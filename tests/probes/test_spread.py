"""One optimum, whatever the devices, the processes and the blocks."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys
import jax, numpy as np
from overlap.distributed import processes
from overlap.probes import probe, rows, selection
coordinator, count, index, stream = sys.argv[1:]
processes.initialize(coordinator, int(count), int(index))
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 101)
features = rng.normal(size=(3, 7))[labels] + rng.normal(size=(101, 7))
features = features.astype(np.float32)
# Parts of different sizes, none of which the devices divide.
part = [slice(0, 101)] if count == '1' else [slice(0, 30), slice(30, 101)]
mine = part[int(index)]
options = dict(num_classes=3, stream=stream == 'stream', tolerance=1e-7)
one = probe.fit(features[mine], labels[mine], l2=1e-2, **options)
several = probe.fit(
  features[mine], np.eye(3, dtype=int)[labels[mine]], l2=1e-2, **options
)
choice = selection.select(
  features[mine], labels[mine], features[mine][::2], labels[mine][::2],
  strengths=(1e-2, 1.0), **options
)
print(json.dumps({
  'devices': jax.device_count(),
  'loss': one.fit.loss,
  'converged': one.fit.converged and several.fit.converged,
  'several': several.fit.loss,
  'kernel': one.fit.params['kernel'].tolist(),
  'l2': choice.l2,
  'refit': choice.probe.fit.loss,
}))
"""


def start(devices, stream, coordinator='', count=1, index=0):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [
      sys.executable, '-c', PROGRAM, coordinator, str(count), str(index),
      stream,
    ],
    cwd=ROOT,
    env=os.environ | {'XLA_FLAGS': xla, 'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )  # fmt: skip


def result(process):
  output, faults = process.communicate(timeout=300)
  assert process.returncode == 0, faults
  return json.loads(output.splitlines()[-1])


def together(stream):
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    coordinator = f'127.0.0.1:{s.getsockname()[1]}'
  processes = [start(2, stream, coordinator, 2, index) for index in range(2)]
  return [result(process) for process in processes]


@pytest.mark.slow
def test_devices_processes_and_blocks_give_one_optimum():
  one = result(start(1, 'memory'))
  assert one['devices'] == 1
  assert one['converged']
  others = [
    result(start(8, 'memory')),
    result(start(8, 'stream')),
    *together('memory'),
    *together('stream'),
  ]
  assert [other['devices'] for other in others] == [8, 8, 4, 4, 4, 4]
  for other in others:
    assert other['converged']
    assert other['l2'] == one['l2']
    for name in ('loss', 'several'):
      assert other[name] == pytest.approx(one[name], rel=1e-6)
    np.testing.assert_allclose(other['kernel'], one['kernel'], atol=2e-3)
  # Held-out examples are in another order where there are two parts.
  for other in others:
    assert other['refit'] == pytest.approx(one['refit'], rel=1e-2)
