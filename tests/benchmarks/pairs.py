"""All pairs' ensembles against NumPy and PyTorch, pair by pair.

  python tests/benchmarks/pairs.py

What the mean of the logits of any two of 82 models gets right. NumPy does it
by `(a + b).argmax(1) == labels` for each pair, PyTorch by the same for one
pair in sixteen, times sixteen, both with all logits in memory. All sides are
timed in one process, interleaved, and must agree on every count; the least
time of each is taken. The floor is one plain read of the logits. Before that
as much is read from a store of several gigabytes, beside one plain read of
it; and, each in processes of their own, how time grows with models is shown,
and that memory does not grow with examples.

Random logits serve, whose accuracy, confidence and error inconsistency are
printed.
"""

import argparse
import itertools
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import greedy
import numpy as np
import torch

from overlap import store
from overlap.analyses import ensembles
from overlap.analyses.members import Split

CLASSES = 1000
# PyTorch does one pair in so many.
TORCH_STEP = 16


def all_pairs(models: int) -> np.ndarray:
  """int `[pairs, 2]`."""
  return np.array(list(itertools.combinations(range(models), 2)))


def ours(
  logits: Any, labels: np.ndarray, methods: Sequence[str] = ('logits',), **more
) -> np.ndarray:
  """How many examples each pair's ensemble gets right."""
  found = ensembles.pair_ensembles(
    logits, labels, all_pairs(len(logits)), methods=methods, **more
  )
  return found['logits'].correct


def by_numpy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
  return np.array(
    [
      ((logits[i] + logits[j]).argmax(1) == labels).sum()
      for i, j in all_pairs(len(logits))
    ]
  )


def by_torch(logits: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
  return np.array(
    [
      int(((logits[i] + logits[j]).argmax(1) == labels).sum())
      for i, j in all_pairs(len(logits))[::TORCH_STEP]
    ]
  )


class Stored:
  """A model's logits in a store."""

  def __init__(self, split: Split, name: str):
    self._split, self._name = split, name
    self.shape = (len(split.labels), CLASSES)

  def __getitem__(self, rows: slice) -> np.ndarray:
    return self._split.read(self._name, 'logits', rows)


class Repeated:
  """A few examples' logits, again and again, so that they take no memory."""

  def __init__(self, tile: np.ndarray, examples: int):
    self._tile, self.shape = tile, (examples, tile.shape[1])

  def __getitem__(self, rows: slice) -> np.ndarray:
    wanted = np.arange(*rows.indices(self.shape[0])) % len(self._tile)
    return self._tile[wanted]


def fill(
  workdir: pathlib.Path, models: int, examples: int, tile: int = 2000
) -> np.ndarray:
  """Stores logits of several models; returns the labels."""
  logits, labels = greedy.make_logits(models, tile, CLASSES)
  labels = np.resize(labels, examples)
  store.write_examples(
    workdir,
    dataset='random',
    split='test',
    ids=[f'{i:06d}' for i in range(examples)],
    labels=labels,
    class_names=[str(c) for c in range(CLASSES)],
  )
  for model in range(models):
    with store.RecordWriter(
      workdir, dataset='random', split='test', model=f'm{model:02d}'
    ) as writer:
      writer.create('logits', shape=(examples, CLASSES), dtype=np.float32)
      for start in range(0, examples, tile):
        rows = logits[model][: examples - start]
        writer.write('logits', start, rows)
      writer.finish({'source': 'random'})
  return labels


def timed(function: Callable, *args: Any, **kwargs: Any) -> tuple[float, Any]:
  start = time.perf_counter()
  result = function(*args, **kwargs)
  return time.perf_counter() - start, result


def race(args: argparse.Namespace) -> float:
  """Times all sides in memory; returns the ratio to NumPy."""
  logits, labels = greedy.make_logits(args.models, args.examples, CLASSES)
  tensors = torch.from_numpy(logits), torch.from_numpy(labels)
  print(
    f'{args.models} models, {args.examples} examples, {CLASSES} classes, '
    f'{torch.get_num_threads()} threads: {greedy.describe(logits, labels)}'
  )
  both = ('logits', 'probs')
  sides = {
    'floor': (logits.max, ()),
    'ours': (ours, (logits, labels)),
    'ours, both means': (ours, (logits, labels, both)),
    'NumPy': (by_numpy, (logits, labels)),
    'PyTorch': (by_torch, tensors),
  }
  ours(logits[:2, :9], labels[:9], both)  # Compiles.
  best = dict.fromkeys(sides, np.inf)
  wrong = 0
  for repeat in range(args.repeats):
    found = {}
    for name, (side, inputs) in sides.items():
      slow = name in ('NumPy', 'PyTorch')
      if slow and repeat >= args.slow_repeats:
        continue
      took = []
      for _ in range(1 if slow else 15):
        seconds, found[name] = timed(side, *inputs)
        took.append(seconds)
      best[name] = min(best[name], *took)
    for name, counts in found.items():
      if name != 'floor':
        step = TORCH_STEP if name == 'PyTorch' else 1
        wrong += int((counts != found['ours'][::step]).sum())
  best['PyTorch'] *= len(found['ours']) / len(found['ours'][::TORCH_STEP])
  print(f'pairs whose counts differ: {wrong} of {len(all_pairs(args.models))}')
  for name, seconds in best.items():
    print(f'  {name}: {seconds:.3f} s')
  print(
    f'ours takes {best["ours"] / best["floor"]:.1f} times the floor; PyTorch '
    f'takes {best["PyTorch"] / best["ours"]:.0f} times as long as ours'
  )
  if wrong:
    raise SystemExit(1)
  return best['NumPy'] / best['ours']


def stream(args: argparse.Namespace) -> None:
  """Times a store of several gigabytes against one plain read of it."""
  with tempfile.TemporaryDirectory() as folder:
    workdir = pathlib.Path(folder)
    labels = fill(workdir, args.stored_models, args.stored_examples)
    split = Split(store.Store(workdir), 'random', 'test', labels)
    models = [
      Stored(split, name) for name in split.reader.models('random', 'test')
    ]
    temperatures = np.full((len(models), len(labels)), 1.25, np.float32)

    def read() -> None:
      for model in models:
        for start in range(0, len(labels), 4096):
          model[start : min(start + 4096, len(labels))]

    best = {'read': np.inf, 'ours': np.inf}
    for _ in range(3):
      for name, side in (
        ('read', read),
        ('ours', lambda: ours(models, labels, temperatures=temperatures)),
      ):
        best[name] = min(best[name], timed(side)[0])
    size = len(models) * len(labels) * CLASSES * 4 / 1e9
    print(
      f'a store of {size:.1f} GB ({len(models)} models, {len(labels)} '
      f'examples): read {best["read"]:.2f} s, ours {best["ours"]:.2f} s, '
      f'{best["ours"] / best["read"]:.2f} times'
    )


def alone(mode: str, models: int, examples: int) -> float:
  """What a process of its own prints."""
  done = subprocess.run(
    [
      sys.executable, __file__, f'--mode={mode}', f'--models={models}',
      f'--examples={examples}',
    ],
    capture_output=True,
    text=True,
    check=True,
  )  # fmt: skip
  return json.loads(done.stdout.strip().split('\n')[-1])


def run_alone(args: argparse.Namespace) -> None:
  """Prints a peak of memory in MiB, or seconds."""
  if args.mode == 'memory':
    tile, labels = greedy.make_logits(args.models, 256, CLASSES)
    models = [Repeated(z, args.examples) for z in tile]
    ours(models, np.resize(labels, args.examples), memory_mb=256)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    return
  logits, labels = greedy.make_logits(args.models, args.examples, CLASSES)
  ours(logits, labels)
  print(min(timed(ours, logits, labels)[0] for _ in range(25)))


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--models', type=int, default=82)
  parser.add_argument('--examples', type=int, default=5000)
  parser.add_argument('--repeats', type=int, default=5)
  parser.add_argument('--slow_repeats', type=int, default=2)
  parser.add_argument('--stored_models', type=int, default=16)
  parser.add_argument('--stored_examples', type=int, default=50_000)
  parser.add_argument('--mode', choices=('race', 'time', 'memory'))
  args = parser.parse_args()
  if args.mode == 'race':
    print(f'pairs ratio={race(args):.1f}')
    return
  if args.mode:
    run_alone(args)
    return
  # First: a child's peak begins at what its parent holds.
  for examples in (10_000, 50_000):
    print(
      f'peak memory, 16 models, {examples} examples: '
      f'{alone("memory", 16, examples):.0f} MiB',
      flush=True,
    )
  took = [(n, alone('time', n, 5000)) for n in (20, 40, 80)]
  print(
    'seconds, 5000 examples: '
    + ', '.join(f'{n} models {seconds:.3f}' for n, seconds in took)
  )
  stream(args)
  ratio = race(args)
  print(f'pairs ratio={ratio:.1f}')


if __name__ == '__main__':
  main()
