"""Grid searches for the temperature of least NLL or ECE-sweep."""

import numpy as np

from overlap.analyses import correctness
from overlap.analyses import losses as losses_lib
from overlap.analyses.ece import ece_sweep
from overlap.analyses.temperature import HIGHEST, LOWEST, Fit, fit_folds

# The range of the paper's temperatures in steps of 0.1, below 0.1 of 0.01.
GRID = np.concatenate([np.arange(1, 10) / 100, np.arange(1, 101) / 10])


def fit_grid(logits: np.ndarray, labels: np.ndarray) -> Fit:
  """Fits the temperature of least NLL in `GRID`.

  The NLL decreases towards its minimum from both sides, so the best grid point
  is one of the minimum's two neighbours.

  Returns:
    `Fit` of scalars; `bound_hit` is also set at an end of the grid.
  """
  everything = np.ones((1, len(labels)))
  fit = Fit(*(field[0] for field in fit_folds(logits, labels, everything)))
  after = np.searchsorted(GRID, fit.temperature)
  neighbours = np.clip([after - 1, after], 0, len(GRID) - 1)
  found, _ = losses_lib.losses(logits, labels, list(GRID[neighbours]))
  means = [losses_lib.mean_finite(rows) for rows in found]
  best = neighbours[int(np.argmin(means))]
  return fit._replace(
    temperature=np.float32(GRID[best]),
    nll=np.float32(min(means)),
    bound_hit=fit.bound_hit | (best in (0, len(GRID) - 1)),
    converged=fit.converged & (best not in (0, len(GRID) - 1)),
  )


def fit_ece_sweep(
  logits: np.ndarray, labels: np.ndarray, keep: np.ndarray
) -> Fit:
  """Fits temperatures of least ECE-sweep, each on a subset of the examples.

  The error is discontinuous in T, so it is evaluated on a grid in log T: a
  coarse one over two decades around the temperature of least NLL, then a fine
  one around its best point; the lowest temperature wins ties.

  Args:
    logits: logits `[examples, classes]`.
    labels: class indices `[examples]`.
    keep: masks of the subsets, bool `[folds, examples]`.

  Returns:
    `Fit` of `[folds]` arrays. `grad` and `steps` are those of the NLL's fit;
    `bound_hit` is also set at an end of the grid.
  """
  fits = fit_folds(logits, labels, keep.astype(np.float32))
  correct = correctness.correct(logits, labels)
  best = [
    _least_ece(float(start), logits, correct, rows)
    for start, rows in zip(fits.temperature, keep)
  ]
  temperatures, ends = map(np.array, zip(*best))
  found, _ = losses_lib.losses(logits, labels, list(temperatures))
  means = [losses_lib.mean_finite(rows[k]) for rows, k in zip(found, keep)]
  return fits._replace(
    temperature=temperatures.astype(np.float32),
    nll=np.array(means, np.float32),
    bound_hit=fits.bound_hit | ends,
    converged=fits.converged & ~ends,
  )


def _least_ece(
  start: float, logits: np.ndarray, correct: np.ndarray, keep: np.ndarray
) -> tuple[float, bool]:
  """Returns the best temperature near `start`, and whether it is an end."""

  def best(temperatures: np.ndarray) -> int:
    found = [
      ece_sweep(values[keep], correct[keep])
      for values in losses_lib.confidences(logits, list(temperatures))
    ]
    return int(np.argmin(np.nan_to_num(found, nan=np.inf)))

  coarse = start * 10 ** np.linspace(-1, 1, 41)
  coarse = np.unique(np.clip(coarse, LOWEST, HIGHEST))
  fine = coarse[best(coarse)] * 10 ** np.linspace(-0.05, 0.05, 13)
  fine = np.unique(np.clip(fine, coarse[0], coarse[-1]))
  found = float(fine[best(fine)])
  return found, bool(found in (coarse[0], coarse[-1]))
