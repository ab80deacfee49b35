"""A training run that is killed again and again ends with the same bits."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import orbax.checkpoint as ocp
import pandas as pd
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
KILLS = 10
STEPS_BETWEEN = 15
# Dropout and flips: the state of randomness matters.
MODEL = 'dropout'

pytestmark = pytest.mark.slow


def start(workdir, cache):
  return subprocess.Popen(
    [
      sys.executable, '-m', 'overlap', 'train',
      '--config=configs/quickstart.py:smoke', f'--workdir={workdir}',
      f'--model={MODEL}',
      f'--config.models.{MODEL}.train.total_steps={KILLS * STEPS_BETWEEN + 60}',
      f'--config.models.{MODEL}.train.checkpoint_every_steps=3',
      f'--config.models.{MODEL}.train.log_every_steps=1',
    ],
    cwd=ROOT,
    env=os.environ | {
      'XLA_FLAGS': '',
      'JAX_PLATFORMS': 'cpu',
      'JAX_COMPILATION_CACHE_DIR': str(cache),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.1',
    },
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )  # fmt: skip


def kill(process, steps, seconds):
  """SIGKILLs a run some steps, and then some time, after it began."""
  seen = 0
  for line in process.stderr:
    seen += f'{MODEL}: step ' in line
    if seen > steps:
      break
  try:
    process.wait(seconds)
  except subprocess.TimeoutExpired:
    process.kill()
  process.communicate()
  assert process.returncode == -9, 'it ended before it was killed'


def result(workdir):
  """The variables, leaf by leaf, and what was measured at each step."""
  folder = workdir / 'models' / MODEL
  with ocp.StandardCheckpointer() as checkpointer:
    tree = checkpointer.restore(folder / 'checkpoint')
  return tree, pd.read_csv(folder / 'metrics_train.csv')


def test_ten_kills_at_random_moments_change_no_bit(tmp_path):
  cache, whole, killed = (tmp_path / x for x in ('cache', 'whole', 'killed'))
  process = start(whole, cache)
  _, stderr = process.communicate()
  assert process.returncode == 0, stderr
  rng = np.random.default_rng(0)
  partial = 0
  for _ in range(KILLS):
    kill(start(killed, cache), rng.integers(STEPS_BETWEEN), rng.uniform(0, 0.1))
    partial += any(killed.rglob('*.orbax-checkpoint-tmp*'))
  # Some of the moments must be those in which a checkpoint is written.
  assert partial
  process = start(killed, cache)
  _, stderr = process.communicate()
  assert process.returncode == 0, stderr
  assert f'{MODEL}: resumed at step' in stderr
  (expected, first), (got, second) = result(whole), result(killed)
  leaves = ocp.tree.to_flat_dict(expected)
  again = ocp.tree.to_flat_dict(got)
  assert leaves.keys() == again.keys()
  for name, leaf in leaves.items():
    np.testing.assert_array_equal(again[name], leaf, err_msg=str(name))
  measured = ['step', 'accuracy', 'grad_norm', 'loss']
  pd.testing.assert_frame_equal(first[measured], second[measured])
