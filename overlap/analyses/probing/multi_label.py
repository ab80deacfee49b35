"""Labels of images that show several classes, and groups of classes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overlap import errors


class Labels(NamedTuple):
  """What probes are to tell of the examples of a split.

  Attributes:
    names: `[K]`, of classes, and after them of groups.
    targets: int8 `[examples, K]`: 1 shown, 0 not, -1 left out of the ranking;
      or int32 `[examples]`, the one class of each.
  """

  names: tuple[str, ...]
  targets: np.ndarray

  @property
  def several(self) -> bool:
    """Whether an example may have several."""
    return self.targets.ndim == 2

  @property
  def fitted(self) -> np.ndarray:
    """What probes are fitted to, int32: `[examples, K]` or `[examples]`.

    What is left out of the ranking counts as not shown: the benchmark says how
    to score a class without its difficult examples, not how to train, and a
    classifier that ranks them low loses nothing by it.
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
  """The labels of a split.

  A group is shown where any of its classes is; where none is and one is left
  out, the group is, too.

  Args:
    class_names: `[C]`.
    classes: int `[examples]`, of each example.
    targets: int8 `[examples, C]` of 1, 0 and -1 where images show several
      classes, or None.
    groups: from names to class indices.

  Raises:
    UsageError: a group is called as a class is.
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
