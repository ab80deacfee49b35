"""Examples whose images are encoded, as files are: decoded when asked for."""

import abc
import functools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from overlap.core import errors
from overlap.data import images as images_lib
from overlap.data import log
from overlap.data.examples import Examples, Make

# Images that are looked at to tell whether they are grey.
_SAMPLE = 256


class EncodedExamples(Examples):
  """Examples that a source has as JPEG, PNG, ...: it gives the bytes alone.

  Attributes:
    native: whether nothing may be resized, see `images.decode`.
  """

  native: bool = False

  @abc.abstractmethod
  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    """Opens examples.

    Args:
      indices: [B].

    Returns:
      A function from a place in `indices` to an encoded image, called in
      threads; and labels [B], unchecked.
    """

  def name(self, index: int) -> str:
    """Returns the name of an image for error texts."""
    return str(self.ids[index])

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    content, labels = self.open(indices)

    def make(row: int) -> np.ndarray:
      return images_lib.decode(
        content(row), name=self.name(indices[row]), image_size=self.image_size,
        channels=self.channels, native=self.native,
      )  # fmt: skip

    shape = (self.image_size, self.image_size, self.channels)
    return images_lib.stack(make, len(indices), shape), labels

  def read_originals(
    self, indices: np.ndarray, make: Make, shape: tuple[int, ...]
  ) -> tuple[np.ndarray, np.ndarray]:
    content, labels = self.open(indices)

    def made(row: int) -> np.ndarray:
      image = images_lib.decode_whole(
        content(row), name=self.name(indices[row]), channels=self.channels
      )
      return make(row, image)

    return images_lib.stack(made, len(indices), shape), labels


class ListedImages(EncodedExamples):
  """Images with a label each, listed before any is read.

  Where images are asked for as they are, a random sample of them tells
  whether they are grey, and the first their size.
  """

  def __init__(
    self,
    *,
    dataset: str,
    split: str,
    ids: np.ndarray | Sequence[str],
    labels: np.ndarray,
    class_names: Sequence[str],
    image_size: int = 0,
    channels: int = 0,
  ):
    """Takes the list; `content` must work by then.

    Args:
      dataset: name in the store.
      split: the source's name of the split.
      ids: [M].
      labels: [M], positions in the names of the classes.
      class_names: C names.
      image_size: S, 0 for the images' own.
      channels: 1 or 3, 0 for what a sample of the images has.

    Raises:
      DataError: two share an id, or the first image is not square and must be.
    """
    self._label_array = np.asarray(labels, np.int64)
    super().__init__(
      dataset=dataset, split=split, ids=ids, class_names=class_names,
      channels=channels or 3, image_size=image_size or 1,
    )  # fmt: skip
    self.native = not image_size
    if not channels:
      sample = self.sample(_SAMPLE)
      self.channels = decide_channels(dataset, sample)
    if not image_size and len(self):
      self.image_size = images_lib.square_size(self.content(0), self.name(0))

  @abc.abstractmethod
  def content(self, index: int) -> bytes:
    """Returns an encoded image."""

  def sample(self, count: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yields names of random images, and functions that read them."""
    rng = random.Random(0)
    for index in rng.sample(range(len(self)), min(count, len(self))):
      yield self.name(index), functools.partial(self.content, index)

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    def content(row: int) -> bytes:
      return self.content(int(indices[row]))

    return content, self._label_array[indices]

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._label_array[indices]


def decide_channels(
  dataset: str, files: Iterable[tuple[str, Callable[[], bytes]]]
) -> int:
  """Returns 1 where images are grey, else 3; logs which.

  Faulty images are left to those who read them.

  Args:
    dataset: their name, for the log.
    files: a sample of images: names, and functions that read them.
  """
  grey = coloured = 0
  for name, read in files:
    try:
      is_coloured = images_lib.native_shape(read(), name)[2] == 3
    except errors.DataError:
      continue
    grey, coloured = grey + (not is_coloured), coloured + is_coloured
  log.once(
    f'{dataset}: images are read in {"colour" if coloured else "grey"}: '
    f'{coloured} of {grey + coloured} files sampled are in colour'
  )
  return 3 if coloured or not grey else 1


def read_file(path: str) -> bytes:
  """The content of a file of an image.

  Raises:
    DataError: it can't be read.
  """
  try:
    with open(path, 'rb') as f:
      return f.read()
  except OSError as e:
    raise errors.DataError(
      f'{path} must be readable, got: {e.strerror or e}.'
    ) from e
