"""Examples whose images are encoded, as files are: decoded when asked for."""

import abc
from collections.abc import Callable

import numpy as np

from overlap import errors
from overlap.data import images as images_lib
from overlap.data.examples import Examples, Make


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
    """What error texts call an image."""
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
