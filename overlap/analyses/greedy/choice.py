"""The models that take part in the search for ensembles."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from overlap.analyses.context import Context
from overlap.analyses.greedy.options import Greedy
from overlap.core import errors, lookup

_STARTS, _CANDIDATES = 5, 12


@dataclasses.dataclass(frozen=True)
class Choice:
  """The models that take part: those with logits.

  Attributes:
    index: positions among the context's members, int `[models]`.
    names: names of the models.
    accuracies: accuracy of each model alone over all examples, `[models]`.
    correct: correctness of each prediction, bool `[models, examples]`.
    starts: indices of the models that paths start from.
    candidates: indices of the models in the exact search, sorted by name.
  """

  index: np.ndarray
  names: Sequence[str]
  accuracies: np.ndarray
  correct: np.ndarray
  starts: Sequence[int]
  candidates: Sequence[int]

  def pool(self, start: int, options: Greedy) -> np.ndarray:
    """Returns a mask of models that may join a start, bool `[models]`."""
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
  """Selects the models, starts and candidates from the options.

  Raises:
    UsageError: the options name a model that is unknown or has no logits.
  """
  options, names = context.options.greedy, context.names
  index = np.flatnonzero(context.soft)
  soft = [names[i] for i in index]
  for field in ('starts', 'pool', 'candidates'):
    for name in getattr(options, field):
      lookup.check_choice(f'model for greedy.{field}', name, names)
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
    # By default the base is the first start if it has logits.
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
