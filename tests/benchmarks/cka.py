"""Linear CKA against the matrix products that it needs, and a naive one.

  python tests/benchmarks/cka.py

The floor is what BLAS takes for `XᵀX` and `YᵀY`, of which half are computed
(syrk), and `XᵀY` (gemm) of features that are normalised and centred already.
Ours begins with the raw features. The naive one is what is written most:
centred Gram matrices of examples with examples, HSIC as the sum of their
products. All are interleaved, with all cores; times are the least of several,
by the clock and, for machines that others use too, of the processor.
Then all pairs of several models, with how often each model's product with
itself is made.
"""

import argparse
import collections
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.linalg import blas

from overlap.analyses.similarity import pairwise, products
from overlap.analyses.similarity.options import Similarity

CKA_ALONE = Similarity(variance=0.0, neighbours=0)
# The naive one takes so long that a few times tell enough.
_NAIVE_REPEATS = 5
NO_EXAMPLES = np.empty(0, np.int64)


def draw(examples: int, widths: Sequence[int], seed: int = 0) -> list[Any]:
  """Features after a ReLU, of models that share what they see."""
  rng = np.random.default_rng(seed)
  seen = rng.standard_normal((examples, 64), dtype=np.float32)
  features = []
  for width in widths:
    mixed = seen @ rng.standard_normal((64, width), dtype=np.float32)
    noise = rng.standard_normal(mixed.shape, dtype=np.float32)
    features.append(np.maximum(mixed + 8 * noise, 0))
  return features


def centred(x: np.ndarray) -> np.ndarray:
  x = x / np.linalg.norm(x, axis=1, keepdims=True)
  return x - x.mean(axis=0)


def naive(x: np.ndarray, y: np.ndarray) -> float:
  """As users write it: `n x n` matrices."""

  def gram(x: np.ndarray) -> np.ndarray:
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    k = x @ x.T
    return k - k.mean(axis=0) - k.mean(axis=1, keepdims=True) + k.mean()

  def hsic(k: np.ndarray, other: np.ndarray) -> float:
    return (k * other).sum()

  k, other = gram(x), gram(y)
  return hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))


def syrk(x: np.ndarray) -> np.ndarray:
  return blas.ssyrk(1.0, x.T)  # `x.T` is x in Fortran's order: no copy.


def timed(function: Callable[[], Any]) -> tuple[np.ndarray, Any]:
  """Seconds by the clock and of the processor, and what is returned."""
  start = np.array([time.perf_counter(), time.process_time()])
  result = function()
  end = np.array([time.perf_counter(), time.process_time()])
  return end - start, result


def counted(features: Sequence[np.ndarray]) -> tuple[int, int]:
  """How many blocks of products with itself a model has, and of all pairs."""
  made: collections.Counter[bool] = collections.Counter()
  add = products._add_blas

  def counting(total: Any, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    made[one is two] += 1
    return add(total, one, two)

  products._add_blas = counting
  try:
    all_pairs(features)
  finally:
    products._add_blas = add
  return made[True], made[False]


def all_pairs(features: Sequence[np.ndarray]) -> np.ndarray:
  count = len(features)
  pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
  return pairwise.measure_pairwise(
    features, pairs, NO_EXAMPLES, CKA_ALONE, backend='blas'
  ).cka


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--examples', type=int, default=6000)
  parser.add_argument('--widths', type=int, nargs=2, default=(2048, 1024))
  parser.add_argument('--models', type=int, default=6)
  parser.add_argument('--repeats', type=int, default=7)
  args = parser.parse_args()
  x, y = draw(args.examples, args.widths)
  ready = centred(x), centred(y)
  sides = {
    'floor': lambda: [syrk(ready[0]), syrk(ready[1]), ready[0].T @ ready[1]],
    'ours': lambda: all_pairs([x, y])[0],
    'naive': lambda: naive(x, y),
  }
  seconds: dict[str, list[np.ndarray]] = {name: [] for name in sides}
  results: dict[str, Any] = {}
  for repeat in range(args.repeats + 1):
    for name, side in sides.items():
      if name == 'naive' and repeat > _NAIVE_REPEATS:
        continue
      duration, results[name] = timed(side)
      if repeat:
        seconds[name].append(duration)
  best = {
    name: 1e3 * np.min(values, axis=0) for name, values in seconds.items()
  }
  exact = naive(x.astype(np.float64), y.astype(np.float64))
  np.testing.assert_allclose(results['ours'], exact, atol=2e-6)
  np.testing.assert_allclose(results['naive'], exact, rtol=1e-3)
  print(
    f'{args.examples} x {args.widths[0]} and {args.widths[1]}, least of '
    f'{args.repeats}; float64: CKA={exact:.7f}, ours {results["ours"]:.6f}'
  )
  for name, (clock, processor) in best.items():
    print(f'{name}: {clock:.0f} ms, {processor:.0f} ms of the processor')
  many = draw(args.examples, [args.widths[1]] * args.models)
  own, cross = counted(many)
  pairs = args.models * (args.models - 1) // 2
  blocks = own // args.models
  assert (own, cross) == (args.models * blocks, pairs * blocks)
  print(
    f'all {pairs} pairs of {args.models} models of {args.widths[1]}: '
    f'{own // blocks} products of a model with itself, {cross // blocks} of '
    f'pairs, each of {blocks} blocks'
  )
  took = min(timed(lambda: all_pairs(many))[0][0] for _ in range(3))
  two = min(timed(lambda: all_pairs(many[:2]))[0][0] for _ in range(3))
  print(
    f'{1e3 * took:.0f} ms; one pair alone {1e3 * two:.0f} ms, times {pairs}: '
    f'{1e3 * pairs * two:.0f} ms'
  )
  ratio = best['ours'] / best['floor']
  print(f'cka naive ratio={best["naive"][0] / best["ours"][0]:.2f}')
  print(f'cka ratio of processor time={ratio[1]:.2f}')
  print(f'cka ratio={ratio[0]:.2f}')


if __name__ == '__main__':
  main()
