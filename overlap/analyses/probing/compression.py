"""Rankings of two models' joined dimensions, and sizes to keep (Fig. 6)."""

from collections.abc import Iterator, Sequence

import numpy as np

from overlap.analyses.probing import dimensions
from overlap.analyses.probing.features import Dimensions, Splits
from overlap.distributed import meshes
from overlap.probes.rows import Rows


def sizes(asked: Sequence[int], widths: tuple[int, int]) -> list[int]:
  """Returns the numbers of dimensions to keep, ascending.

  Args:
    asked: sizes from the options; if empty, multiples of an eighth of the
      base's width up to twice that width.
    widths: dimensions of the base and of the other model.

  Returns:
    Sizes below the total of dimensions, and the total itself if a requested
    size is at least as large.
  """
  total = sum(widths)
  step = max(1, widths[0] // 8)
  wanted = asked or range(step, 2 * widths[0] + 1, step)
  found = sorted({size for size in wanted if size < total})
  return found + ([total] if any(size >= total for size in wanted) else [])


def parts(
  chosen: np.ndarray, models: tuple[str, str], widths: tuple[int, int]
) -> tuple[Dimensions, Dimensions]:
  """Splits joined dimensions by model, ascending."""
  chosen = np.sort(chosen)
  first = chosen < widths[0]
  return (
    Dimensions(models[0], chosen[first]),
    Dimensions(models[1], chosen[~first] - widths[0]),
  )


def orders(
  splits: Splits,
  models: tuple[str, str],
  widths: tuple[int, int],
  *,
  rankings: Sequence[str],
  seeds: int,
  seed: int,
) -> Iterator[tuple[str, int, np.ndarray]]:
  """Yields each ranking's name, its seed and all joined dimensions in order.

  All rankings use one covariance of the training split.

  Args:
    splits: splits with the features of both models.
    models: names of the base and of the other model.
    widths: dimensions of the two models.
    rankings: keys of `dimensions.RANKINGS`.
    seeds: number of draws of the ranking 'random'.
    seed: base seed of all draws.
  """
  everything = parts(np.arange(sum(widths)), models, widths)
  rows = splits.rows(everything, splits.train)
  matrix = _covariance(rows, sum(widths))
  variances = np.concatenate([splits.variances(name) for name in models])
  for ranking in rankings:
    for repeat in range(seeds if ranking == 'random' else 1):
      random = dimensions.generator('kept', seed, *models, repeat)
      yield (
        ranking,
        repeat,
        dimensions.order(ranking, matrix, variances, random),
      )


def _covariance(rows: Rows, width: int) -> np.ndarray:
  """Covariance `[width, width]` of the rows of all processes."""

  def sums(part: slice) -> np.ndarray:
    total = np.zeros(width + 1)
    for _, block in rows.part_blocks(part):
      total[:-1] += block.sum(axis=0, dtype=np.float64)
      total[-1] += len(block)
    return total

  def products(part: slice) -> np.ndarray:
    blocks = (block - mean for _, block in rows.part_blocks(part))
    own = dimensions.covariance(blocks, width)
    return own * (part.stop - part.start)

  parts = rows.local_parts()
  *total, count = meshes.sum_in_order(map(sums, parts))
  mean = np.asarray(total) / max(count, 1)
  return meshes.sum_in_order(map(products, parts)) / max(count, 1)
