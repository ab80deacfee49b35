"""A linear probe: logistic regression on frozen features (Sec. 4.6, A.5).

For logits `z = x @ kernel + bias` on normalised features it minimises

  mean over examples of -log softmax(z)[label]  +  l2 / 2 * sum(kernel ** 2)

which for three classes and more is what scikit-learn's `LogisticRegression`
minimises on the same features with `C = 1 / (n * l2)`, up to the factor
`n * C`. (With two it has one weight vector: there `C = 2 / (n * l2)`.)

With labels `[n, classes]` of 0 and 1 each class is a problem of its own,

  mean over examples of log(1 + exp(-+z[class]))  +  l2 / 2 * sum(w ** 2)

solved together; scikit-learn's has `C = 1 / (n * l2)` for each.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from overlap import errors, lookup
from overlap.probes import normalise, prepare, rows, solve
from overlap.probes.normalise import Normalisation

# How far a loss may be above its minimum, as a part of itself.
TOLERANCE = 1e-6
MAX_ITERATIONS = 1000


@dataclasses.dataclass(frozen=True)
class Fit:
  """Result of the solver.

  Attributes:
    params: 'kernel' `[d, k]` and 'bias' `[k]`, float32, for normalised
      features.
    l2: the strength; one a class where each had its own.
    loss: the objective, nats; of several labels, the sum over the classes.
    grad_norm: Euclidean norm of its gradient by the kernel on normalised and
      centred features and the bias there.
    excess: how far the loss is above its minimum at most: the penalty's
      strong convexity bounds it, see `slots`.
    steps: number of steps of L-BFGS; of several labels, the most of any class.
    evaluations: number of evaluations of the loss and its gradient; likewise.
    converged: whether `excess` came within the tolerance, of every class.
      Where float32 or the steps did not suffice, it did not: the best point
      is here all the same.
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
    """All but the parameters, for JSON."""
    record = dataclasses.asdict(self)
    del record['params']
    return record


@dataclasses.dataclass(frozen=True)
class Probe:
  """A fitted probe.

  Attributes:
    normalisation: normalisation of features, with the training split's
      statistics.
    fit: the parameters, and how they were found.
  """

  normalisation: Normalisation
  fit: Fit

  def logits(self, features: np.ndarray) -> np.ndarray:
    """Logits `[n, k]`, float32, of raw features `[n, d]`.

    Raises:
      DataError: features of another width, or not finite.
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
    """'kernel' and 'bias' for raw features, float32.

    Raises:
      UsageError: each example's vector is scaled, which no kernel does.
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
    # In float64: subtracting the mean's logits cancels digits.
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

  With several processes each gives its own rows, and all get the same probe.

  Args:
    features: `[n, d]`: an array, what is sliced like one, or `rows.Rows`.
      Constant dimensions get weight 0.
    labels: int `[n]` in 0 … num_classes - 1, where classes may be absent; or
      `[n, num_classes]` of 0 and 1.
    num_classes: number of logits, k.
    l2: strength of the penalty; of several labels, it may be one a class. At
      0 separable data has no optimum.
    normalisation: a key of `normalise.KINDS`.
    max_iterations: steps of L-BFGS at most. Not converging is recorded and
      logged, not raised.
    tolerance: how far the loss may be above its minimum, as a part of itself.
    stream: whether features are read in blocks in each pass, for those that
      don't fit into memory.

  Raises:
    DataError: features that are not finite, or shapes or labels that don't
      fit.
    UsageError: an argument out of range.
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
  """Fits a probe with each of many strengths, in the order given.

  From the strongest to the weakest, each beginning where its neighbour is.

  Args:
    features: features, see `fit`, also for the other arguments.
    labels: labels, see `fit`.
    num_classes: k.
    strengths: values of `l2`, in any order.
    normalisation: a key of `normalise.KINDS`.
    max_iterations: for each.
    tolerance: for each.
    stream: whether to read features in each pass.

  Raises:
    DataError, UsageError: as `fit`; also for no strengths.
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
  """`fit_path` of what is prepared, beginning where `first` ended."""
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
  """Checks training examples and readies them; raises as `fit`."""
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
  """A probe for each of the strengths that were solved.

  One that did not converge is told where it was asked for by itself; a path
  may have some at its ends.
  """
  return [
    Probe(problem.normalisation, _fit(problem, found, table, place))
    for place in range(len(table))
  ]


def _centred(one: Probe) -> np.ndarray:
  """Parameters `[k, d + 1]` for centred features."""
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
  """Raises UsageError for what can't be."""
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
  lookup.check('normalisation', normalisation, normalise.KINDS)
