"""All joint tables of many models against a Python loop over the pairs.

  python tests/benchmarks/pair_counts.py

Ours packs what each model gets right into bits once, and counts ones. The peer
is the loop that most people write: for every pair four logical expressions
and four sums over the examples. It runs over all pairs, or over `--peer-pairs`
of them, drawn at random; then its time is scaled to all. Both run interleaved
on one core; ours is the least of several repeats. The floor is one read of the
booleans, which packing can't do without, plus one plain sum (NumPy's, of words
in a cache) of as many words as all pairs have: the cost of looking at one of
the two words, and at nothing else.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from overlap.analyses import correctness


def draw(models: int, examples: int, seed: int = 0) -> np.ndarray:
  """Which examples each model gets right: three of four, hard ones less."""
  rng = np.random.default_rng(seed)
  share = rng.beta(3, 1, examples)
  return rng.random((models, examples)) < share


def loop(
  correct: np.ndarray, pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int, int, int]]:
  """The joint tables of listed pairs, one by one."""
  found = []
  for i, j in pairs:
    one, two = correct[i], correct[j]
    found.append((
      int((one & two).sum()),
      int((one & ~two).sum()),
      int((~one & two).sum()),
      int((~one & ~two).sum()),
    ))  # fmt: skip
  return found


def float_product(correct: np.ndarray) -> np.ndarray:
  """What both get right, as one product of float32 matrices."""
  values = correct.astype(np.float32)
  return (values @ values.T).astype(np.int64)


def floor(correct: np.ndarray, pairs: int) -> float:
  """Seconds for one read, and for a sum of as many words as are ANDed."""
  read, _ = best(correct.any, 5)
  words = -(-correct.shape[1] // 64)
  some = np.random.default_rng(0).integers(0, 2**63, 2**15, np.uint64)

  def count() -> None:
    for _ in range(100):
      some.sum()

  seconds, _ = best(count, 5)
  return read + seconds * words * pairs / (100 * len(some))


def best(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
  times = []
  for _ in range(repeats):
    start = time.perf_counter()
    result = function()
    times.append(time.perf_counter() - start)
  return min(times), result


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--models', type=int, default=500)
  parser.add_argument('--examples', type=int, default=50_000)
  parser.add_argument('--peer-pairs', type=int, default=0)
  parser.add_argument('--repeats', type=int, default=5)
  args = parser.parse_args()
  correct = draw(args.models, args.examples)
  pairs = list(itertools.combinations(range(args.models), 2))
  rng = np.random.default_rng(1)
  chosen = pairs
  if 0 < args.peer_pairs < len(pairs):
    drawn = rng.choice(len(pairs), args.peer_pairs, replace=False)
    chosen = [pairs[i] for i in sorted(drawn)]
  parts = np.array_split(np.arange(len(chosen)), args.repeats)
  correctness.pair_counts(correct[:2])  # Compiles.
  peer, ours, tables = 0.0, [], []
  for part in parts:  # Interleaved: a part of the loop, all of ours.
    seconds, found = best(
      lambda part=part: loop(correct, [chosen[i] for i in part]), 1
    )
    peer, tables = peer + seconds, tables + found
    seconds, counts = best(lambda: correctness.pair_counts(correct), 1)
    ours.append(seconds)
  product, both = best(lambda: float_product(correct), 2)
  got = np.stack(counts.at(*np.array(chosen).T), axis=1)
  np.testing.assert_array_equal(got, tables)
  np.testing.assert_array_equal(counts.both_correct, both)
  scaled = peer * len(pairs) / len(chosen)
  print(
    f'{args.models} models x {args.examples} examples, {len(pairs)} pairs; '
    f'all tables equal the loop over {len(chosen)} pairs'
  )
  print(
    f'loop: {peer:.1f} s for {len(chosen)} pairs'
    + (f', scaled to all: {scaled:.1f} s' if len(chosen) < len(pairs) else '')
  )
  print(f'float32 product, all cores: {1e3 * product:.0f} ms')
  print(f'ours: {1e3 * min(ours):.1f} ms, least of {args.repeats}')
  print(f'floor: {1e3 * floor(correct, len(pairs)):.1f} ms')
  print(f'pair_counts ratio={scaled / min(ours):.0f}')


if __name__ == '__main__':
  main()
