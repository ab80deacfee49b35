"""Selects a probe's strength on held-out examples and refits on all."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from overlap.core import errors
from overlap.probes import probe, rows, scores
from overlap.probes.prepare import Problem
from overlap.probes.probe import Probe
from overlap.probes.rows import Rows

# The grid of Kornblith et al. 2019: 45 logarithmically spaced values.
STRENGTHS = tuple(float(l2) for l2 in np.geomspace(1e-6, 1e5, 45))
# Tolerance of the first, rough solutions (relative excess of the loss).
_ROUGH = 1e-3
# Margin of held-out accuracy within which a rough solution is refined. Rough
# accuracies differed from those at the optimum by at most 0.017 of 1,000.
SLACK = 0.02


@dataclasses.dataclass(frozen=True)
class Selection:
  """Strength selected on held-out examples, and the refitted probe.

  For multi-label problems, fields described as 'or one per class' are tuples
  over the classes, and fields that are tuples hold a tuple over the classes
  for each strength.

  Attributes:
    l2: selected strength, or one per class.
    end: 'weakest' or 'strongest' if the selected strength is at that end of
      the grid, so that a better one may lie beyond; else ''. Or one per class.
    strengths: strengths tried, in the order given.
    accuracies: accuracies on the held-out examples, one per strength,
      fractions.
    nlls: mean negative log-likelihoods on the held-out examples, one per
      strength, nats.
    ended_early: whether each strength was dropped because its rough solution
      was too inaccurate; its accuracy and NLL are then the rough solution's.
    converged: whether each strength's fit converged; only those are selected.
    probe: probe refitted with the selected strength on training and held-out
      examples.
  """

  l2: float | tuple[float, ...]
  end: str | tuple[str, ...]
  strengths: tuple[float, ...]
  accuracies: tuple[Any, ...]
  nlls: tuple[Any, ...]
  ended_early: tuple[bool, ...]
  converged: tuple[bool, ...]
  probe: Probe

  def record(self) -> dict[str, Any]:
    """Returns all fields but the parameters, for JSON."""
    record = {
      field.name: getattr(self, field.name)
      for field in dataclasses.fields(self)
      if field.name != 'probe'
    }
    return record | {
      'normalisation': self.probe.normalisation.kind,
      'fit': self.probe.fit.record(),
    }


def select(
  train_features: Any,
  train_labels: Any,
  heldout_features: Any,
  heldout_labels: Any,
  *,
  num_classes: int,
  strengths: Sequence[float] = STRENGTHS,
  normalisation: str = 'l2_standardise',
  max_iterations: int = probe.MAX_ITERATIONS,
  tolerance: float = probe.TOLERANCE,
  slack: float = SLACK,
  stream: bool = False,
) -> Selection:
  """Selects the strength on held-out examples and refits on all.

  The highest accuracy wins; ties go to the lowest NLL, then to the stronger
  penalty. For multi-label problems each class has its own strength, selected
  by NLL alone, since the accuracy of a rare class is uninformative. The refit
  keeps `l2`, which is relative to the mean loss, and recomputes the statistics
  of the normalisation on all rows.

  Args:
    train_features: training features `[n, d]`, see `probe.fit`.
    train_labels: training labels `[n]`, or `[n, num_classes]` of 0 and 1.
    heldout_features: held-out features `[m, d]`.
    heldout_labels: held-out labels `[m]`, or `[m, num_classes]`.
    num_classes: number of logits.
    strengths: values of `l2` to try, in any order.
    normalisation: a key of `normalise.KINDS`.
    max_iterations: maximal number of L-BFGS steps of each fit.
    tolerance: relative excess of the loss at which a fit has converged.
    slack: margin of accuracy: a strength whose rough solution is less accurate
      than the best by more than this is dropped. At 1 or more none is, nor in
      multi-label problems.
    stream: whether to read features in blocks in each pass.

  Raises:
    DataError, UsageError: see `probe.fit`; `strengths` is empty; no fit
      converged.
  """
  strengths = tuple(float(strength) for strength in strengths)
  settings = dict(tolerance=tolerance, max_iterations=max_iterations)
  if not slack >= 0:
    raise errors.UsageError(f'slack must be at least 0, got {slack}.')
  probe.check_settings(
    num_classes, strengths, max_iterations, tolerance, normalisation
  )
  train, heldout = _checked(
    (train_features, train_labels), (heldout_features, heldout_labels),
    num_classes,
  )  # fmt: skip
  common = dict(
    num_classes=num_classes, normalisation=normalisation, stream=stream
  )
  problem = probe.prepared(*train, **common)  # type: ignore[arg-type]
  tried, ended = _path(problem, strengths, heldout, slack, settings)
  del problem
  right, nlls, count = scores.score(tried, *heldout)
  converged = tuple(
    one.fit.converged and not given_up for one, given_up in zip(tried, ended)
  )
  chosen = choose(strengths, right, nlls, converged, train[1].ndim == 2)
  everything = rows.joined(train[0], heldout[0])
  labels = rows.joined_labels(train, heldout)
  l2 = tuple(strengths[place] for place in chosen)
  final = probe.fit(
    everything,
    labels,
    l2=l2 if labels.ndim == 2 else l2[0],
    **common,  # type: ignore[arg-type]
    **settings,  # type: ignore[arg-type]
  )
  ends = tuple(_end(strengths, strength) for strength in l2)
  several = train[1].ndim == 2
  return Selection(
    l2=l2 if several else l2[0],
    end=ends if several else ends[0],
    strengths=strengths,
    accuracies=_plain(right / count, several),
    nlls=_plain(nlls, several),
    ended_early=ended,
    converged=converged,
    probe=final,
  )


def _path(
  problem: Problem,
  strengths: Sequence[float],
  heldout: tuple[Rows, np.ndarray],
  slack: float,
  settings: dict[str, Any],
) -> tuple[list[Probe], tuple[bool, ...]]:
  """Returns a probe per strength, and whether each was dropped as rough."""
  if slack >= 1 or problem.groups > 1 or settings['tolerance'] >= _ROUGH:
    tried = probe.path(problem, strengths, **settings)
    return tried, (False,) * len(strengths)
  tried = probe.path(problem, strengths, **settings | {'tolerance': _ROUGH})
  right, _, count = scores.score(tried, *heldout)
  ended = right[:, 0] < right.max() - slack * count
  places = np.flatnonzero(~ended)
  left = [strengths[int(place)] for place in places]
  finished = probe.path(
    problem, left, first=tried[places[np.argmax(left)]], **settings
  )
  for place, one in zip(places, finished):
    tried[place] = one
  return tried, tuple(map(bool, ended))


def choose(
  strengths: Sequence[float],
  right: np.ndarray,
  nlls: np.ndarray,
  converged: Sequence[bool],
  several: bool,
) -> list[int]:
  """Returns the index of the selected strength for each column.

  Args:
    strengths: strengths `[S]`.
    right: numbers of correct held-out predictions, `[S, g]`.
    nlls: negative log-likelihoods in nats, `[S, g]`.
    converged: whether each fit converged, `[S]`; others are left out.
    several: whether the columns are classes, selected by NLL alone.

  Raises:
    DataError: no fit converged.
  """
  places = [i for i, good in enumerate(converged) if good]
  if not places:
    raise errors.DataError(
      f'At least one of {len(strengths)} strengths must converge, got none: '
      'more max_iterations, a greater tolerance or stronger penalties help.'
    )

  def rank(i: int, column: int) -> tuple[float, float, float]:
    hits = 0.0 if several else -float(right[i, column])
    return hits, float(nlls[i, column]), -strengths[i]

  return [
    min(places, key=lambda i, column=column: rank(i, column))  # type: ignore[misc]
    for column in range(right.shape[1])
  ]


def _plain(table: np.ndarray, several: bool) -> tuple[Any, ...]:
  """Returns `[S, g]` as tuples of floats."""
  if several:
    return tuple(tuple(map(float, row)) for row in table)
  return tuple(float(row[0]) for row in table)


def _end(strengths: Sequence[float], chosen: float) -> str:
  """Returns the end of the grid at which `chosen` lies, or ''."""
  if min(strengths) == max(strengths):
    return ''
  ends = {min(strengths): 'weakest', max(strengths): 'strongest'}
  return ends.get(chosen, '')


def _checked(
  train: tuple[Any, Any], heldout: tuple[Any, Any], num_classes: int
) -> tuple[tuple[Rows, np.ndarray], tuple[Rows, np.ndarray]]:
  """Returns both splits as rows and labels; DataError where they don't fit."""
  parts = []
  for (features, labels), what in ((train, 'training'), (heldout, 'held-out')):
    given = rows.as_rows(features, what)
    parts.append(
      (given, rows.check_labels(labels, given.shape[0], num_classes, what))
    )
  one, other = parts
  if one[0].shape[1] != other[0].shape[1]:
    raise errors.DataError(
      'Training and held-out features must be equally wide, got '
      f'{one[0].shape[1]} and {other[0].shape[1]}.'
    )
  if one[1].ndim != other[1].ndim:
    raise errors.DataError(
      'Training and held-out labels must be both [n] or both '
      f'[n, {num_classes}], got shapes {list(one[1].shape)} and '
      f'{list(other[1].shape)}.'
    )
  return one, other
