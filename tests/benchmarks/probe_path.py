"""A probe's 45 strengths against PyTorch, Optax and scikit-learn, called 45
times.

  python tests/benchmarks/probe_path.py
  python tests/benchmarks/probe_path.py --normalisation=l2_standardise

All fit the same float32 features, raw or normalised, and the same objective;
the features and the oracle are those of `probe.py`, which must lie beside
this file. PyTorch is stopped at the first evaluation, Optax at the first step
that is within 1e-6 of the optimum in float64; scikit-learn takes one tolerance
for all, and may stop short of it. Ours ends by its own bound; its time holds
the statistics and the axes too. Then each chooses its strength on held-out
examples. Compilation is left out; times are the least of several rounds.
"""

import argparse
import importlib.util
import pathlib
from types import ModuleType
from typing import Any

import numpy as np

from overlap.probes import normalise, probe, rows, selection


def beside(name: str) -> ModuleType:
  """A module of this folder."""
  path = pathlib.Path(__file__).with_name(f'{name}.py')
  spec = importlib.util.spec_from_file_location(f'benchmark_{name}', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


single = beside('probe')
STRENGTHS = selection.STRENGTHS


def ours(x: np.ndarray, y: np.ndarray, k: int) -> tuple[list[np.ndarray], int]:
  found = probe.fit_path(
    x, y, num_classes=k, strengths=STRENGTHS, normalisation='none'
  )
  assert all(one.fit.converged for one in found)
  params = [
    np.vstack([one.fit.params['kernel'], one.fit.params['bias'][None]])
    for one in found
  ]
  return params, sum(one.fit.evaluations for one in found)


def each(side: Any, x: np.ndarray, y: np.ndarray, k: int, goals: Any) -> Any:
  results = [side(x, y, k, l2, goal) for l2, goal in zip(STRENGTHS, goals)]
  return [params for params, _ in results], sum(n for _, n in results)


def chosen(params: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
  """The strength of the most right, then of the least NLL."""
  ranks = []
  for l2, p in zip(STRENGTHS, params):
    z = x.astype(np.float64) @ p[:-1] + p[-1]
    right = np.sum(z.argmax(axis=1) == y)
    z -= z.max(axis=1, keepdims=True)
    nll = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    ranks.append((-right, nll.mean(), -l2))
  return STRENGTHS[min(range(len(ranks)), key=ranks.__getitem__)]


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--examples', type=int, default=4000)
  parser.add_argument('--dimensions', type=int, default=256)
  parser.add_argument('--classes', type=int, default=20)
  parser.add_argument('--heldout', type=int, default=1000)
  parser.add_argument('--decay', type=float, default=1.0)
  parser.add_argument('--apart', type=float, default=0.3)
  parser.add_argument('--normalisation', default='none')
  parser.add_argument('--tol', type=float, default=1e-6)
  parser.add_argument('--repeats', type=int, default=2)
  args = parser.parse_args()
  n, d, k = args.examples, args.dimensions, args.classes
  raw, labels = single.draw(
    n + args.heldout, d, k, decay=args.decay, apart=args.apart
  )
  normal = normalise.measure_statistics(
    rows.as_rows(raw[:n]), args.normalisation
  )
  x, y = normal(raw[:n]), labels[:n]
  compiling, (params, _) = single.timed(lambda: ours(x, y, k))
  exact = [single.float64_loss(x, y, k, l2) for l2 in STRENGTHS]
  least = [
    single.optimum(x, y, k, l2, start.ravel())
    for l2, start in zip(STRENGTHS, params)
  ]
  goals = [loss * (1 + single.REACH) for loss in least]
  single.with_optax(x, y, k, 1.0, np.inf)
  sides = {
    'ours': lambda: ours(x, y, k),
    'PyTorch': lambda: each(single.with_torch, x, y, k, goals),
    'ours, again': lambda: ours(x, y, k),
    'Optax': lambda: each(single.with_optax, x, y, k, goals),
    'ours, and again': lambda: ours(x, y, k),
    'scikit-learn': lambda: each(
      single.with_sklearn, x, y, k, [args.tol] * len(STRENGTHS)
    ),
  }
  seconds: dict[str, list[float]] = {}
  results: dict[str, Any] = {}
  for _ in range(args.repeats):
    for name, side in sides.items():
      name = name.split(',')[0]
      duration, results[name] = single.timed(side)
      seconds.setdefault(name, []).append(duration)
  best = {name: min(values) for name, values in seconds.items()}
  choices = {}
  for name, (found, count) in results.items():
    excess = [
      loss(p.ravel())[0] / optimum - 1
      for loss, p, optimum in zip(exact, found, least)
    ]
    choices[name] = chosen(found, normal(raw[n:]), labels[n:])
    print(
      f'{name}: {best[name]:.2f} s, {count} evaluations or steps, at most '
      f'{max(excess):.1e} above the optimum, chooses l2={choices[name]:.3g}'
    )
    if name == 'ours':
      assert max(excess) <= 2 * single.REACH
  print(f'first call of ours, with compilation: {compiling:.2f} s')
  print(f'features: {args.normalisation}')
  print(f'scikit-learn with tol={args.tol:g}, for all strengths')
  assert len(set(choices.values())) == 1, choices
  print(f'against scikit-learn: {best["scikit-learn"] / best["ours"]:.1f}')
  print(f'against PyTorch: {best["PyTorch"] / best["ours"]:.1f}')
  rival = min(best['PyTorch'], best['Optax'])
  print(f'probe_path ratio={rival / best["ours"]:.1f}')


if __name__ == '__main__':
  main()
