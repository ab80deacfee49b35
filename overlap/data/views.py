"""Examples made of other examples: chosen, resized, kept in memory."""

from collections.abc import Sequence

import numpy as np

from overlap.data import images as images_lib
from overlap.data import splits
from overlap.data.examples import Examples, Make
from overlap.data.preparation import Preparation


class _View(Examples):
  """Base of all views: everything is the parent's unless it is overridden."""

  def __init__(
    self, parent: Examples, *, ids: np.ndarray, image_size: int
  ) -> None:
    super().__init__(
      dataset=parent.dataset, split=parent.split, ids=ids,
      class_names=parent.class_names, channels=parent.channels,
      image_size=image_size,
    )  # fmt: skip
    self._parent = parent
    self.multi_label = parent.multi_label

  def read_originals(
    self, indices: np.ndarray, make: Make, shape: tuple[int, ...]
  ) -> tuple[np.ndarray, np.ndarray]:
    return self._parent.read_originals(indices, make, shape)

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._parent.read_labels(indices)

  def read_targets(self, indices: np.ndarray) -> np.ndarray:
    return self._parent.read_targets(indices)


class Selected(_View):
  """The examples of `parent` at `positions` [B], in that order."""

  def __init__(self, parent: Examples, positions: np.ndarray):
    positions = np.asarray(positions, dtype=np.int64)
    super().__init__(
      parent, ids=parent.ids[positions], image_size=parent.image_size
    )
    self._positions = positions
    self.in_memory = parent.in_memory

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return self._parent.read(self._positions[indices])

  def read_originals(
    self, indices: np.ndarray, make: Make, shape: tuple[int, ...]
  ) -> tuple[np.ndarray, np.ndarray]:
    positions = self._positions[indices]
    return self._parent.read_originals(positions, make, shape)

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._parent.read_labels(self._positions[indices])

  def read_targets(self, indices: np.ndarray) -> np.ndarray:
    return self._parent.read_targets(self._positions[indices])


class Relabelled(_View):
  """`parent` with its labels as positions in another list of classes."""

  def __init__(
    self, parent: Examples, classes: Sequence[str], indices: Sequence[int]
  ):
    """Takes the list.

    Args:
      parent: the examples, with classes of their own.
      classes: names in the order of the new labels.
      indices: the new label of each class of `parent`.
    """
    super().__init__(parent, ids=parent.ids, image_size=parent.image_size)
    self.class_names = tuple(classes)
    self.in_memory = parent.in_memory
    self._indices = np.asarray(indices, np.int64)

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images, labels = self._parent.read(indices)
    return images, self._relabelled(labels)

  def read_originals(
    self, indices: np.ndarray, make: Make, shape: tuple[int, ...]
  ) -> tuple[np.ndarray, np.ndarray]:
    images, labels = self._parent.read_originals(indices, make, shape)
    return images, self._relabelled(labels)

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._relabelled(self._parent.read_labels(indices))

  def read_targets(self, indices: np.ndarray) -> np.ndarray:
    targets = self._parent.read_targets(indices)
    result = np.zeros((len(targets), len(self.class_names)), np.int8)
    result[:, self._indices] = targets
    return result

  def _relabelled(self, labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels, np.int64)
    is_class = (labels >= 0) & (labels < len(self._indices))
    # What is no class of the parent's is none here, and refused as such.
    return np.where(is_class, self._indices[labels * is_class], -1)


def sample(examples: Examples, count: int) -> Examples:
  """A random sample that depends on the ids alone: the first by their hash.

  Args:
    examples: where to choose from.
    count: how many; 0, or more than there are, for all.
  """
  if not 0 < count < len(examples):
    return examples
  return Selected(examples, np.sort(splits.hash_order(examples.ids)[:count]))


class Resized(_View):
  """`parent` at another image size: bicubic, antialiased."""

  def __init__(self, parent: Examples, image_size: int):
    super().__init__(parent, ids=parent.ids, image_size=image_size)

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images, labels = self._parent.read(indices)
    return images_lib.resize(images, self.image_size), labels


class Prepared(_View):
  """`parent`, whose original images are made square by a model's rule."""

  def __init__(self, parent: Examples, preparation: Preparation):
    super().__init__(parent, ids=parent.ids, image_size=preparation.size)
    self._preparation = preparation

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return self._parent.read_prepared(indices, self._preparation)


class Cached(_View):
  """`parent`, of which every image is read and decoded only once.

  Memory: M S² channels bytes, taken as the images come. What several threads
  read at the same time is read several times, to the same values.
  """

  in_memory = True

  def __init__(self, parent: Examples):
    super().__init__(parent, ids=parent.ids, image_size=parent.image_size)
    shape = (len(self), self.image_size, self.image_size, self.channels)
    self._images = np.empty(shape, np.uint8)
    self._cached_labels = np.empty(len(self), np.int64)
    self._present = np.zeros(len(self), np.bool_)

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    absent = np.unique(indices[~self._present[indices]])
    if absent.size:
      images, labels = self._parent.read(absent)
      self._images[absent] = images
      self._cached_labels[absent] = labels
      # Last, so that no other thread takes what is not there yet.
      self._present[absent] = True
    return self._images[indices], self._cached_labels[indices]


def num_bytes(examples: Examples) -> int:
  """Returns the memory that all images take, in bytes."""
  return len(examples) * examples.image_size**2 * examples.channels
