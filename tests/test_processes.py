"""Several processes, one study: the same store as a single process gives."""

import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from overlap import store

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIG = f'--config={ROOT}/configs/quickstart.py:smoke'
MODELS = ('base', 'vit')

pytestmark = pytest.mark.slow


def free_port() -> int:
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def start(workdir, command, model, flags=(), devices=1):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [
      sys.executable, '-m', 'overlap', command, CONFIG,
      f'--workdir={workdir}', f'--model={model}', *flags,
    ],
    cwd=ROOT,
    env=os.environ | {'XLA_FLAGS': xla, 'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )  # fmt: skip


def run(processes):
  for process in processes:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


def run_together(workdir, command, model, count):
  port = free_port()
  run(
    [
      start(
        workdir,
        command,
        model,
        [
          f'--coordinator=127.0.0.1:{port}',
          f'--num_processes={count}',
          f'--process_id={index}',
        ],
      )
      for index in range(count)
    ]
  )


def logits(workdir):
  reader = store.Store(workdir)
  ((dataset, split),) = [pair for pair in reader.splits() if pair[1] == 'test']
  assert reader.models(dataset, split) == sorted(MODELS)
  return {name: reader.read(dataset, split, name) for name in MODELS}


def test_two_processes_give_what_two_devices_give(tmp_path):
  for model in MODELS:
    for command in ('train', 'predict'):
      run([start(tmp_path / 'one', command, model, devices=2)])
      run_together(tmp_path / 'two', command, model, 2)
  one, two = logits(tmp_path / 'one'), logits(tmp_path / 'two')
  for model in MODELS:
    np.testing.assert_allclose(two[model], one[model], rtol=1e-3, atol=1e-3)
  assert list(store.check(tmp_path / 'two')) == []
