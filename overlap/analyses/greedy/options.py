"""Options of the search for ensembles."""

import dataclasses
from collections.abc import Sequence

from overlap.analyses import checks, ensembles
from overlap.analyses.greedy import subsets
from overlap.core import errors, lookup

PROTOCOLS = {
  'cross_fitted': 'chosen on one half of the examples, scored on the other',
  'optimistic': 'chosen and scored on the same examples, as in the paper',
}


@dataclasses.dataclass(frozen=True)
class Greedy:
  """Options of greedy selection and of the exact search.

  Attributes:
    starts: models that paths start from, one path each; by default the base and
      the most accurate others, five in all.
    pool: models that may be added; by default all models with logits.
    bound: accuracy limit of added models. 0: below the start's; within (0, 1]:
      at most this (the paper: 0.779; 1: no bound); within (-1, 0): at most the
      start's accuracy minus this amount.
    max_members: largest size of an ensemble, including the start.
    repetition: whether a model may be added more than once.
    method: a key of `ensembles.METHODS`.
    protocols: keys of `PROTOCOLS`.
    candidates: models among whose subsets the best is searched exactly; by
      default the twelve most accurate.
  """

  starts: Sequence[str] = ()
  pool: Sequence[str] = ()
  bound: float = 0.0
  max_members: int = 8
  repetition: bool = False
  method: str = 'logits'
  protocols: Sequence[str] = tuple(PROTOCOLS)
  candidates: Sequence[str] = ()

  def ceiling(self, start_accuracy: float) -> tuple[float, bool]:
    """Returns the accuracy limit, and whether it may be reached."""
    if self.bound > 0:
      return self.bound, True
    # The tolerance keeps rounding from excluding accuracies at the limit.
    return start_accuracy + self.bound + 1e-9 * (self.bound < 0), self.bound < 0


DEFAULTS = Greedy()


def check_greedy_options(given: Greedy) -> None:
  """Raises UsageError for invalid values; models are checked later."""
  for name in ('starts', 'pool', 'candidates'):
    value = getattr(given, name)
    if isinstance(value, str) or not isinstance(value, Sequence):
      raise errors.UsageError(
        f'Option greedy.{name} must be a list of models, empty for the '
        f'default, got {value!r}.'
      )
    repeated = sorted({str(v) for v in value if list(value).count(v) > 1})
    if repeated:
      raise errors.UsageError(
        f'Option greedy.{name} must name each model once, got '
        f'{", ".join(repeated)} more than once.'
      )
  if not checks.is_number(given.bound) or not -1 < given.bound <= 1:
    raise errors.UsageError(
      'Option greedy.bound must be an accuracy within (0, 1], 0 for that of '
      'the start, or how far below it, within (-1, 0), got '
      f'{given.bound!r}.'
    )
  checks.integer('greedy.max_members', given.max_members, 1)
  if not isinstance(given.repetition, bool):
    raise errors.UsageError(
      f'Option greedy.repetition must be True or False, got '
      f'{given.repetition!r}.'
    )
  lookup.check_choice('greedy.method', given.method, ensembles.METHODS)
  checks.names('greedy protocol', given.protocols, PROTOCOLS)
  subsets.check_subset_count(len(given.candidates), given.max_members)
