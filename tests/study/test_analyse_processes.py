"""`overlap analyse` by several processes, one of them killed, and verified."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from overlap import store

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPLITS = {'test': 300, 'probe_train': 203, 'probe_heldout': 101}
TABLES = ('models', 'pairs', 'joined', 'joined_pairs', 'compression')
# Notes are written at every step; a process may end after some of them.
RUN = """
import os, signal, sys
from overlap.analyses import scratch
from overlap.analyses.probing import memo
from overlap.cli import main

scratch._EVERY = 0
saves = []

class Killed(scratch.Scratch):
  def save(self, *arguments):
    super().save(*arguments)
    saves.append(0)
    if len(saves) == int(sys.argv[1]):
      os.kill(os.getpid(), signal.SIGKILL)

memo.Scratch = Killed
raise SystemExit(main.main(sys.argv[2:]))
"""


def build(workdir):
  """A store of four models, with logits on one split, features on three."""
  rng = np.random.default_rng(0)
  centres = rng.normal(size=(9, 8))
  for split, count in SPLITS.items():
    labels = rng.integers(0, 9, count)
    store.write_examples(
      workdir,
      dataset='shapes',
      split=split,
      ids=[f'{split}-{i:03d}' for i in range(count)],
      labels=labels,
      class_names=[str(c) for c in range(9)],
    )
    for name in ('base', 'b', 'c', 'd'):
      arrays = {'features': centres[labels] + rng.normal(size=(count, 8))}
      if split == 'test':
        arrays['logits'] = rng.normal(size=(count, 9))
        arrays['logits'][np.arange(count), labels] += 2
      with store.RecordWriter(
        workdir, dataset='shapes', split=split, model=name
      ) as writer:
        for key, values in arrays.items():
          values = values.astype(np.float32)
          writer.create(key, shape=values.shape, dtype=values.dtype)
          writer.write(key, 0, values)
        writer.finish({'category': 'ARCH', 'source': 'random'})


def start(workdir, command, *flags, devices=1, killed_at=-1):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [
      sys.executable, '-c', RUN, str(killed_at), command,
      f'--workdir={workdir}', *flags,
    ],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu', 'XLA_FLAGS': xla},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )  # fmt: skip


def together(workdir, count, *flags, killed_at=-1):
  """Processes of one run, of which the second may be killed."""
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    port = s.getsockname()[1]
  return [
    start(
      workdir, 'analyse', *flags, f'--coordinator=127.0.0.1:{port}',
      f'--num_processes={count}', f'--process_id={index}',
      killed_at=killed_at if index == 1 else -1,
    )
    for index in range(count)
  ]  # fmt: skip


def finish(processes):
  for process in processes:
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output


@pytest.mark.slow
@pytest.mark.parametrize('count', [2, 4])
def test_the_tables_of_one_process_with_as_many_devices(tmp_path, count):
  asked = (
    '--dataset=shapes', '--split=test', '--base=base', '--resamples=20',
    *(f'--tables={name}' for name in TABLES),
  )  # fmt: skip
  one, several = tmp_path / 'one', tmp_path / 'several'
  build(one)
  build(several)
  finish([start(one, 'analyse', *asked, devices=count)])
  for process in together(several, count, *asked, killed_at=7):
    said, _ = process.communicate(timeout=900)
    assert process.returncode in (1, -signal.SIGKILL), said
  assert (several / 'cache' / 'overlap-probes-shared.npz').exists()
  finish(together(several, count, *asked))
  assert not (several / 'cache').exists()
  for name in TABLES:
    made, expected = (w / 'tables' / f'{name}.csv' for w in (several, one))
    if count == 2 or name in ('models', 'pairs'):
      assert made.read_bytes() == expected.read_bytes(), name
    else:
      # Devices that share cores divide their products among threads otherwise.
      pd.testing.assert_frame_equal(
        pd.read_csv(made), pd.read_csv(expected), atol=0.01, obj=name
      )
  finish([start(several, 'verify')])
