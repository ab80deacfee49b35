"""Labels of images with several classes, and groups of classes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overlap.core import errors


class Labels(NamedTuple):
  """Targets of probes for the examples of a split.

  Attributes:
    names: names `[K]` of the classes, followed by those of the groups.
    targets: int8 `[examples, K]` with 1 for shown, 0 for not shown, -1 for left
      out of the ranking; or the single class of each example, int32
      `[examples]`.
  """

  names: tuple[str, ...]
  targets: np.ndarray

  @property
  def several(self) -> bool:
    """Returns whether an example may have several labels."""
    return self.targets.ndim == 2

  @property
  def fitted(self) -> np.ndarray:
    """Targets for fitting, int32 `[examples, K]` or `[examples]`.

    Examples left out of the ranking count as not shown: the benchmark defines
    how to score a class without its difficult examples, not how to train, and
    ranking these examples low costs a classifier nothing.
    """
    if not self.several:
      return self.targets.astype(np.int32)
    return (self.targets == 1).astype(np.int32)


def labels(
  class_names: Sequence[str],
  classes: np.ndarray,
  targets: np.ndarray | None,
  groups: Mapping[str, np.ndarray],
) -> Labels:
  """Returns the labels of a split.

  A group is shown if any of its classes is; otherwise it is left out if any of
  its classes is left out.

  Args:
    class_names: names of the classes `[C]`.
    classes: class of each example, int `[examples]`.
    targets: int8 `[examples, C]` of 1, 0 and -1 if images show several classes,
      or None.
    groups: mapping from group names to class indices.

  Raises:
    UsageError: a group has the name of a class.
  """
  names = tuple(str(name) for name in class_names)
  for name in groups:
    if name in names:
      raise errors.UsageError(
        'Option transfer.groups must not call a group as a class of the data '
        f'set is called, got {name!r}.'
      )
  classes = np.asarray(classes)
  if targets is None and not groups:
    return Labels(names, classes.astype(np.int32))
  if targets is None:
    targets = classes[:, np.newaxis] == np.arange(len(names))
  own = np.asarray(targets, np.int8)
  columns = [own]
  for members in groups.values():
    inside = own[:, members]
    shown = (inside == 1).any(axis=1)
    unsure = (inside == -1).any(axis=1)
    group = np.where(shown, 1, np.where(unsure, -1, 0))
    columns.append(group[:, np.newaxis].astype(np.int8))
  return Labels((*names, *groups), np.concatenate(columns, axis=1))
