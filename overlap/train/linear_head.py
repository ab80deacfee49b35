"""A linear classifier on frozen features, by L-BFGS (Sec. 4.6, A.5).

Multinomial logistic regression with features standardised by the training
rows. For logits `z = x @ W + b` on standardised features it minimises

  mean over examples of -log softmax(z)[label]  +  l2 / 2 * sum(W ** 2)

which for three classes and more is what scikit-learn's `LogisticRegression`
minimises on standardised features with `C = 1 / (n * l2)`, up to the factor
`n * C`. (With two it has one weight vector: there `C = 2 / (n * l2)`.)
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from absl import logging

from overlap import errors
from overlap.train import logistic
from overlap.train.logistic import Fit

STRENGTHS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclasses.dataclass(frozen=True)
class Selection:
  """The strength chosen on held-out examples.

  Attributes:
    l2: the chosen strength.
    end: 'weakest' or 'strongest' where the choice is at that end of the
      grid, so that a better one may lie beyond; else ''.
    strengths: all that were tried.
    accuracies: on the held-out examples, one a strength, fractions.
    nlls: likewise, mean negative log-likelihood in nats.
    converged: whether each strength's fit converged.
    fit: refitted with the chosen strength on training and held-out examples.
  """

  l2: float
  end: str
  strengths: tuple[float, ...]
  accuracies: tuple[float, ...]
  nlls: tuple[float, ...]
  converged: tuple[bool, ...]
  fit: Fit

  def record(self) -> dict[str, Any]:
    """All but the parameters, for JSON."""
    record = dataclasses.asdict(self)
    del record['fit']['params']
    return record


def fit_linear_head(
  features: np.ndarray,
  labels: np.ndarray,
  *,
  num_classes: int,
  l2: float,
  max_iterations: int = 1000,
  tolerance: float = 1e-5,
) -> Fit:
  """Fits the classifier, from zero.

  Args:
    features: `[n, d]`. Constant dimensions get weight 0.
    labels: `[n]` in 0 … num_classes - 1; classes may be absent.
    num_classes: number of logits.
    l2: strength of the penalty; at 0 separable data has no optimum, and the
      fit ends where the gradient is within the tolerance.
    max_iterations: steps of L-BFGS at most. Not converging is recorded and
      logged, not raised.
    tolerance: of `Fit.grad_norm`. In float32 1e-6 can be reached, 1e-7
      hardly.

  Raises:
    DataError: features that are not finite, or shapes or labels that don't
      fit.
    UsageError: an argument out of range.
  """
  _check_settings(num_classes, (l2,), max_iterations, tolerance)
  features, labels = _checked(features, labels, num_classes, 'training')
  return logistic.fit(
    logistic.prepare(features, labels),
    num_classes,
    l2,
    max_iterations,
    tolerance,
  )


def select_l2(
  train_features: np.ndarray,
  train_labels: np.ndarray,
  heldout_features: np.ndarray,
  heldout_labels: np.ndarray,
  *,
  num_classes: int,
  strengths: Sequence[float] = STRENGTHS,
  max_iterations: int = 1000,
  tolerance: float = 1e-5,
) -> Selection:
  """Chooses the strength on held-out examples and refits on all.

  The highest accuracy wins; of equal ones the lowest NLL, then the stronger
  penalty. The refit keeps `l2`, a multiple of the mean loss.

  Args:
    train_features: `[n, d]`.
    train_labels: `[n]`.
    heldout_features: `[m, d]`.
    heldout_labels: `[m]`.
    num_classes: number of logits.
    strengths: values of `l2` to try, in any order.
    max_iterations: as for `fit_linear_head`, and so is what follows.
    tolerance: of the gradient's norm.

  Raises:
    DataError, UsageError: as `fit_linear_head`; also for no strengths.
  """
  strengths = tuple(float(strength) for strength in strengths)
  _check_settings(num_classes, strengths, max_iterations, tolerance)
  train = _checked(train_features, train_labels, num_classes, 'training')
  heldout = _checked(heldout_features, heldout_labels, num_classes, 'held-out')
  if train[0].shape[1] != heldout[0].shape[1]:
    raise errors.DataError(
      'Training and held-out features must be equally wide, got '
      f'{train[0].shape[1]} and {heldout[0].shape[1]}.'
    )

  def fit(problem: logistic.Problem, l2: float) -> Fit:
    return logistic.fit(problem, num_classes, l2, max_iterations, tolerance)

  problem = logistic.prepare(*train)
  fits = [fit(problem, l2) for l2 in strengths]
  del problem
  scores = [_score(fit, *heldout) for fit in fits]
  best = min(
    range(len(strengths)),
    key=lambda i: (-scores[i][0], scores[i][1], -strengths[i]),
  )
  everything = [np.concatenate(pair) for pair in zip(train, heldout)]
  return Selection(
    l2=strengths[best],
    end=_end(strengths, strengths[best]),
    strengths=strengths,
    accuracies=tuple(right / len(heldout[1]) for right, _ in scores),
    nlls=tuple(nll for _, nll in scores),
    converged=tuple(f.converged for f in fits),
    fit=fit(logistic.prepare(*everything), strengths[best]),
  )


_evaluate = jax.jit(logistic.loss_and_right)


def _score(
  fit: Fit, features: np.ndarray, labels: np.ndarray
) -> tuple[int, float]:
  """How many are right, and the mean negative log-likelihood."""
  params = fit.params | {'kernel': fit.params['kernel'].T}
  nll, right = _evaluate(params, features, labels)
  return int(right), float(nll)


def _end(strengths: Sequence[float], chosen: float) -> str:
  """The end of the grid at which a choice lies, or ''; logs it."""
  if min(strengths) == max(strengths):
    return ''
  ends = {min(strengths): 'weakest', max(strengths): 'strongest'}
  end = ends.get(chosen, '')
  if end:
    logging.info(
      'The chosen l2=%g is the %s that was tried; a better one may lie beyond.',
      chosen, end,
    )  # fmt: skip
  return end


def _check_settings(
  num_classes: int,
  strengths: Sequence[float],
  max_iterations: int,
  tolerance: float,
) -> None:
  rules = (
    ('num_classes', num_classes, num_classes >= 2, 'at least 2'),
    ('strengths', strengths, len(strengths) > 0, 'at least one number'),
    ('max_iterations', max_iterations, max_iterations >= 0, 'at least 0'),
    ('tolerance', tolerance, tolerance >= 0, 'at least 0'),
    *(('l2', l2, 0 <= l2 < np.inf, 'finite, at least 0') for l2 in strengths),
  )
  for name, value, kept, rule in rules:
    if not kept:
      raise errors.UsageError(f'{name} must be {rule}, got {value}.')


def _checked(
  features: np.ndarray, labels: np.ndarray, num_classes: int, what: str
) -> tuple[np.ndarray, np.ndarray]:
  """Features as float32 and labels as int32, or DataError."""
  with np.errstate(over='ignore'):
    features = np.asarray(features, np.float32)
  labels = np.asarray(labels)
  if features.ndim != 2 or 0 in features.shape:
    raise errors.DataError(
      f'The {what} features must be [n, d], neither 0, got shape '
      f'{list(features.shape)}.'
    )
  if labels.shape != features.shape[:1]:
    raise errors.DataError(
      f'The {what} labels must be one for each of {len(features)} rows, got '
      f'shape {list(labels.shape)}.'
    )
  if not np.issubdtype(labels.dtype, np.integer):
    raise errors.DataError(
      f'The {what} labels must be integers, got {labels.dtype}.'
    )
  if labels.min() < 0 or labels.max() >= num_classes:
    raise errors.DataError(
      f'The {what} labels must be in 0 … {num_classes - 1}, got '
      f'{labels.min()} … {labels.max()}.'
    )
  bad = ~np.all(np.isfinite(features), axis=1)
  if bad.any():
    raise errors.DataError(
      f'The {what} features must be finite in float32, got NaN or infinity in '
      f'{bad.sum()} of {len(bad)} rows, the first of them row {bad.argmax()}.'
    )
  return features, labels.astype(np.int32)
