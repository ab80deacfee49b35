"""A linear probe: logistic regression on frozen features (Sec. 4.6, A.5).

For logits `z = x @ kernel + bias` on normalised features it minimises

  mean over examples of -log softmax(z)[label]  +  l2 / 2 * sum(kernel ** 2)

For three or more classes scikit-learn's `LogisticRegression` minimises the
same on the same features with `C = 1 / (n * l2)`, up to the factor `n * C`.
(For two classes it has a single weight vector: there `C = 2 / (n * l2)`.)

With labels `[n, classes]` of 0 and 1, each class is a separate problem,

  mean over examples of log(1 + exp(-+z[class]))  +  l2 / 2 * sum(w ** 2)

solved together; scikit-learn's equivalent has `C = 1 / (n * l2)` for each.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from overlap.core import errors, lookup
from overlap.probes import normalise, prepare, rows, solve
from overlap.probes.normalise import Normalisation

# Default tolerance of the relative excess of the loss over its minimum.
TOLERANCE = 1e-6
MAX_ITERATIONS = 1000


@dataclasses.dataclass(frozen=True)
class Fit:
  """Result of the solver.

  Attributes:
    params: 'kernel' `[d, k]` and 'bias' `[k]`, float32, for normalised
      features.
    l2: strength of the penalty; a tuple where classes have different ones.
    loss: value of the objective in nats; for multi-label problems, the sum
      over the classes.
    grad_norm: Euclidean norm of the gradient with respect to the kernel and
      bias for normalised and centred features.
    excess: upper bound on the excess of the loss over its minimum, from the
      strong convexity of the penalty; see `slots`.
    steps: number of L-BFGS steps; for multi-label problems, the maximum over
      the classes.
    evaluations: number of evaluations of the loss and its gradient, the
      maximum over the classes.
    converged: whether `excess` is within the tolerance for every class. If
      not, for lack of steps or of float32 precision, `params` are the last
      point.
  """

  params: dict[str, np.ndarray]
  l2: float | tuple[float, ...]
  loss: float
  grad_norm: float
  excess: float
  steps: int
  evaluations: int
  converged: bool

  def record(self) -> dict[str, Any]:
    """Returns all fields but the parameters, for JSON."""
    record = dataclasses.asdict(self)
    del record['params']
    return record


@dataclasses.dataclass(frozen=True)
class Probe:
  """Fitted linear probe.

  Attributes:
    normalisation: normalisation of features, with the statistics of the
      training split.
    fit: parameters and convergence of the solver.
  """

  normalisation: Normalisation
  fit: Fit

  def logits(self, features: np.ndarray) -> np.ndarray:
    """Returns logits `[n, k]`, float32, for raw features `[n, d]`.

    Raises:
      DataError: features have another width or are not finite.
    """
    given = rows.as_rows(features, 'given')
    width = len(self.fit.params['kernel'])
    if given.shape[1] != width:
      raise errors.DataError(
        f'The probe takes features [n, {width}], got {list(given.shape)}.'
      )
    kernel, bias = self.fit.params['kernel'], self.fit.params['bias']
    return np.concatenate(
      [
        self.normalisation(block) @ kernel + bias[None]
        for _, block in given.blocks()
      ]
    )

  def raw_params(self) -> dict[str, np.ndarray]:
    """Returns 'kernel' and 'bias' for raw features, float32.

    Raises:
      UsageError: the normalisation scales each example, which no kernel can.
    """
    normal = self.normalisation
    if normal.kind.startswith('l2'):
      raise errors.UsageError(
        'Only a probe that does not scale each example has parameters for '
        f'raw features, got normalisation {normal.kind!r}. Choices: none, '
        'standardise.'
      )
    if normal.kind == 'none':
      return self.fit.params
    # In float64: subtracting the logits of the mean cancels digits.
    kernel = self.fit.params['kernel'] / normal.std[:, None]
    bias = self.fit.params['bias'] - normal.mean @ kernel
    return {
      'kernel': kernel.astype(np.float32),
      'bias': bias.astype(np.float32),
    }


def fit(
  features: Any,
  labels: Any,
  *,
  num_classes: int,
  l2: float | Sequence[float],
  normalisation: str = 'l2_standardise',
  max_iterations: int = MAX_ITERATIONS,
  tolerance: float = TOLERANCE,
  stream: bool = False,
) -> Probe:
  """Fits a probe with one strength.

  With several processes, each passes its own rows and all get the same probe.

  Args:
    features: features `[n, d]`, an array, an object sliced like one, or
      `rows.Rows`. Constant dimensions get weight 0.
    labels: labels, int `[n]` in 0 … num_classes - 1 (classes may be absent),
      or `[n, num_classes]` of 0 and 1.
    num_classes: number of logits, k.
    l2: strength of the L2 penalty; for multi-label problems optionally one per
      class. At 0, separable data have no optimum.
    normalisation: a key of `normalise.KINDS`.
    max_iterations: maximal number of L-BFGS steps. Failure to converge is
      recorded and logged, not raised.
    tolerance: relative excess of the loss at which the fit has converged.
    stream: whether to read features in blocks in each pass, for features that
      do not fit in memory.

  Raises:
    DataError: features are not finite, or shapes or labels do not fit.
    UsageError: an argument is out of range.
  """
  several = isinstance(l2, Sequence)
  strengths = tuple(l2) if isinstance(l2, Sequence) else (l2,)
  check_settings(
    num_classes, strengths, max_iterations, tolerance, normalisation
  )
  problem = prepared(
    features, labels, num_classes=num_classes, normalisation=normalisation,
    stream=stream,
  )  # fmt: skip
  if several and len(strengths) != problem.groups:
    raise errors.UsageError(
      f'l2 must be one number, or of several labels one for each of '
      f'{num_classes} classes, got {len(strengths)}.'
    )
  table = np.broadcast_to(np.asarray(strengths), (1, problem.groups))
  found = solve.solve(
    problem, table, tolerance=tolerance, max_iterations=max_iterations
  )
  return probes(problem, found, table)[0]


def fit_path(
  features: Any,
  labels: Any,
  *,
  num_classes: int,
  strengths: Sequence[float],
  normalisation: str = 'l2_standardise',
  max_iterations: int = MAX_ITERATIONS,
  tolerance: float = TOLERANCE,
  stream: bool = False,
) -> list[Probe]:
  """Fits a probe for each of several strengths, returned in their order.

  Solves from the strongest to the weakest with warm starts.

  Args:
    features: features, see `fit`.
    labels: labels, see `fit`.
    num_classes: number of logits, k.
    strengths: values of `l2`, in any order.
    normalisation: a key of `normalise.KINDS`.
    max_iterations: maximal number of L-BFGS steps for each strength.
    tolerance: tolerance for each strength.
    stream: whether to read features in blocks in each pass.

  Raises:
    DataError, UsageError: see `fit`; `strengths` is empty.
  """
  check_settings(
    num_classes, strengths, max_iterations, tolerance, normalisation
  )
  problem = prepared(
    features, labels, num_classes=num_classes, normalisation=normalisation,
    stream=stream,
  )  # fmt: skip
  return path(
    problem, strengths, tolerance=tolerance, max_iterations=max_iterations
  )


def path(
  problem: prepare.Problem,
  strengths: Sequence[float],
  *,
  tolerance: float,
  max_iterations: int,
  first: Probe | None = None,
) -> list[Probe]:
  """Runs `fit_path` on prepared data, optionally with a warm start."""
  order = solve.strongest_first(strengths)
  table = np.repeat(
    np.asarray(strengths, np.float64)[order][:, None], problem.groups, axis=1
  )
  found = solve.solve(
    problem,
    table,
    tolerance=tolerance,
    max_iterations=max_iterations,
    first=None if first is None else _centred(first),
  )
  ordered = probes(problem, found, table)
  return [ordered[place] for place in np.argsort(order, kind='stable')]


def prepared(
  features: Any,
  labels: Any,
  *,
  num_classes: int,
  normalisation: str,
  stream: bool,
) -> prepare.Problem:
  """Checks and prepares training examples; raises what `fit` raises."""
  given = rows.as_rows(features)
  if np.ndim(labels) == 1 and num_classes < 2:
    raise errors.UsageError(
      f'num_classes must be at least 2 for one label a row, got {num_classes}.'
    )
  return prepare.prepare(
    given,
    rows.check_labels(labels, given.shape[0], num_classes),
    num_classes=num_classes,
    normalisation=normalisation,
    stream=stream,
  )


def probes(
  problem: prepare.Problem, found: dict[str, np.ndarray], table: np.ndarray
) -> list[Probe]:
  """Returns a probe for each solved strength.

  A fit that did not converge is logged as a warning only where it is the sole
  one: a path may have some at its ends.
  """
  return [
    Probe(problem.normalisation, _fit(problem, found, table, place))
    for place in range(len(table))
  ]


def _centred(one: Probe) -> np.ndarray:
  """Returns parameters `[k, d + 1]` for centred features."""
  kernel = one.fit.params['kernel'].astype(np.float64)
  bias = one.fit.params['bias'].astype(np.float64)
  if 'standardise' not in one.normalisation.kind:
    bias = bias + one.normalisation.mean @ kernel
  return np.concatenate([kernel, bias[None]]).T


def _fit(
  problem: prepare.Problem,
  found: dict[str, np.ndarray],
  table: np.ndarray,
  place: int,
) -> Fit:
  normal, params = problem.normalisation, found['params'][place]
  kernel, bias = params[:, :-1].T, params[:, -1]
  if 'standardise' not in normal.kind:
    kernel = kernel / normal.std[:, None]  # 0 for a constant dimension.
    bias = bias - normal.mean @ kernel
  elif np.isinf(normal.std).any():
    kernel = np.where(np.isinf(normal.std)[:, None], 0, kernel)
  l2 = table[place]
  norms = found['grad_norm'][place].astype(np.float64)
  fit = Fit(
    params={
      'kernel': kernel.astype(np.float32),
      'bias': bias.astype(np.float32),
    },
    l2=float(l2[0]) if np.all(l2 == l2[0]) else tuple(map(float, l2)),
    loss=float(found['loss'][place].astype(np.float64).sum()),
    grad_norm=float(np.sqrt(np.sum(np.square(norms)))),
    excess=float(found['excess'][place].astype(np.float64).sum()),
    steps=int(max(found['steps'][place].max(), 0)),
    evaluations=int(found['evaluations'][place].max()),
    converged=bool(found['converged'][place].all()),
  )
  if not fit.converged:
    level = logging.WARNING if len(table) == 1 else logging.DEBUG
    logging.log(
      level,
      'The probe with l2=%s did not converge: it stopped after %d steps with '
      'a gradient of norm %.3g.', fit.l2, fit.steps, fit.grad_norm,
    )  # fmt: skip
  return fit


def check_settings(
  num_classes: int,
  strengths: Sequence[float],
  max_iterations: int,
  tolerance: float,
  normalisation: str,
) -> None:
  """Raises UsageError for values out of range."""
  rules = (
    ('num_classes', num_classes, num_classes >= 1, 'at least 1'),
    ('strengths', strengths, len(strengths) > 0, 'at least one number'),
    ('max_iterations', max_iterations, max_iterations >= 0, 'at least 0'),
    ('tolerance', tolerance, tolerance >= 0, 'at least 0'),
    *(('l2', l2, 0 <= l2 < np.inf, 'finite, at least 0') for l2 in strengths),
  )
  for name, value, kept, rule in rules:
    if not kept:
      raise errors.UsageError(f'{name} must be {rule}, got {value}.')
  lookup.check_choice('normalisation', normalisation, normalise.KINDS)
