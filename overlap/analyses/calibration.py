"""One temperature a model (Guo et al. 2017), and how calibrated it is.

Probabilities are `softmax(logits / T)` (Sec. 3.2 and A.3 of the paper, which
leaves open what T minimises, and on which examples; `OBJECTIVES` has the
choices).
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from overlap import lookup
from overlap.analyses import errors, softmax
from overlap.analyses.ece import ece_sweep
from overlap.analyses.temperature import HIGHEST, LOWEST, Fit, fit_folds

__all__ = [
  'GRID', 'OBJECTIVES', 'CrossFit', 'Fit', 'calibrate', 'confidence',
  'cross_fit', 'ece_sweep', 'fit_ece_sweep', 'fit_grid', 'fit_temperature',
  'folds_from_ids', 'losses', 'nll',
]  # fmt: skip

# Where the paper's temperatures lie: in steps of 0.1, and of 0.01 below.
GRID = np.concatenate([np.arange(1, 10) / 100, np.arange(1, 101) / 10])

OBJECTIVES = {
  'nll': 'least NLL, cross-fitted over folds of the examples',
  'all': 'least NLL over all examples, those it is applied to included',
  'grid': 'least NLL over all examples among 0.01, 0.02, ... 0.1, 0.2, ... 10',
  'ece_sweep': 'least ECE-sweep, cross-fitted over folds of the examples',
}


class CrossFit(NamedTuple):
  """Temperatures fitted on other examples than those they are applied to.

  Attributes:
    temperatures: `[folds]`; that of fold k is fitted without fold k.
    per_example: `[examples]`, the temperature of each example's own fold.
    fits: `Fit` of `[folds]` arrays.
  """

  temperatures: np.ndarray
  per_example: np.ndarray
  fits: Fit


def folds_from_ids(
  ids: Iterable[str], num_folds: int = 5, seed: int = 0
) -> np.ndarray:
  """The fold of each example, by a hash of its id.

  An example's fold depends on nothing but its id and the seed: neither on its
  place nor on which other examples there are. Folds are of about equal size.

  Args:
    ids: `[examples]`.
    num_folds: how many folds, K.
    seed: of the hash.

  Returns:
    int32 `[examples]` in 0 ... K - 1.
  """
  digests = (hashlib.sha256(f'{seed}:{i}'.encode()).digest() for i in ids)
  folds = [int.from_bytes(d[:8], 'big') % num_folds for d in digests]
  return np.array(folds, np.int32)


def fit_temperature(
  logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> Fit:
  """The temperature of least NLL, by a safeguarded Newton method in 1/T.

  It always ends within [1e-3, 1e3]. Where the examples have no best
  temperature there (all correct, separable, one class, constant logits, no
  example), `bound_hit` says so.

  Args:
    logits: `[examples, classes]`. A class with -inf is ruled out. Rows with
      NaN or +inf, and rows whose label has -inf, are left out.
    labels: `[examples]` class indices; rows with others are left out.
    weights: `[examples]`, at least 0; 1 if None. Masked examples (weight 0)
      equal dropped ones.

  Returns:
    `Fit` of scalars.
  """
  if weights is None:
    weights = np.ones(len(labels), np.float32)
  fits = fit_folds(logits, labels, np.asarray(weights)[np.newaxis])
  return Fit(*(field[0] for field in fits))


def cross_fit(
  logits: np.ndarray,
  labels: np.ndarray,
  folds: np.ndarray,
  num_folds: int = 5,
) -> CrossFit:
  """Fits each fold's temperature on the examples of the other folds.

  Args:
    logits: `[examples, classes]`, as for `fit_temperature`.
    labels: `[examples]`.
    folds: int `[examples]` in 0 ... num_folds - 1, from `folds_from_ids`.
    num_folds: how many.

  Returns:
    The temperatures. A fold without which nothing is left has temperature 1
    and `bound_hit`.
  """
  weights = _others(folds, num_folds).astype(np.float32)
  return _crossed(fit_folds(logits, labels, weights), folds)


def calibrate(
  logits: np.ndarray,
  labels: np.ndarray,
  folds: np.ndarray,
  *,
  num_folds: int = 5,
  objective: str = 'nll',
) -> CrossFit:
  """Fits temperatures by one of `OBJECTIVES`.

  Args:
    logits: `[examples, classes]`.
    labels: `[examples]`.
    folds: int `[examples]`; not used by 'all' and 'grid', whose one
      temperature is repeated for every fold.
    num_folds: how many folds there are.
    objective: a key of `OBJECTIVES`.

  Raises:
    UsageError: no such objective.
  """
  lookup.check('calibration', objective, OBJECTIVES)
  if objective == 'nll':
    return cross_fit(logits, labels, folds, num_folds)
  if objective == 'ece_sweep':
    return _crossed(
      fit_ece_sweep(logits, labels, _others(folds, num_folds)), folds
    )
  fit = (fit_grid if objective == 'grid' else fit_temperature)(logits, labels)
  return _crossed(Fit(*(np.repeat(field, num_folds) for field in fit)), folds)


def fit_grid(logits: np.ndarray, labels: np.ndarray) -> Fit:
  """The temperature of `GRID` of least NLL.

  The NLL falls towards its minimum from both sides, so the best of the grid
  is one of the minimum's two neighbours.

  Returns:
    `Fit` of scalars; `bound_hit` also where the best is an end of the grid.
  """
  fit = fit_temperature(logits, labels)
  after = np.searchsorted(GRID, fit.temperature)
  neighbours = np.clip([after - 1, after], 0, len(GRID) - 1)
  found, _ = losses(logits, labels, list(GRID[neighbours]))
  means = [_mean_finite(rows) for rows in found]
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
  """Temperatures of least ECE-sweep, each over some of the examples.

  The error jumps with T, so it is evaluated on a grid in log T: a coarse one
  over two decades around the temperature of least NLL, then a fine one around
  its best; the lowest temperature wins ties.

  Args:
    logits: `[examples, classes]`.
    labels: `[examples]`.
    keep: bool `[folds, examples]`.

  Returns:
    `Fit` of `[folds]` arrays. `grad` and `steps` are those of the NLL's fit;
    `bound_hit` also where the best is an end of the grid.
  """
  fits = fit_folds(logits, labels, keep.astype(np.float32))
  correct = errors.correct(logits, labels)
  best = [
    _least_ece(float(start), logits, correct, rows)
    for start, rows in zip(fits.temperature, keep)
  ]
  temperatures, ends = map(np.array, zip(*best))
  found, _ = losses(logits, labels, list(temperatures))
  means = [_mean_finite(rows[k]) for rows, k in zip(found, keep)]
  return fits._replace(
    temperature=temperatures.astype(np.float32),
    nll=np.array(means, np.float32),
    bound_hit=fits.bound_hit | ends,
    converged=fits.converged & ~ends,
  )


def _least_ece(
  start: float, logits: np.ndarray, correct: np.ndarray, keep: np.ndarray
) -> tuple[float, bool]:
  """The best temperature around `start`; whether it is at an end."""

  def best(temperatures: np.ndarray) -> int:
    found = [
      ece_sweep(values[keep], correct[keep])
      for values in _confidences(logits, list(temperatures))
    ]
    return int(np.argmin(np.nan_to_num(found, nan=np.inf)))

  coarse = start * 10 ** np.linspace(-1, 1, 41)
  coarse = np.unique(np.clip(coarse, LOWEST, HIGHEST))
  fine = coarse[best(coarse)] * 10 ** np.linspace(-0.05, 0.05, 13)
  fine = np.unique(np.clip(fine, coarse[0], coarse[-1]))
  found = float(fine[best(fine)])
  return found, bool(found in (coarse[0], coarse[-1]))


def losses(
  logits: np.ndarray,
  labels: np.ndarray,
  temperatures: Sequence[np.ndarray | float],
) -> tuple[np.ndarray, np.ndarray]:
  """NLLs and confidences at several temperatures, of one read of the logits.

  Args:
    logits: `[examples, classes]`.
    labels: `[examples]` class indices.
    temperatures: each one number, or `[examples]`.

  Returns:
    What `nll` and `confidence` return, `[temperatures, examples]` each.
  """
  return softmax.losses(logits, labels, temperatures)


def nll(
  logits: np.ndarray, labels: np.ndarray, temperature: np.ndarray | float = 1.0
) -> np.ndarray:
  """Each example's negative log-likelihood, in nats.

  Args:
    logits: `[examples, classes]`.
    labels: `[examples]` class indices.
    temperature: one, or `[examples]`.

  Returns:
    float64 `[examples]`: inf where the label has -inf, NaN in rows with NaN
    or +inf.
  """
  return losses(logits, labels, [temperature])[0][0]


def confidence(
  logits: np.ndarray, temperature: np.ndarray | float = 1.0
) -> np.ndarray:
  """The probability of each example's most likely class.

  Args:
    logits: `[examples, classes]`.
    temperature: one, or `[examples]`.

  Returns:
    float64 `[examples]`; NaN in rows with NaN or +inf.
  """
  return _confidences(logits, [temperature])[0]


def _confidences(
  logits: np.ndarray, temperatures: Sequence[np.ndarray | float]
) -> np.ndarray:
  """Of one read of the logits, `[temperatures, examples]`."""
  return losses(logits, np.zeros(len(logits), int), temperatures)[1]


def _mean_finite(losses: np.ndarray) -> float:
  """The mean over the examples that a fit counts; 0 without any."""
  losses = losses[np.isfinite(losses)]
  return float(losses.mean()) if len(losses) else 0.0


def _others(folds: np.ndarray, num_folds: int) -> np.ndarray:
  """Which examples are not in each fold: bool `[folds, examples]`."""
  return np.asarray(folds)[np.newaxis] != np.arange(num_folds)[:, np.newaxis]


def _crossed(fits: Fit, folds: np.ndarray) -> CrossFit:
  return CrossFit(fits.temperature, fits.temperature[np.asarray(folds)], fits)
