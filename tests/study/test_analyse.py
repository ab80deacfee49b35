"""`overlap analyse` on a store: by one process, by two, and verified."""

import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
from etils import epath

from overlap import errors, store
from overlap.study import results

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build(workdir, *, features=False):
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 9, 300)
  store.write_examples(
    workdir,
    dataset='shapes',
    split='test',
    ids=[f'{i:03d}' for i in range(300)],
    labels=labels,
    class_names=[str(c) for c in range(9)],
  )
  for name in ('base', 'b', 'c', 'd'):
    logits = rng.normal(size=(300, 9)).astype(np.float32)
    logits[np.arange(300), labels] += 2
    with store.RecordWriter(
      workdir, dataset='shapes', split='test', model=name
    ) as writer:
      writer.create('logits', shape=logits.shape, dtype=logits.dtype)
      writer.write('logits', 0, logits)
      if features:
        writer.create('features', shape=logits.shape, dtype=logits.dtype)
        writer.write('features', 0, logits[:, ::-1])
      writer.finish({'category': 'ARCH', 'source': 'random'})


def start(workdir, command, *flags):
  return subprocess.Popen(
    [sys.executable, '-m', 'overlap', command, f'--workdir={workdir}', *flags],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def finish(processes):
  for process in processes:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output


@pytest.mark.slow
def test_two_processes_make_the_tables_of_one(tmp_path):
  asked = ('--base=base', '--tables=models,pairs', '--resamples=20')
  one, two = tmp_path / 'one', tmp_path / 'two'
  build(one)
  build(two)
  finish([start(one, 'analyse', *asked)])
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    coordinator = f'--coordinator=127.0.0.1:{s.getsockname()[1]}'
  finish(
    [
      start(
        two, 'analyse', *asked, coordinator, '--num_processes=2',
        f'--process_id={index}',
      )
      for index in range(2)
    ]
  )  # fmt: skip
  for name in ('models.csv', 'pairs.csv'):
    made = [(folder / 'tables' / name).read_bytes() for folder in (one, two)]
    assert made[0] == made[1]
  assert not (two / 'cache').exists()
  finish([start(two, 'verify')])


@pytest.mark.parametrize(
  ('name', 'table'), [('logits', 'models'), ('features', 'similarity')]
)
def test_another_models_arrays_are_refused_before_any_table(
  tmp_path, name, table
):
  build(tmp_path, features=True)
  folder = tmp_path / 'predictions' / 'shapes' / 'test'
  os.rename(folder / 'b' / name, folder / 'aside')
  os.rename(folder / 'c' / name, folder / 'b' / name)
  os.rename(folder / 'aside', folder / 'c' / name)
  options = {'tables': [table], 'resamples': 20}
  path = epath.Path(tmp_path)
  request = results.store_request(path, None, None, 'base', options=options)
  with pytest.raises(
    errors.DataError, match=rf"^{name} of model '[bc]' .* ingest it again\.$"
  ):
    results.analyse(path, request)
  assert not (tmp_path / 'tables').exists()
