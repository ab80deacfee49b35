"""Fitting a temperature against PyTorch's L-BFGS with strong Wolfe search.

  python tests/benchmarks/temperature.py

Both sides fit the same float32 logits, whose labels were drawn at 1/1.56 of
their size, from T = 1 to the same optimum, interleaved, with all cores. Times
are the least of several repeats. The floor is one plain pass of exponentials
(XLA's `exp`, summed) times the passes that ours makes. Beside the optimum
stands what the recipe that is copied most ends with: L-BFGS with lr 0.01, 50
iterations and no line search.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy import optimize

from overlap.analyses import calibration, temperature


def draw(
  examples: int, classes: int, scale: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
  """Logits of a classifier that is right on about 70 %, and over-confident."""
  rng = np.random.default_rng(seed)
  clean = rng.standard_normal((examples, classes), dtype=np.float32)
  clean *= np.float32(1.3)
  likely = rng.integers(0, classes, examples)
  clean[np.arange(examples), likely] += rng.normal(10, 3.5, examples)
  # Of Gumbel noise, so that the labels have the probabilities of the logits.
  noise = rng.standard_exponential(clean.shape, dtype=np.float32)
  noise = -np.log(np.maximum(noise, np.finfo(np.float32).tiny))
  return np.float32(scale) * clean, (clean + noise).argmax(axis=1)


def exact(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
  """The optimum's T and NLL in float64, from a root of the slope in 1/T."""

  def slope(b: float) -> float:
    total = 0.0
    for start in range(0, len(logits), 2000):
      z = logits[start : start + 2000].astype(np.float64)
      z -= z.max(axis=1, keepdims=True)
      p = np.exp(z * b)
      chosen = z[np.arange(len(z)), labels[start : start + 2000]]
      total += ((p * z).sum(axis=1) / p.sum(axis=1) - chosen).sum()
    return total / len(logits)

  t = 1 / optimize.brentq(slope, 0.2, 5, xtol=1e-12)
  return t, float(calibration.nll(logits, labels, t).mean())


def lbfgs(
  logits: torch.Tensor, labels: torch.Tensor, **options: Any
) -> tuple[float, int]:
  """T by PyTorch from T = 1, and how often it evaluated the loss."""
  t = torch.nn.Parameter(torch.ones(1))
  optimizer = torch.optim.LBFGS([t], **options)
  calls = 0

  def closure() -> torch.Tensor:
    nonlocal calls
    calls += 1
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(logits / t, labels)
    loss.backward()
    return loss

  optimizer.step(closure)
  return t.item(), calls


def strong_wolfe(logits: torch.Tensor, labels: torch.Tensor) -> Any:
  return lbfgs(
    logits, labels, lr=1, max_iter=100, line_search_fn='strong_wolfe'
  )


def copied_recipe(logits: torch.Tensor, labels: torch.Tensor) -> Any:
  return lbfgs(logits, labels, lr=0.01, max_iter=50)


@jax.jit
def exponentials(logits: jax.Array) -> jax.Array:
  return jnp.exp(logits).sum(axis=1)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
  start = time.perf_counter()
  result = function()
  return time.perf_counter() - start, result


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--examples', type=int, default=20_000)
  parser.add_argument('--classes', type=int, default=1000)
  parser.add_argument('--models', type=int, default=15)
  parser.add_argument('--repeats', type=int, default=7)
  args = parser.parse_args()
  logits, labels = draw(args.examples, args.classes, 1.56)
  right = (logits.argmax(axis=1) == labels).mean()
  # Three sets of logits stand for any number of models.
  some = [logits, *(draw(args.examples, args.classes, s)[0] for s in (0.7, 4))]
  models = [some[i % len(some)] for i in range(args.models)]
  folds = calibration.folds_from_ids(map(str, range(args.examples)))
  weights = np.ones((1, args.examples))
  on_device = jax.device_put(logits)
  tensors = torch.from_numpy(logits), torch.from_numpy(labels)

  def fit(backend: str) -> Callable[[], Any]:
    return lambda: temperature.fit_folds(
      logits, labels, weights, backend=backend
    )

  sides = {
    'PyTorch L-BFGS': lambda: strong_wolfe(*tensors),
    'ours, numba': fit('numba'),
    'ours, xla': fit('xla'),
    'ours, 5 folds': lambda: calibration.cross_fit(logits, labels, folds),
    'ours, models': lambda: calibration.calibrate_all(models, labels, folds),
    'exponentials': lambda: exponentials(on_device).block_until_ready(),
    'read': logits.sum,
  }
  seconds: dict[str, list[float]] = {name: [] for name in sides}
  results: dict[str, Any] = {}
  for repeat in range(args.repeats + 1):
    for name, side in sides.items():
      duration, results[name] = timed(side)
      if repeat:  # The first round compiles.
        seconds[name].append(duration)
  best = {name: 1e3 * min(values) for name, values in seconds.items()}
  optimum, loss = exact(logits, labels)
  theirs, calls = results['PyTorch L-BFGS']
  print(
    f'{args.examples} x {args.classes} logits, {100 * right:.1f} % right, '
    f'{torch.get_num_threads()} threads, least of {args.repeats}'
  )
  print(f'float64, root of the slope: T={optimum:.6f}, NLL={loss:.7f}')
  for name in ('ours, numba', 'ours, xla'):
    got = results[name]
    t, nll = float(got.temperature[0]), float(got.nll[0])
    np.testing.assert_allclose([t, theirs], optimum, rtol=1e-4)
    np.testing.assert_allclose(nll, loss, atol=1e-6)
    print(
      f'{name}: {best[name]:.1f} ms, T={t:.6f}, NLL={nll:.7f}, '
      f'{got.passes[0]:.2f} passes'
    )
  print(
    f'PyTorch L-BFGS, strong Wolfe: {best["PyTorch L-BFGS"]:.1f} ms, '
    f'T={theirs:.6f}, {calls} evaluations'
  )
  took, (copied, calls) = timed(lambda: copied_recipe(*tensors))
  print(
    f'the copied recipe (lr 0.01, 50 iterations, no line search): '
    f'{1e3 * took:.0f} ms, T={copied:.4f}, {calls} evaluations'
  )
  passes = float(results['ours, numba'].passes[0])
  print(
    f'one pass of exponentials: {best["exponentials"]:.1f} ms, one plain sum: '
    f'{best["read"]:.1f} ms; floor of {passes:.2f} passes: '
    f'{passes * best["exponentials"]:.1f} ms'
  )
  crossed = results['ours, 5 folds'].fits.passes.max()
  print(f'5 folds: {best["ours, 5 folds"]:.1f} ms, {crossed:.2f} passes')
  most = max(found.fits.passes.max() for found in results['ours, models'])
  print(
    f'{args.models} models of 5 folds in one call: '
    f'{best["ours, models"]:.1f} ms, at most {most:.2f} passes'
  )
  ratio = best['PyTorch L-BFGS'] / best['ours, xla']
  print(f'temperature ratio with xla={ratio:.1f}')
  assert max(passes, crossed, most) <= 2.5
  ratio = best['PyTorch L-BFGS'] / best['ours, numba']
  print(f'temperature ratio={ratio:.1f}')


if __name__ == '__main__':
  main()
