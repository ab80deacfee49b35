"""Any number of devices and processes take the same steps."""

import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH, STEPS = 16, 16

pytestmark = pytest.mark.slow


def start(folder, devices, *flags):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [
      sys.executable, str(ROOT / 'tests/train/worker.py'),
      f'--folder={folder}', *flags,
    ],
    cwd=ROOT,
    env=os.environ
    | {'XLA_FLAGS': xla, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(ROOT)},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )  # fmt: skip


def finish(*processes):
  for process in processes:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


def start_two(folder, devices, *flags):
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    port = s.getsockname()[1]
  return [
    start(
      folder, devices, f'--coordinator=127.0.0.1:{port}', '--num_processes=2',
      f'--process_id={index}', *flags,
    )
    for index in range(2)
  ]  # fmt: skip


def end(folder, process=0):
  return np.load(folder / f'end{process}.npz')


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
  """The folder of a run on one device."""
  folder = tmp_path_factory.mktemp('alone')
  finish(start(folder, 1))
  return folder


def assert_same(folder, alone):
  curves = [
    pd.read_csv(f / 'train/metrics.csv')[['step', 'loss', 'grad_norm']]
    for f in (folder, alone)
  ]
  assert len(curves[1]) == STEPS
  np.testing.assert_allclose(*curves, rtol=1e-4)
  np.testing.assert_allclose(
    end(folder)['variables'], end(alone)['variables'], rtol=1e-3, atol=1e-4
  )


@pytest.mark.parametrize(
  ('devices', 'sharding'),
  [(2, 'replicated'), (8, 'replicated'), (8, 'fsdp')],
)
def test_devices_change_no_loss(tmp_path, alone, devices, sharding):
  finish(start(tmp_path, devices, f'--sharding={sharding}'))
  assert_same(tmp_path, alone)


@pytest.mark.parametrize('sharding', ['replicated', 'fsdp'])
def test_two_processes_read_their_own_rows_and_change_no_loss(
  tmp_path, alone, sharding
):
  finish(*start_two(tmp_path, 4, f'--sharding={sharding}'))
  assert_same(tmp_path, alone)
  first, second = end(tmp_path), end(tmp_path, 1)
  np.testing.assert_array_equal(first['variables'], second['variables'])
  # What is read is half of each batch, and both halves make up the whole.
  halves = [x['seen'].reshape(STEPS, BATCH // 2) for x in (first, second)]
  whole = end(alone)['seen'].reshape(STEPS, BATCH)
  np.testing.assert_array_equal(np.hstack(halves), whole)
  assert_shares_what_is_heldout(first, second, end(alone))


def assert_shares_what_is_heldout(first, second, whole):
  seen = [x['seen_heldout'].tolist() for x in (first, second)]
  # Threads may read later batches first.
  assert sorted(seen[0]) == list(range(len(seen[0])))
  assert sorted(seen[0] + seen[1]) == sorted(whole['seen_heldout'])
  assert abs(len(seen[0]) - len(seen[1])) <= 1
  for each in (first, second):
    assert each['accuracy'] == whole['accuracy']
    np.testing.assert_array_equal(each['labels'], whole['labels'])
    np.testing.assert_allclose(
      each['features'], whole['features'], rtol=1e-3, atol=1e-4
    )


def test_a_run_goes_on_with_other_devices_and_another_sharding(tmp_path, alone):
  finish(start(tmp_path, 8, '--sharding=fsdp', '--stop_at=6'))
  assert checkpoints(tmp_path) == ['4']
  finish(*start_two(tmp_path, 1, '--stop_at=11'))
  assert checkpoints(tmp_path) == ['8']
  finish(start(tmp_path, 4, '--sharding=fsdp'))
  assert_same(tmp_path, alone)
  # The last part of the run read the last half of the batches, and no more.
  assert len(end(tmp_path)['seen']) == (STEPS - 8) * BATCH


def checkpoints(folder):
  return [x.name for x in (folder / 'train/checkpoints').iterdir()]
