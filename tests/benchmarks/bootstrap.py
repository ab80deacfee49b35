"""Bootstrap of many pairs against resampling the examples themselves.

  python tests/benchmarks/bootstrap.py

The peer is the loop that most people write: for every pair and every resample
it draws indices with replacement, looks up who is right with them, and computes
error inconsistency, kappa, gain and conversion rate of what it got. Ours draws
the joint tables, which has the same distribution; the standard errors of all
four statistics must agree within 5 % (their root mean square over the pairs,
which averages out what 1,000 resamples leave to chance). The peer's resamples
are taken in parts, interleaved with ours, of which the least time of several
repeats counts. The floor is NumPy's own multinomial draw of the four cells,
which is less than is needed: without what the ensemble gets right, without
statistics and percentiles.
"""

import argparse
import itertools
import os
import time

import numpy as np

from overlap.analyses import bootstrap

NAMES = bootstrap.STATISTICS


def draw(
  models: int, examples: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Which examples models, and ensembles of two, get right, and the pairs."""
  rng = np.random.default_rng(seed)
  difficulty = rng.normal(1.0, 1.0, examples)
  margins = difficulty + rng.normal(0, 0.8, (models, examples))
  pairs = np.array(list(itertools.combinations(range(models), 2)))
  together = margins[pairs[:, 0]] + margins[pairs[:, 1]] > 0
  return margins > 0, together, pairs


def statistics(
  one: np.ndarray, two: np.ndarray, both: np.ndarray
) -> tuple[float, ...]:
  """Of one resample, as the definitions say."""
  a_1, a_2 = one.mean(), two.mean()
  differ = one != two
  inconsistency = differ.mean()
  expected = a_1 * a_2 + (1 - a_1) * (1 - a_2)
  return (
    inconsistency,
    (1 - inconsistency - expected) / (1 - expected),
    both.mean() - (a_1 + a_2) / 2,
    both[differ].mean(),
  )


def fancy_indices(
  correct: np.ndarray,
  together: np.ndarray,
  pairs: np.ndarray,
  resamples: int,
  rng: np.random.Generator,
) -> np.ndarray:
  """Statistics of resampled examples, float64 `[pairs, resamples, 4]`."""
  examples = correct.shape[1]
  found = np.empty((len(pairs), resamples, len(NAMES)))
  for pair, (i, j) in enumerate(pairs):
    for row in range(resamples):
      rows = rng.integers(0, examples, examples)
      found[pair, row] = statistics(
        correct[i][rows], correct[j][rows], together[pair][rows]
      )
  return found


def joint_tables(
  correct: np.ndarray, together: np.ndarray, pairs: np.ndarray
) -> bootstrap.Table:
  one, two = correct[pairs[:, 0]], correct[pairs[:, 1]]
  cells = [one & two, one & ~two, ~one & two, ~(one | two)]
  return bootstrap.Table(
    np.stack([cell.sum(axis=1) for cell in cells], axis=1),
    np.stack([(cell & together).sum(axis=1) for cell in cells], axis=1),
  )


def floor(table: bootstrap.Table, resamples: int) -> float:
  """Seconds for the cells alone, drawn by NumPy."""
  rng, start = np.random.default_rng(0), time.perf_counter()
  for total in table.total:
    rng.multinomial(total.sum(), total / total.sum(), size=resamples)
  return time.perf_counter() - start


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--models', type=int, default=16)
  parser.add_argument('--examples', type=int, default=5000)
  parser.add_argument('--resamples', type=int, default=1000)
  parser.add_argument('--repeats', type=int, default=5)
  parser.add_argument('--many', type=int, default=10_000)
  args = parser.parse_args()
  correct, together, pairs = draw(args.models, args.examples)
  table = joint_tables(correct, together, pairs)
  names = [(f'{i}', f'{j}') for i, j in pairs]

  def ours() -> dict[str, np.ndarray]:
    return bootstrap.intervals(table, names=names, resamples=args.resamples)

  ours()  # Compiles.
  rng, parts, peer, mine = np.random.default_rng(1), [], 0.0, []
  for part in np.array_split(np.arange(args.resamples), args.repeats):
    start = time.perf_counter()
    parts.append(fancy_indices(correct, together, pairs, len(part), rng))
    peer += time.perf_counter() - start
    start = time.perf_counter()
    bounds = ours()
    mine.append(time.perf_counter() - start)
  direct = np.concatenate(parts, axis=1)
  drawn = bootstrap.measurements(
    *bootstrap.resample(table, names=names, resamples=args.resamples, seed=0)
  )
  print(
    f'{len(pairs)} pairs x {args.examples} examples, {args.resamples} '
    f'resamples, {os.cpu_count()} cores'
  )
  for place, name in enumerate(NAMES):
    theirs = np.sqrt((direct[:, :, place].std(axis=1) ** 2).mean())
    own = np.sqrt((drawn[name].std(axis=1) ** 2).mean())
    apart = np.abs(
      bounds[name] - np.quantile(direct[:, :, place], [0.025, 0.975], axis=1)
    )
    print(
      f'{name}: standard error {own:.6f}, resampling {theirs:.6f} '
      f'({100 * (own / theirs - 1):+.2f} %); bounds apart by '
      f'{np.mean(apart) / theirs:.2f} standard errors on average'
    )
    assert abs(own / theirs - 1) < 0.05
    assert np.mean(apart) < 0.2 * theirs
  print(f'fancy indices: {peer:.1f} s')
  print(f'ours: {1e3 * min(mine):.1f} ms, least of {args.repeats}')
  print(
    f'floor, four cells by NumPy: {1e3 * floor(table, args.resamples):.1f} ms'
  )
  scale_up(table, args.many, args.resamples)
  print(f'bootstrap ratio={peer / min(mine):.0f}')


def scale_up(table: bootstrap.Table, many: int, resamples: int) -> None:
  """How long many pairs take."""
  rows = np.arange(many) % len(table.total)
  assert table.right is not None
  start = time.perf_counter()
  bootstrap.intervals(
    bootstrap.Table(table.total[rows], table.right[rows]),
    names=[('base', str(i)) for i in range(many)],
    resamples=resamples,
  )
  took = time.perf_counter() - start
  print(f'{many} pairs: {took:.1f} s, {1e6 * took / many:.0f} us a pair')


if __name__ == '__main__':
  main()
