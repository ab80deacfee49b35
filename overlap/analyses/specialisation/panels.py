"""The choice of pairs of models."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses.members import Member
from overlap.analyses.specialisation.options import Specialisation, parse_pairs
from overlap.catalog import categories
from overlap.core import errors, lookup

# Categories of the paper's panels: "representative of the spread" (Sec. 4.3).
PANELS = ('REINIT', 'ARCH', 'DATASET')
CONTRAST = ('FRAMEWORK', 'DATASET')

Index = tuple[int, int]


class Chosen(NamedTuple):
  """Pairs as indices of members, the lower index first.

  Attributes:
    panels: pairs whose specialisation is compared (Fig. 3 and 4).
    contrast: pair shown beside them (Fig. 12), or None.
    of_base: pairs of the base with every other model.
  """

  panels: list[Index]
  contrast: Index | None
  of_base: list[Index]

  @property
  def unique(self) -> list[Index]:
    """Returns all pairs, each once: those with the base, then the others."""
    others = [*self.panels, *([self.contrast] if self.contrast else [])]
    return list(dict.fromkeys([*self.of_base, *others]))


def choose(
  members: Sequence[Member], in_window: np.ndarray, options: Specialisation
) -> Chosen:
  """Returns the pairs that the options name, or default pairs.

  The default panels pair the base with one model of each category of `PANELS`:
  the model whose error inconsistency with the base is nearest to the mean of
  its category. Without any model of these categories, they are the least, the
  median and the most inconsistent model. The default contrast is the most
  inconsistent pair with one model of each category of `CONTRAST`. Default
  models have confidences, and are within the accuracy window if any of their
  category is; ties go to the first in the members' order.

  Args:
    members: models, the base first.
    in_window: mask of the models within the accuracy window, bool `[models]`.
    options: options, of which `pairs` and `contrast` are used.

  Raises:
    UsageError: an option names a model that is unknown or has no confidences.
  """
  asked = _asked('pairs', options.pairs, members)
  contrast = _asked('contrast', options.contrast, members)
  of_base = [(0, other) for other in range(1, len(members))]
  if not asked and members[0].confidence is not None:
    asked = _panels(members, in_window)
  if not contrast:
    contrast = _contrast(members, in_window)
  return Chosen(asked, contrast[0] if contrast else None, of_base)


def _asked(name: str, text: str, members: Sequence[Member]) -> list[Index]:
  place = {member.name: i for i, member in enumerate(members)}
  found = []
  for pair in parse_pairs(f'specialisation.{name}', text):
    for model in pair:
      lookup.check_choice(f'model for specialisation.{name}', model, place)
      if members[place[model]].confidence is None:
        raise errors.UsageError(
          f'A model for specialisation.{name} must have logits or confidences, '
          f'got {model!r}, which has neither.'
        )
    one, two = sorted(place[model] for model in pair)
    found.append((one, two))
  return list(dict.fromkeys(found))


def _panels(members: Sequence[Member], in_window: np.ndarray) -> list[Index]:
  base = members[0].correct
  candidates = [_candidates(members, in_window, (name,)) for name in PANELS]
  if not any(candidates):
    return [(0, i) for i in _spread(members, in_window)]
  chosen = []
  for models in filter(None, candidates):
    apart = np.array([(members[i].correct != base).mean() for i in models])
    # Keep rounding from breaking ties of the distance to the mean.
    distance = np.round(np.abs(apart - apart.mean()), 12)
    chosen.append((0, models[int(np.argmin(distance))]))
  return chosen


def _spread(members: Sequence[Member], in_window: np.ndarray) -> list[int]:
  """Returns the least, the median and the most inconsistent model."""
  anything = (*categories.CATEGORIES, categories.UNKNOWN)
  models = _candidates(members, in_window, anything)
  base = members[0].correct
  models.sort(key=lambda i: (int((members[i].correct != base).sum()), i))
  if len(models) <= len(PANELS):
    return models
  return [models[0], models[(len(models) - 1) // 2], models[-1]]


def _contrast(members: Sequence[Member], in_window: np.ndarray) -> list[Index]:
  first, second = (_candidates(members, in_window, (n,)) for n in CONTRAST)
  pairs = [(min(i, j), max(i, j)) for i in first for j in second]
  if not pairs:
    return []
  apart = [
    int((members[i].correct != members[j].correct).sum()) for i, j in pairs
  ]
  return [pairs[int(np.argmax(apart))]]


def _candidates(
  members: Sequence[Member], in_window: np.ndarray, names: Sequence[str]
) -> list[int]:
  """Returns models of the categories; those in the window if there are any."""
  found = [
    i
    for i, member in enumerate(members)
    if i and member.category in names and member.confidence is not None
  ]
  return [i for i in found if in_window[i]] or found
