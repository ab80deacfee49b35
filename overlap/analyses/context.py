"""What every analysis is given: the models, measured, and their examples."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from etils import epath

from overlap.analyses.allpairs.resume import Checkpoint
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
    scratch: a folder for counts of passes that may be cut short, or None.
  """

  split: Split
  ids: np.ndarray
  class_names: Sequence[str]
  members: Sequence[Member]
  in_window: np.ndarray
  pairs: Pairs
  options: Options
  scratch: epath.Path | None = None

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

  def checkpoint(self) -> Checkpoint | None:
    """Where a pass over all logits keeps its counts, if anywhere."""
    if self.scratch is None:
      return None
    split = self.split
    records = [
      split.reader.record(split.dataset, split.split, name)
      for name in self.names
    ]
    checksums = [
      {name: entry['sha256'] for name, entry in record['arrays'].items()}
      for record in records
      if record is not None
    ]
    return Checkpoint(self.scratch, [self.names, checksums])

  def calibrated(self, member: Member) -> CalibratedLogits:
    """A model's logits over its temperatures, read as they are needed."""
    return CalibratedLogits(self.split, member, len(self.class_names))
