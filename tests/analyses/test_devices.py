"""The whole stage analyse on 1, 2 and 8 devices: the same tables.

Whole numbers, names and truth values are the same to the last; other numbers to
`TOLERANCE`. One device does all as a CPU does, most of it beside JAX; two and
eight, simulated ones, as accelerators do. Each process does it twice:
from run to run the tables are the same bytes.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from overlap import store
from overlap.tables import schemas, table_io

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Relative, and absolute where numbers are small: fractions, mostly. What is
# fitted, and averages that are summed in another order, differ by this much.
TOLERANCE = 1e-4
# None of them a multiple of 2.
SPLITS = {'probe_train': 61, 'probe_heldout': 31, 'test': 101}
CLASSES = 3
MODELS = {'base': 'BASE', 'b': 'REINIT', 'c': 'ARCH', 'd': 'DATASET'}
RUN = """
import sys
import jax
from overlap import tables
from overlap.analyses import run

workdir, out, path, devices = sys.argv[1:]
assert jax.device_count() == int(devices)
if path == 'accelerator':
  jax.default_backend = lambda: 'gpu'

def analyse():
  return run.analyse(
    workdir=workdir, dataset='toy', split='test', base='base',
    options={
      'resamples': 30,
      'probing': {
        'strengths': 2, 'weakest': 0.1, 'strongest': 1.0, 'seeds': 1,
        'kept': [3],
      },
    },
  )

made = analyse()
for name, frame in made.items():
  tables.write(out, name, frame)
for name, frame in analyse().items():
  assert tables.to_csv(frame) == tables.to_csv(made[name]), name
"""


def build(workdir):
  rng = np.random.default_rng(0)
  for split, count in SPLITS.items():
    labels = rng.integers(0, CLASSES, count)
    where = {'dataset': 'toy', 'split': split}
    store.write_examples(
      workdir, **where, ids=[f'{split}/{i}' for i in range(count)],
      labels=labels, class_names=[str(c) for c in range(CLASSES)],
    )  # fmt: skip
    for model, category in MODELS.items():
      signal = 1.5 * np.eye(CLASSES)[labels]
      arrays = {
        'features': signal @ rng.normal(size=(CLASSES, 5))
        + rng.normal(size=(count, 5))
      }
      if split == 'test':
        arrays['logits'] = signal + rng.normal(size=signal.shape)
      with store.RecordWriter(workdir, **where, model=model) as writer:
        for name, values in arrays.items():
          writer.create(name, shape=values.shape, dtype='float32')
          writer.write(name, 0, values.astype(np.float32))
        writer.finish({'category': category})


def analyse(workdir, out, path, devices):
  xla = f'--xla_force_host_platform_device_count={devices}'
  done = subprocess.run(
    [sys.executable, '-c', RUN, str(workdir), str(out), path, str(devices)],
    cwd=ROOT,
    env=os.environ | {'XLA_FLAGS': xla, 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
    timeout=900,
  )
  assert done.returncode == 0, done.stderr
  return {name: table_io.read_table(out, name) for name in schemas.SCHEMAS}


@pytest.mark.slow
def test_the_tables_are_the_same_on_any_devices(tmp_path):
  build(tmp_path / 'w')
  runs = [('host', 1), ('accelerator', 2), ('accelerator', 8)]
  made = {
    run: analyse(tmp_path / 'w', tmp_path / '-'.join(map(str, run)), *run)
    for run in runs
  }
  expected = made.pop(runs[0])
  filled = [name for name, frame in expected.items() if len(frame)]
  assert len(filled) > 20, filled
  for run, found in made.items():
    for name, frame in found.items():
      pd.testing.assert_frame_equal(
        frame, expected[name], rtol=TOLERANCE, atol=TOLERANCE,
        obj=f'{name} by {run}',
      )  # fmt: skip
