"""`overlap analyse` by several processes, one of them killed, and verified."""

import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from overlap import store

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPLITS = {'test': 300, 'probe_train': 203, 'probe_heldout': 101}
TABLES = ('models', 'pairs', 'joined', 'compression')
# Notes are written at every step; a process may end after some of them.
RUN = """
import os, signal, sys
from etils import epath
from overlap.distributed import processes
from overlap.analyses import scratch
from overlap.analyses.probing import memo
from overlap.stages import analyse as results

killed_at, coordinator, count, index, workdir, *tables = sys.argv[1:]
scratch._EVERY = 0
saves = []

class Killed(scratch.Scratch):
  def save(self, *arguments):
    super().save(*arguments)
    saves.append(0)
    if len(saves) == int(killed_at):
      os.kill(os.getpid(), signal.SIGKILL)

memo.Scratch = Killed
processes.initialize(coordinator, int(count), int(index))
path = epath.Path(workdir)
probing = dict(
  strengths=2, weakest=1e-2, strongest=1.0, seeds=1, percents=(0, 50, 100),
  rankings=('correlation', 'cholesky'), kept=(8,),
)
options = dict(tables=tables, resamples=20, probing=probing)
request = results.store_request(path, 'shapes', 'test', 'base', options=options)
results.analyse(path, request)
"""


def build(workdir):
  """A store of two models, with logits on one split, features on three."""
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
    for name in ('base', 'b'):
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


def start(*words, devices=1):
  xla = f'--xla_force_host_platform_device_count={devices}'
  return subprocess.Popen(
    [sys.executable, *map(str, words)],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu', 'XLA_FLAGS': xla},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def together(workdir, count, killed_at=-1):
  """Processes of one run, of which the second may be killed."""
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    coordinator = f'127.0.0.1:{s.getsockname()[1]}'
  return [
    start(
      '-c', RUN, killed_at if index == 1 else -1, coordinator, count, index,
      workdir, *TABLES,
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
  one, several = tmp_path / 'one', tmp_path / 'several'
  build(one)
  build(several)
  finish([start('-c', RUN, -1, '', 1, 0, one, *TABLES, devices=count)])
  for process in together(several, count, killed_at=4):
    said, _ = process.communicate(timeout=900)
    assert process.returncode, said
  assert (several / 'cache' / 'overlap-probes-shared.npz').exists()
  finish(together(several, count))
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
  finish([start('-m', 'overlap', 'verify', f'--workdir={several}')])
