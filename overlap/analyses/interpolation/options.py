"""Options of the analysis of interpolation."""

import dataclasses
from typing import Any

from overlap.analyses import checks
from overlap.core import errors, lookup

PAIRS = {
  'views': 'the pairs of the panels and the contrast of specialisation',
  'base': 'these and the base with every other model',
}


@dataclasses.dataclass(frozen=True)
class Interpolation:
  """Options of interpolation: the pairs, the weights and the groups.

  Attributes:
    pairs: a key of `PAIRS`.
    points: number of weights from 0 to 1, odd, so that 1/2 is among them.
    group_a: group of classes that uses model 1 alone at weight 0 (see
      `specialisation.groups`); '': the first group.
    group_b: group of classes that uses model 2 alone at weight 0; '': the
      second group.
  """

  pairs: str = 'base'
  points: int = 101
  group_a: str = ''
  group_b: str = ''


def check_interpolation_options(options: Interpolation) -> None:
  """Checks the values that depend on neither the models nor the classes.

  Raises:
    UsageError: a value is invalid.
  """
  lookup.check_choice('interpolation.pairs', options.pairs, PAIRS)
  checks.integer('interpolation.points', options.points, 3)
  if options.points % 2 == 0 or options.points > 10_001:
    raise errors.UsageError(
      'Option interpolation.points must be an odd number up to 10001, so that '
      f'1/2 is among the weights, got {options.points}.'
    )
  groups: tuple[Any, Any] = (options.group_a, options.group_b)
  for name, value in zip(('group_a', 'group_b'), groups):
    if not isinstance(value, str):
      raise errors.UsageError(
        f'Option interpolation.{name} must be the name of a group of classes, '
        f'got {value!r}.'
      )
  if bool(groups[0]) != bool(groups[1]) or (groups[0] and len({*groups}) < 2):
    raise errors.UsageError(
      'Options interpolation.group_a and group_b must be two different groups, '
      f'or both empty, got {groups[0]!r} and {groups[1]!r}.'
    )
