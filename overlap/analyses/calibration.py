"""Temperature scaling (Guo et al. 2017), and calibration error.

Probabilities are `softmax(logits / T)` (Sec. 3.2 and A.3 of the paper, which
specifies neither the objective of T nor its examples; `OBJECTIVES` has the
choices).
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from overlap.analyses import prefetch
from overlap.analyses.ece import ece_sweep
from overlap.analyses.grids import GRID, fit_ece_sweep, fit_grid
from overlap.analyses.losses import confidence, losses, nll
from overlap.analyses.temperature import Fit, fit_folds
from overlap.core import lookup

__all__ = [
  'GRID', 'OBJECTIVES', 'CrossFit', 'Fit', 'calibrate', 'calibrate_all',
  'confidence', 'cross_fit', 'ece_sweep', 'fit_ece_sweep', 'fit_grid',
  'fit_temperature', 'folds_from_ids', 'losses', 'nll',
]  # fmt: skip

OBJECTIVES = {
  'nll': 'least NLL, cross-fitted over folds of the examples',
  'all': 'least NLL over all examples, those it is applied to included',
  'grid': 'least NLL over all examples among 0.01, 0.02, ... 0.1, 0.2, ... 10',
  'ece_sweep': 'least ECE-sweep, cross-fitted over folds of the examples',
}


class CrossFit(NamedTuple):
  """Temperatures fitted on other examples than those they are applied to.

  Attributes:
    temperatures: temperature of each fold, fitted without it, `[folds]`.
    per_example: temperature of each example's own fold, `[examples]`.
    fits: `Fit` of `[folds]` arrays.
  """

  temperatures: np.ndarray
  per_example: np.ndarray
  fits: Fit


def folds_from_ids(
  ids: Iterable[str], num_folds: int = 5, seed: int = 0
) -> np.ndarray:
  """Assigns each example to a fold by a hash of its id.

  The fold depends only on the id and the seed, not on the position or on other
  examples. Folds have about equal sizes.

  Args:
    ids: ids `[examples]`.
    num_folds: number of folds K.
    seed: seed of the hash.

  Returns:
    Folds, int32 `[examples]` in 0 ... K - 1.
  """
  digests = (hashlib.sha256(f'{seed}:{i}'.encode()).digest() for i in ids)
  folds = [int.from_bytes(d[:8], 'big') % num_folds for d in digests]
  return np.array(folds, np.int32)


def fit_temperature(
  logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> Fit:
  """Fits the temperature of least NLL by a safeguarded Newton method in 1/T.

  The temperature is always within [1e-3, 1e3]. `bound_hit` is set if the
  examples have no best temperature there (all correct, separable, one class,
  constant logits, no example).

  Args:
    logits: logits `[examples, classes]`. A class with -inf is excluded. Rows
      with NaN or +inf, and rows whose label has -inf, are ignored.
    labels: class indices `[examples]`; rows with other values are ignored.
    weights: weights `[examples]`, at least 0; 1 if None. Examples with weight 0
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
    logits: logits `[examples, classes]`, as for `fit_temperature`.
    labels: class indices `[examples]`.
    folds: fold of each example, int `[examples]` in 0 ... num_folds - 1, from
      `folds_from_ids`.
    num_folds: number of folds.

  Returns:
    The temperatures. If no other fold has examples, a fold has temperature 1
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
    logits: logits `[examples, classes]`.
    labels: class indices `[examples]`.
    folds: fold of each example, int `[examples]`; not used by 'all' and 'grid',
      whose single temperature is repeated for every fold.
    num_folds: number of folds.
    objective: a key of `OBJECTIVES`.

  Raises:
    UsageError: the objective is unknown.
  """
  lookup.check_choice('calibration', objective, OBJECTIVES)
  if objective == 'nll':
    return cross_fit(logits, labels, folds, num_folds)
  if objective == 'ece_sweep':
    return _crossed(
      fit_ece_sweep(logits, labels, _others(folds, num_folds)), folds
    )
  fit = (fit_grid if objective == 'grid' else fit_temperature)(logits, labels)
  return _crossed(Fit(*(np.repeat(field, num_folds) for field in fit)), folds)


def calibrate_all(
  models: Iterable[np.ndarray],
  labels: np.ndarray,
  folds: np.ndarray,
  *,
  num_folds: int = 5,
  objective: str = 'nll',
) -> list[CrossFit]:
  """Calibrates many models over the same examples, in one call.

  Args:
    models: logits of each model, `[examples, classes]`. A generator is read in
      a thread, one model ahead, so that only two models are in memory.
    labels: class indices `[examples]`.
    folds: fold of each example, int `[examples]`, as for `calibrate`.
    num_folds: number of folds.
    objective: a key of `OBJECTIVES`.

  Returns:
    Temperatures of each model.

  Raises:
    UsageError: the objective is unknown.
  """
  return [
    calibrate(logits, labels, folds, num_folds=num_folds, objective=objective)
    for logits in prefetch.prefetch(models)
  ]


def _others(folds: np.ndarray, num_folds: int) -> np.ndarray:
  """Returns masks of the examples not in each fold, `[folds, examples]`."""
  return np.asarray(folds)[np.newaxis] != np.arange(num_folds)[:, np.newaxis]


def _crossed(fits: Fit, folds: np.ndarray) -> CrossFit:
  return CrossFit(fits.temperature, fits.temperature[np.asarray(folds)], fits)
