"""Chooses a probe's strength on held-out examples and refits on all."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from overlap import errors
from overlap.probes import probe, rows, scores
from overlap.probes.prepare import Problem
from overlap.probes.probe import Probe
from overlap.probes.rows import Rows

# Kornblith et al. 2019: 45 values, evenly spaced in their logarithm.
STRENGTHS = tuple(float(l2) for l2 in np.geomspace(1e-6, 1e5, 45))
# How far above its minimum the loss of a rough solution may be, as a part.
_ROUGH = 1e-3
# By how much a rough solution's accuracy may be below the best one's: seen
# to differ from the accuracy at the optimum by at most 0.017 of 1,000.
SLACK = 0.02


@dataclasses.dataclass(frozen=True)
class Selection:
  """The strength chosen on held-out examples.

  Of several labels, what is 'or one a class' is a tuple over the classes, and
  an inner tuple where there are already several.

  Attributes:
    l2: the chosen strength, or one a class.
    end: 'weakest' or 'strongest' where the choice is at that end of the
      grid, so that a better one may lie beyond; else ''. Or one a class.
    strengths: all that were tried, as given.
    accuracies: accuracies on the held-out examples, one per strength,
      fractions.
    nlls: one per strength, mean negative log-likelihood on the same examples in
      nats.
    ended_early: whether a strength was given up, for a rough solution showed
      that it could hardly win; its accuracy and NLL are that solution's.
    converged: whether each strength's fit converged; one that did not is
      never chosen.
    probe: refitted with the chosen strength on training and held-out
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
    """All but the parameters, for JSON."""
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
  """Chooses the strength on held-out examples and refits on all.

  The highest accuracy wins; of equal ones the lowest NLL, then the stronger
  penalty. Of several labels each class chooses for itself, by NLL alone: the
  accuracy of a rare class says little. The refit keeps `l2`, a multiple of
  the mean loss, and takes the normalisation's statistics of all rows.

  Args:
    train_features: `[n, d]`, as for `probe.fit`.
    train_labels: `[n]`, or `[n, num_classes]` of 0 and 1.
    heldout_features: `[m, d]`.
    heldout_labels: `[m]`, or `[m, num_classes]`.
    num_classes: number of logits.
    strengths: values of `l2` to try, in any order.
    normalisation: a key of `normalise.KINDS`.
    max_iterations: steps of L-BFGS at most, for each fit.
    tolerance: how far each loss may be above its minimum, as a part.
    slack: a strength whose rough solution is less accurate than the best by
      more than this is given up; from 1 on none is. Of several labels none
      ever is.
    stream: whether features are read in blocks in each pass.

  Raises:
    DataError, UsageError: as `probe.fit`; also for no strengths, and where no
      strength's fit converged.
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
  labels = np.concatenate([train[1], heldout[1]])
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
  """A probe for each strength, and which of them are rough and given up."""
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
  """The place of the chosen strength, for each column.

  Args:
    strengths: `[S]`.
    right: `[S, g]`, how many held-out examples are right.
    nlls: `[S, g]`, nats.
    converged: `[S]`; the others are left out.
    several: whether the columns are classes, which choose by NLL alone.

  Raises:
    DataError: none converged.
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
  """`[S, g]` as tuples of numbers."""
  if several:
    return tuple(tuple(map(float, row)) for row in table)
  return tuple(float(row[0]) for row in table)


def _end(strengths: Sequence[float], chosen: float) -> str:
  """The end of the grid at which a choice lies, or ''."""
  if min(strengths) == max(strengths):
    return ''
  ends = {min(strengths): 'weakest', max(strengths): 'strongest'}
  return ends.get(chosen, '')


def _checked(
  train: tuple[Any, Any], heldout: tuple[Any, Any], num_classes: int
) -> tuple[tuple[Rows, np.ndarray], tuple[Rows, np.ndarray]]:
  """Both parts with their labels, as wide as each other; else DataError."""
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
