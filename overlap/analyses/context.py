"""What every analysis is given: the models, measured, and their examples."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from overlap.analyses.members import CalibratedLogits, Member, Split
from overlap.analyses.options import Options

Pairs = str | Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Context:
  """A split of a store, its models and what was asked for.

  Attributes:
    split: whose examples; their labels with it.
    ids: of the examples, str `[examples]`.
    class_names: `[classes]`.
    members: the models, calibrated: the base first, then by category, then by
      name.
    in_window: bool `[models]`, whose accuracy is within the window.
    pairs: which enter the table of pairs: 'all', 'base' (those with the
      base) or a list of `[model, model]`.
    options: how to analyse.
  """

  split: Split
  ids: np.ndarray
  class_names: Sequence[str]
  members: Sequence[Member]
  in_window: np.ndarray
  pairs: Pairs
  options: Options

  @property
  def names(self) -> list[str]:
    """The models' names, in the order of `members`."""
    return [member.name for member in self.members]

  @property
  def soft(self) -> np.ndarray:
    """Which models have logits, bool `[models]`."""
    return np.array([m.temperatures is not None for m in self.members])

  @property
  def correct(self) -> np.ndarray:
    """Which examples each model gets right, bool `[models, examples]`."""
    return np.stack([member.correct for member in self.members])

  def calibrated(self, member: Member) -> CalibratedLogits:
    """A model's logits over its temperatures, read as they are needed."""
    return CalibratedLogits(self.split, member, len(self.class_names))
