"""Greedy selection against NumPy, model by model.

  python tests/benchmarks/greedy.py

One step adds every model to an ensemble, and counts what each of these larger
ensembles gets right. NumPy does it by `(sum + z_k).argmax(1)` for each model
k. Both must agree on every example. Three sides are timed, interleaved: the
first step, which reads all logits and keeps the few that can matter; a later
step, which has these; and a whole search from five starts on two halves of
the examples, whose first step is shared. The floor is one plain read of the
logits. Random logits with a heavy tail serve, whose accuracy, confidence and
error inconsistency are printed. The first lines show that peak memory does
not grow with the number of examples, where little is kept between steps.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from overlap.analyses.greedy import paths, scoring, subsets
from overlap.analyses.greedy.compact import Scores

STARTS = 5


def make_logits(
  models: int, examples: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
  """Logits in which each example has a few classes that are taken for others.

  Returns:
    float32 `[models, examples, classes]` and labels `[examples]`.
  """
  rng = np.random.default_rng(0)
  labels = rng.integers(0, classes, examples)
  shared = 2.6 * rng.standard_gamma(0.25, (examples, classes))
  strength = rng.normal(15.8, 5.0, examples)
  logits = np.empty((models, examples, classes), np.float32)
  for model in range(models):
    noise = rng.standard_normal((examples, classes), np.float32)
    own = np.exp(0.17 * rng.standard_normal((examples, classes), np.float32))
    logits[model] = shared * own + 0.5 * noise
    logits[model, np.arange(examples), labels] += strength
    logits[model] *= 0.6
  return logits, labels


def describe(logits: np.ndarray, labels: np.ndarray) -> str:
  """What makes logits realistic."""
  one, two = (z.argmax(1) == labels for z in logits[:2])
  shifted = np.exp(logits[0] - logits[0].max(1, keepdims=True))
  confidence = (shifted.max(1) / shifted.sum(1)).mean()
  return (
    f'accuracy {one.mean():.3f}, confidence {confidence:.3f}, error '
    f'inconsistency {(one != two).mean():.3f}'
  )


def numpy_step(
  logits: np.ndarray, labels: np.ndarray, members: tuple[int, ...]
) -> np.ndarray:
  """What the ensemble gets right with each model, bool `[models, examples]`."""
  total = logits[members[0]].copy()
  for member in members[1:]:
    total += logits[member]
  return np.stack([(total + z).argmax(1) == labels for z in logits])


def search(
  logits: np.ndarray, labels: np.ndarray, correct: np.ndarray, members: int
) -> list[paths.Path]:
  """Paths from several starts, each chosen on either half."""
  scores = Scores(list(logits), labels, max_members=members)
  pool = np.ones(len(logits), bool)
  half = np.arange(len(labels)) % 2 == 0
  plans = [
    paths.Plan(start, pool, chosen_on)
    for start in range(min(STARTS, len(logits)))
    for chosen_on in (half, ~half)
  ]
  names = [f'{i:03d}' for i in range(len(logits))]
  return paths.take_paths(scores, names, correct, plans, max_members=members)[0]


class Streamed:
  """Logits that are made when asked for, so that they take no memory."""

  def __init__(self, tile: np.ndarray, examples: int):
    self._tile, self.shape = tile, (examples, tile.shape[1])

  def __getitem__(self, rows: slice) -> np.ndarray:
    wanted = np.arange(*rows.indices(self.shape[0])) % len(self._tile)
    return self._tile[wanted]


def run_memory(examples: int) -> None:
  """Two steps over streamed logits; prints this process's peak in MiB."""
  tiles, labels = make_logits(16, 256, 1000)
  scores = Scores(
    [Streamed(tile, examples) for tile in tiles],
    np.resize(labels, examples),
    max_members=8,
    kept_bytes=2**25,
  )
  for members in ((0,), (0, 1)):
    scoring.score_additions(scores, [members])
  print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def peak_memory(examples: int) -> int:
  """Peak MiB of a process of its own."""
  done = subprocess.run(
    [sys.executable, __file__, f'--memory={examples}'],
    capture_output=True,
    text=True,
    check=True,
  )
  return json.loads(done.stdout.strip().split('\n')[-1])


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--models', type=int, default=82)
  parser.add_argument('--examples', type=int, default=5000)
  parser.add_argument('--classes', type=int, default=1000)
  parser.add_argument('--members', type=int, default=8)
  parser.add_argument('--repeats', type=int, default=5)
  parser.add_argument('--memory', type=int, default=0)
  args = parser.parse_args()
  if args.memory:
    run_memory(args.memory)
    return
  # First: a child's peak begins at what its parent holds.
  for examples in (10_000, 50_000):
    print(
      f'peak memory, 16 models, {examples} examples: '
      f'{peak_memory(examples)} MiB'
    )
  logits, labels = make_logits(args.models, args.examples, args.classes)
  correct = np.stack([z.argmax(1) == labels for z in logits])
  print(
    f'{args.models} models, {args.examples} examples, {args.classes} classes: '
    + describe(logits, labels)
  )
  seconds: dict[str, list[float]] = {}

  def record(name: str, function: Callable, *args, **kwargs) -> object:
    start = time.perf_counter()
    result = function(*args, **kwargs)
    seconds.setdefault(name, []).append(time.perf_counter() - start)
    return result

  chosen = min(12, args.models)
  tree = subsets.tree(chosen, chosen)
  one_group = np.zeros(len(labels), int)
  wrong = 0
  for repeat in range(args.repeats + 1):
    if repeat == 1:  # The first round compiles.
      seconds.clear()
    record('floor', logits.max)
    scores = Scores(list(logits), labels, max_members=args.members)
    for name, members in (('first', (0,)), ('later', (0, 1, 2, 3))):
      added = record(name, scoring.score_additions, scores, [members])
      expected = record(f'{name}, NumPy', numpy_step, logits, labels, members)
      wrong += int((added.right(members) != expected).sum())
    found = record('search', search, logits, labels, correct, args.members)
    record(
      'subsets', subsets.count_right, scores, tree, one_group,
      num_groups=1, chosen=np.arange(chosen),
    )  # fmt: skip
  steps = sum(len(path.members) - 1 for path in found)
  took = {name: statistics.median(values) for name, values in seconds.items()}
  later = took['later, NumPy'] / took['later']
  print(f'examples that differ from NumPy: {wrong}')
  print(f'one plain read of the logits: {took["floor"]:.3f} s (the floor)')
  print(
    f'first step: {took["first"]:.3f} s, NumPy {took["first, NumPy"]:.3f} s; '
    f'{took["first"] / took["floor"]:.1f} times the floor'
  )
  print(
    f'later step: {took["later"]:.4f} s, NumPy {took["later, NumPy"]:.3f} s, '
    f'ratio {later:.0f}'
  )
  print(
    f'search of {len(found)} paths, {steps} steps: {took["search"]:.3f} s; '
    f'NumPy, step by step, would take {steps * took["first, NumPy"]:.1f} s'
  )
  print(
    f'exact search of {len(tree.last)} subsets of {chosen} '
    f'models: {took["subsets"]:.3f} s'
  )
  print(f'greedy ratio={took["first, NumPy"] / took["first"]:.2f}')
  if wrong:
    raise SystemExit(1)


if __name__ == '__main__':
  main()
