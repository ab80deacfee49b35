"""The input of every analysis: the measured models and their examples."""

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
  """A split of a store, its models and the requested analysis.

  Attributes:
    split: split of the examples, with their labels.
    ids: ids of the examples, str `[examples]`.
    class_names: names of the classes, `[classes]`.
    members: calibrated models: the base first, then by category, then by name.
    in_window: mask of the models in the accuracy window, bool `[models]`.
    pairs: pairs of the table of pairs: 'all', 'base' (pairs with the base) or a
      list of `[model, model]`.
    options: options of the analyses.
    scratch: folder for checkpoints of long passes, or None.
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
    """Returns the models' names, in the order of `members`."""
    return [member.name for member in self.members]

  @property
  def soft(self) -> np.ndarray:
    """Returns a mask of the models with logits, bool `[models]`."""
    return np.array([m.temperatures is not None for m in self.members])

  @property
  def correct(self) -> np.ndarray:
    """Correctness of each model, bool `[models, examples]`."""
    return np.stack([member.correct for member in self.members])

  def checkpoint(self) -> Checkpoint | None:
    """Returns the checkpoint of a pass over all logits, or None."""
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
    """Returns a model's logits divided by its temperatures, read on demand."""
    return CalibratedLogits(self.split, member, len(self.class_names))
