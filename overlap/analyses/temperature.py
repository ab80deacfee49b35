"""The temperature of least negative log-likelihood, by a safeguarded search.

The search starts from the solution for a twentieth of the examples, after which
one or two passes over all examples suffice: see `newton` for the search,
`softmax` for the passes on a CPU and `likelihood` for those on accelerators.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from overlap.analyses import likelihood, newton, softmax
from overlap.analyses.newton import HIGHEST, LOWEST
from overlap.core import lookup

__all__ = ['BACKENDS', 'HIGHEST', 'LOWEST', 'TOLERANCE', 'Fit', 'fit_folds']

# Relative tolerance of the temperature, above the rounding of float32 sums.
TOLERANCE = 1e-6
BACKENDS = {
  'numba': 'the CPU, whatever JAX runs on',
  'xla': "JAX's default device",
}
# Fraction of the examples for the start, and their smallest number.
_SHARE, _FEWEST = 0.05, 1024
# The solution for the sample is some hundredths off that for all.
_START_TOLERANCE = 1e-3


class Fit(NamedTuple):
  """A fitted temperature; every field is a scalar, or `[folds]`.

  Attributes:
    temperature: temperature within [1e-3, 1e3], never NaN.
    nll: mean negative log-likelihood at the temperature, in nats; 0 without
      examples.
    grad: derivative of `nll` in log T.
    steps: number of passes over all examples.
    converged: whether a minimum was found within the bracket.
    bound_hit: whether there is no minimum: the NLL falls up to an end of the
      bracket, which is then the temperature, or is the same at all
      temperatures, and the temperature is 1.
    passes: `steps` plus the passes over the sample, weighted by its fraction.
  """

  temperature: Any
  nll: Any
  grad: Any
  steps: Any
  converged: Any
  bound_hit: Any
  passes: Any


def fit_folds(
  logits: np.ndarray,
  labels: np.ndarray,
  weights: np.ndarray,
  *,
  backend: str | None = None,
) -> Fit:
  """Fits one temperature for each row of weights, sharing passes.

  Temperatures are accurate to `TOLERANCE`. Within this tolerance, a fold's
  temperature may depend on examples to which it gives no weight.

  Args:
    logits: logits `[examples, classes]`. A class with -inf is excluded. Rows
      with NaN or +inf, rows whose label has -inf (no temperature makes their
      loss finite), and rows with invalid labels are ignored.
    labels: class indices `[examples]`.
    weights: weights `[folds, examples]`, at least 0.
    backend: a key of `BACKENDS`; None for 'numba' if JAX runs on a CPU and
      'xla' elsewhere.

  Returns:
    `Fit` of `[folds]` arrays.

  Raises:
    UsageError: the backend is unknown.
  """
  if backend is None:
    backend = 'numba' if jax.default_backend() == 'cpu' else 'xla'
  lookup.check_choice('back end for temperatures', backend, BACKENDS)
  solve = _solve_numba if backend == 'numba' else _solve_xla
  logits = np.ascontiguousarray(logits, np.float32)
  labels = np.asarray(labels, np.int32)
  weights = np.asarray(weights, np.float64)
  rows = _sample(len(labels))
  start, before = 1.0, 0.0
  if len(rows) < len(labels):
    together = weights[:, rows].sum(axis=0, keepdims=True)
    found = solve(logits[rows], labels[rows], together, start, _START_TOLERANCE)
    start = float(found.b[0])
    before = int(found.passes) * len(rows) / len(labels)
  return _as_fit(solve(logits, labels, weights, start, TOLERANCE), before)


def _sample(total: int) -> np.ndarray:
  """Returns rows for the start, evenly spread without a fixed period.

  The k-th of equal stretches contributes one row, at the fractional part of k
  times the golden ratio.
  """
  count = max(_FEWEST, round(_SHARE * total))
  if 2 * count > total:
    return np.arange(total)
  index = np.arange(count)
  within = (index * 0.6180339887498949) % 1
  return ((index + within) * (total / count)).astype(np.int64)


def _solve_numba(
  logits: np.ndarray,
  labels: np.ndarray,
  weights: np.ndarray,
  start: float,
  tolerance: float,
) -> newton.Search:
  search = newton.begin(np, start, len(weights))
  by_example = np.ascontiguousarray(weights.T)
  # Steps that overflow are rejected.
  with np.errstate(all='ignore'):
    while newton.going(np, search):
      at = newton.point(np, search)
      sums = softmax.cumulant_sums(logits, labels, by_example, at)
      search = newton.advance(np, search, at, sums, tolerance)
  return search


def _solve_xla(
  logits: np.ndarray,
  labels: np.ndarray,
  weights: np.ndarray,
  start: float,
  tolerance: float,
) -> newton.Search:
  examples = likelihood.put(logits, labels, weights)
  found = likelihood.solve(examples, np.float32(start), tolerance)
  return newton.Search(*map(np.asarray, found))


def _as_fit(search: newton.Search, before: float) -> Fit:
  temperature = np.clip(1 / search.b.astype(np.float64), LOWEST, HIGHEST)
  return Fit(
    temperature=temperature.astype(np.float32),
    nll=search.nll.astype(np.float32),
    grad=search.grad.astype(np.float32),
    steps=search.steps.astype(np.int32),
    converged=search.done & ~search.bound,
    bound_hit=search.bound,
    passes=search.steps + before,
  )
