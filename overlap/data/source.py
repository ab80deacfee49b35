"""Interface of a data source; each source's module has one as `SOURCE`."""

import dataclasses
import os
from typing import Protocol

from overlap.data.examples import Examples


class Obtain(Protocol):
  def __call__(self, *, dataset: str, data_dir: str) -> None:
    """Makes sure that the data set can be loaded, fetching it if need be.

    Raises:
      DataError: it can't be had; the text says why and what to do.
    """


class Load(Protocol):
  def __call__(
    self,
    *,
    dataset: str,
    split: str,
    data_dir: str,
    image_size: int,
    channels: int,
  ) -> Examples:
    """Opens one of the source's own splits, all of it.

    Args:
      dataset: name that the user gave: 'KIND' or 'KIND:NAME'.
      split: the source's name of the split.
      data_dir: where data lie.
      image_size: 0 for what the source has.
      channels: 0 for what the source has; sources that can't convert leave
        it to the caller to check.

    Raises:
      DataError: it can't be had.
      UsageError: no such split.
    """


class IsHere(Protocol):
  def __call__(self, *, dataset: str, data_dir: str) -> bool:
    """Returns whether the data set can be loaded without fetching anything."""


@dataclasses.dataclass(frozen=True)
class Source:
  """A source's functions; `is_here` is None where it never fetches."""

  obtain: Obtain
  load: Load
  is_here: IsHere | None = None


def folder(dataset: str, data_dir: str) -> str:
  """Returns data_dir/NAME for 'KIND:NAME', data_dir for 'KIND'."""
  name = dataset.partition(':')[2]
  return os.path.join(data_dir, name) if name else data_dir
