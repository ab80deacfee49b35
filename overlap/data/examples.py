"""One named split of one data set: random access, an id for every example."""

import abc
import functools
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from overlap.core import errors, progress
from overlap.data import images as images_lib
from overlap.data import preparation as preparation_lib
from overlap.data.preparation import Preparation

# Labels are read this many at a time where the source has to read records.
_LABEL_CHUNK = 4096
# See `Examples.read_originals`.
Make = Callable[[int, Image.Image], np.ndarray]


class Examples(abc.ABC):
  """Random access to the M examples of a split.

  A source implements `read`; `fetch` and `labels` check what it read. Both
  may be called from several threads at once.

  Attributes:
    dataset: name in the store, e.g. 'fashion_mnist'.
    split: our name of the split: 'train', 'heldout', 'test' or another.
    ids: [M] unicode, unique. An id depends neither on the order of the
      examples nor on the slice that was taken.
    class_names: C names; labels are positions in it.
    channels: 1 or 3.
    image_size: S; images come out as [S, S, channels].
    in_memory: reading is no more than indexing.
    multi_label: whether `targets` tells more than `labels`.
    class_order: how the source ordered its classes, for the log; '' where
      they have an order of their own.
  """

  in_memory = False
  multi_label = False
  class_order = ''

  def __init__(
    self,
    *,
    dataset: str,
    split: str,
    ids: np.ndarray | Sequence[str],
    class_names: Sequence[str],
    channels: int,
    image_size: int,
  ):
    """Checks the ids.

    Raises:
      DataError: two examples share an id, or one is no text.
    """
    self.dataset = dataset
    self.split = split
    self.ids = np.asarray(ids, dtype=np.str_)
    self.class_names = tuple(class_names)
    self.channels = channels
    self.image_size = image_size
    check_text(self.ids, f'{dataset}, split {split!r}')
    check_unique(self.ids, f'{dataset}, split {split!r}')

  def __len__(self) -> int:
    return len(self.ids)

  @abc.abstractmethod
  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns images uint8 [B, S, S, channels] and labels [B], unchecked."""

  def read_prepared(
    self, indices: np.ndarray, preparation: Preparation
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns images that are made square by a rule, and labels.

    Args:
      indices: [B].
      preparation: the rule.

    Returns:
      Images uint8 [B, size, size, channels] and labels [B], unchecked.
    """
    return self.read_originals(
      indices,
      lambda row, image: preparation_lib.prepare(
        images_lib.to_array(image), preparation
      ),
      (preparation.size, preparation.size, self.channels),
    )

  def read_originals(
    self, indices: np.ndarray, make: Make, shape: tuple[int, ...]
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is made of the original images, in threads, and labels.

    Overridden where the originals are others than `read` gives.

    Args:
      indices: [B].
      make: (place in `indices`, image 'L' or 'RGB') to uint8 [*shape].
      shape: shape of what is made.

    Returns:
      uint8 [B, *shape] and labels [B], unchecked.
    """
    originals, labels = self.read(indices)
    images = images_lib.stack(
      lambda row: make(row, images_lib.from_array(originals[row])),
      len(originals),
      shape,
    )
    return images, labels

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    """Returns labels [B], unchecked; overridden where that is cheaper."""
    return self.read(indices)[1]

  def fetch(self, indices: np.ndarray | Sequence[int]) -> dict[str, np.ndarray]:
    """Reads examples, in the order asked for and as often as asked for.

    Args:
      indices: [B] integers in [0, M).

    Returns:
      {'image': uint8 [B, S, S, channels], 'label': int32 [B]}.

    Raises:
      DataError: an image can't be had, or a label lies outside the classes.
      IndexError: an index lies outside [0, M).
    """
    indices = self._within(indices)
    images, labels = self.read(indices)
    return {'image': images, 'label': self._checked(labels, indices)}

  def fetch_made(
    self, indices: np.ndarray, make: Make, shape: tuple[int, ...]
  ) -> dict[str, np.ndarray]:
    """Makes images of the originals; arguments as `read_originals`'s.

    Returns:
      {'image': uint8 [B, *shape], 'label': int32 [B]}.

    Raises:
      DataError, IndexError: as `fetch`.
    """
    indices = self._within(indices)
    images, labels = self.read_originals(indices, make, shape)
    return {'image': images, 'label': self._checked(labels, indices)}

  def labels(self) -> np.ndarray:
    """Returns all labels, int32 [M]; reads them once where it has to.

    Raises:
      DataError: a label lies outside the classes.
    """
    return self._labels

  def read_targets(self, indices: np.ndarray) -> np.ndarray:
    """Returns targets int8 [B, C] of a source with several labels an image."""
    raise NotImplementedError

  def targets(self) -> np.ndarray | None:
    """Classes that each image shows, where a source has several per image.

    Returns:
      int8 [M, C]: 1 shown, 0 not shown, -1 shown only by objects that are
      marked as difficult, which are left out of the class's ranking; None for
      sources with one label an image.
    """
    if not self.multi_label:
      return None
    empty = np.zeros((0, len(self.class_names)), np.int8)
    starts = range(0, len(self), _LABEL_CHUNK)
    everything = np.arange(len(self))
    return np.concatenate(
      [empty]
      + [self.read_targets(everything[i : i + _LABEL_CHUNK]) for i in starts]
    )

  @functools.cached_property
  def _labels(self) -> np.ndarray:
    everything = np.arange(len(self))
    starts = range(0, len(self), _LABEL_CHUNK)
    chunks = [everything[start : start + _LABEL_CHUNK] for start in starts]
    shown = progress.track(
      chunks, total=len(chunks), what=f'labels of {self.split}', unit='chunk'
    )
    labels = [np.zeros(0, np.int32), *map(self.read_labels, shown)]
    return self._checked(np.concatenate(labels), everything)

  def _within(self, indices: np.ndarray | Sequence[int]) -> np.ndarray:
    indices = np.asarray(indices, dtype=np.int64).reshape(-1)
    # NumPy would take -1 for the last example.
    if indices.size and not 0 <= indices.min() <= indices.max() < len(self):
      raise IndexError(f'indices must lie in [0, {len(self)}), got {indices}')
    return indices

  def _checked(self, labels: np.ndarray, indices: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(self.class_names)))
    if wrong.size:
      raise errors.DataError(
        f'{self.dataset}: labels must lie in [0, {len(self.class_names)}), got '
        f'{labels[wrong[0]]} for example {str(self.ids[indices[wrong[0]]])!r}.'
      )
    return labels.astype(np.int32)


class ArrayExamples(Examples):
  """A split that lies in memory."""

  in_memory = True

  def __init__(
    self,
    *,
    dataset: str,
    split: str,
    images: np.ndarray,
    labels: np.ndarray,
    ids: np.ndarray | Sequence[str],
    class_names: Sequence[str],
  ):
    """Takes images uint8 [M, S, S] or [M, S, S, channels] and labels [M].

    Raises:
      DataError: shapes, types, labels or ids don't fit together.
    """
    images = images[..., None] if images.ndim == 3 else images
    if not len(images) == len(labels) == len(ids):
      raise errors.DataError(
        f'{dataset}, split {split!r}: images, labels and ids must be equally '
        f'many, got {len(images)}, {len(labels)} and {len(ids)}.'
      )
    check_images(images, f'{dataset}, split {split!r}')
    super().__init__(
      dataset=dataset, split=split, ids=ids, class_names=class_names,
      channels=images.shape[-1], image_size=images.shape[1],
    )  # fmt: skip
    self._images = images
    self._label_array = np.asarray(labels)
    self.labels()

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return self._images[indices], self._label_array[indices]

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._label_array[indices]


def check_text(ids: np.ndarray, what: str) -> None:
  """Raises a DataError, which names the first, where ids are not Unicode."""
  names = ids.tolist()
  try:
    ''.join(names).encode()
  except UnicodeEncodeError as e:
    # Bytes of a file's name that are no UTF-8.
    first = next(n for n in names if any('\ud800' <= c <= '\udfff' for c in n))
    raise errors.DataError(
      f'{what}: ids must be Unicode text, got {first!r}: rename the file.'
    ) from e


def check_unique(ids: np.ndarray, what: str) -> None:
  """Raises a DataError, which names the first, where ids repeat."""
  # A set of strings is several times faster than np.unique, which sorts.
  if len(set(ids.tolist())) == len(ids):
    return
  unique, counts = np.unique(ids, return_counts=True)
  raise errors.DataError(
    f'{what}: every example must have an id of its own, got '
    f'{str(unique[counts > 1][0])!r} {counts[counts > 1][0]} times.'
  )


def check_images(images: np.ndarray, what: str) -> None:
  """Raises a DataError unless images are uint8 [M, S, S, 1 or 3]."""
  shape = images.shape
  if (
    images.dtype != np.uint8
    or images.ndim != 4
    or shape[1] != shape[2]
    or shape[3] not in (1, 3)
  ):
    raise errors.DataError(
      f'{what}: images must be uint8 of shape [examples, size, size, 1 or 3], '
      f'got {images.dtype} {list(shape)}.'
    )
