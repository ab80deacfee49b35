"""Options of probes on stored features."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from overlap.analyses import checks
from overlap.analyses.probing.dimensions import RANKINGS
from overlap.core import errors, lookup
from overlap.probes import normalise

_PAIRS = ('base', 'views')


@dataclasses.dataclass(frozen=True)
class Probing:
  """Options for joining, compressing and probing representations.

  Attributes:
    train: split of the store whose features probes are fitted on; without this
      split the tables are empty.
    heldout: split on which the strength is chosen.
    normalisation: a key of `overlap.probes.normalise.KINDS`, applied to each
      model's features before they are joined.
    strengths: number of values of L2, evenly spaced in the logarithm.
    weakest: smallest value of L2.
    strongest: largest value of L2.
    max_iterations: largest number of steps of each fit.
    stream: whether features are read again in each pass, for those that don't
      fit into memory.
    pairs: 'base' for all pairs with the base, or 'views' for the pairs with the
      base among the views of specialisation.
    percents: percentages of the base's dimensions that are joined with the rest
      of the other model's.
    seeds: number of draws of dimensions.
    rankings: keys of `RANKINGS` for compressing joined dimensions.
    kept: numbers of dimensions to keep; if empty, multiples of an eighth of the
      base's width up to twice that width.
    target: accuracy to reach with as few dimensions as possible; 0: the
      accuracy of a probe on all of the base's features.
  """

  train: str = 'probe_train'
  heldout: str = 'probe_heldout'
  normalisation: str = 'l2_standardise'
  strengths: int = 45
  weakest: float = 1e-6
  strongest: float = 1e5
  max_iterations: int = 1000
  stream: bool = False
  pairs: str = 'base'
  percents: Sequence[float] = (0, 25, 50, 75, 100)
  seeds: int = 3
  rankings: Sequence[str] = tuple(RANKINGS)
  kept: Sequence[int] = ()
  target: float = 0.0


def check_probing_options(given: Probing) -> None:
  """Raises UsageError for invalid values."""
  lookup.check_choice(
    'probing.normalisation', given.normalisation, normalise.KINDS
  )
  lookup.check_choice('probing.pairs', given.pairs, _PAIRS)
  checks.integer('probing.strengths', given.strengths, 1)
  checks.integer('probing.max_iterations', given.max_iterations, 1)
  checks.integer('probing.seeds', given.seeds, 1)
  for name in given.rankings:
    lookup.check_choice('probing.rankings', name, RANKINGS)
  for kept in given.kept:
    checks.integer('probing.kept', kept, 1)
  for percent in given.percents:
    if not checks.is_number(percent) or not 0 <= percent <= 100:
      raise errors.UsageError(
        'Option probing.percents must be numbers within [0, 100], got '
        f'{percent!r}.'
      )
  check_ends('probing', given.weakest, given.strongest)
  if not checks.is_number(given.target) or not 0 <= given.target <= 1:
    raise errors.UsageError(
      'Option probing.target must be an accuracy within [0, 1], got '
      f'{given.target!r}.'
    )


def check_ends(group: str, weakest: Any, strongest: Any) -> None:
  """Raises UsageError for invalid ends of a grid of strengths."""
  ends = weakest, strongest
  if not all(map(checks.is_number, ends)) or not 0 < ends[0] <= ends[1]:
    raise errors.UsageError(
      f'Options {group}.weakest and {group}.strongest must be strengths above '
      f'0, the first at most the second, got {ends[0]!r} and {ends[1]!r}.'
    )
