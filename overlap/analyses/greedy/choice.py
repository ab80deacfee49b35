"""Which models take part in the search for good ensembles."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from overlap import errors, lookup
from overlap.analyses.context import Context
from overlap.analyses.greedy.options import Greedy

_STARTS, _CANDIDATES = 5, 12


@dataclasses.dataclass(frozen=True)
class Choice:
  """The models that take part: those with logits.

  Attributes:
    index: their places among the context's members, int `[models]`.
    names: of the models.
    accuracies: of each alone, over all examples.
    correct: bool `[models, examples]`.
    starts: which of them are starts.
    candidates: which of them the exact search looks at, by name.
  """

  index: np.ndarray
  names: Sequence[str]
  accuracies: np.ndarray
  correct: np.ndarray
  starts: Sequence[int]
  candidates: Sequence[int]

  def pool(self, start: int, options: Greedy) -> np.ndarray:
    """Which models may be added to a start, bool `[models]`."""
    ceiling, included = options.ceiling(float(self.accuracies[start]))
    below = self.accuracies < ceiling
    if included:
      below |= self.accuracies == ceiling
    if options.pool:
      below &= np.isin(self.names, options.pool)
    if not options.repetition:
      below[start] = False
    return below


def choose(context: Context) -> Choice:
  """Who takes part.

  Raises:
    UsageError: the options name a model that is not there or has no logits.
  """
  options, names = context.options.greedy, context.names
  index = np.flatnonzero(context.soft)
  soft = [names[i] for i in index]
  for field in ('starts', 'pool', 'candidates'):
    for name in getattr(options, field):
      lookup.check(f'model for greedy.{field}', name, names)
      if name not in soft:
        raise errors.UsageError(
          f'A model of greedy.{field} must have logits, got {name!r}, which '
          'has classes alone.'
        )
  correct = context.correct[index]
  accuracies = correct.mean(axis=1) if len(index) else np.zeros(0)
  ranked = sorted(range(len(soft)), key=lambda i: (-accuracies[i], soft[i]))
  starts = [soft.index(name) for name in options.starts]
  if not starts:
    # The base comes first, if it has logits, and once.
    base = [i for i in ranked if index[i] == 0]
    others = [i for i in ranked if index[i] != 0]
    starts = base + others[: _STARTS - 1]
  candidates = [soft.index(name) for name in options.candidates]
  candidates = candidates or ranked[:_CANDIDATES]
  return Choice(
    index,
    soft,
    accuracies,
    correct,
    starts,
    sorted(candidates, key=soft.__getitem__),
  )
