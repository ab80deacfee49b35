"""One temperature a model (Guo et al. 2017), and how calibrated it is.

Probabilities are `softmax(logits / T)` (Sec. 3.2 and A.3 of the paper, which
leaves open what T minimises, and on which examples; `OBJECTIVES` has the
choices).
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from overlap import lookup
from overlap.analyses import ahead
from overlap.analyses.ece import ece_sweep
from overlap.analyses.grids import GRID, fit_ece_sweep, fit_grid
from overlap.analyses.losses import confidence, losses, nll
from overlap.analyses.temperature import Fit, fit_folds

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
    models: each one's logits, `[examples, classes]`. A generator that reads
      them is drawn from in a thread, one model ahead: of any number of models
      two are in memory.
    labels: `[examples]`.
    folds: as for `calibrate`, and so is what follows.
    num_folds: how many folds there are.
    objective: a key of `OBJECTIVES`.

  Returns:
    `[models]`.

  Raises:
    UsageError: no such objective.
  """
  return [
    calibrate(logits, labels, folds, num_folds=num_folds, objective=objective)
    for logits in ahead.ahead(models)
  ]


def _others(folds: np.ndarray, num_folds: int) -> np.ndarray:
  """Which examples are not in each fold: bool `[folds, examples]`."""
  return np.asarray(folds)[np.newaxis] != np.arange(num_folds)[:, np.newaxis]


def _crossed(fits: Fit, folds: np.ndarray) -> CrossFit:
  return CrossFit(fits.temperature, fits.temperature[np.asarray(folds)], fits)
