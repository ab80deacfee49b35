"""Stored features of three splits, normalised, for subsets of dimensions."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from overlap import store
from overlap.core import errors, files
from overlap.distributed import processes
from overlap.probes import normalise
from overlap.probes.rows import Rows

# Largest size in bytes of a model's features of a split kept in memory.
_KEPT = 2**28


class Where(NamedTuple):
  """A split of the store."""

  dataset: str
  split: str


class Dimensions(NamedTuple):
  """A subset of the dimensions of a model's features."""

  model: str
  chosen: np.ndarray  # int [D]


class Splits:
  """Features and labels of a training, a held-out and a test split.

  With several processes, each has a part of the training and held-out rows, as
  `overlap.probes` requires, and all of the test split.
  """

  def __init__(
    self,
    reader: store.Store,
    train: Where,
    heldout: Where,
    test: Where,
    normalisation: str,
  ):
    self._reader = reader
    self._normalisation = normalisation
    self.train, self.heldout, self.test = train, heldout, test

  @functools.cache  # noqa: B019 (lives as long as one analysis)
  def examples(self, where: Where):
    """Returns ids, labels and targets of all of a split's examples."""
    return self._reader.examples(*where)

  def own(self, where: Where) -> slice:
    """Returns the rows of a split that belong to this process."""
    count = len(self.examples(where).labels)
    if where == self.test:
      return slice(0, count)
    return slice(*processes.own_rows(count))

  def labels(self, where: Where) -> np.ndarray:
    """Labels of this process's rows, int32 `[n]`."""
    return self.examples(where).labels[self.own(where)]

  def width(self, model: str) -> int:
    """Number of dimensions of a model's features; 0 if a split lacks them."""
    widths = set()
    for where in (self.train, self.heldout, self.test):
      record = self._reader.record(*where, model)
      entry = (record or {'arrays': {}})['arrays'].get('features')
      widths.add(int(entry['shape'][1]) if entry else 0)
    if len(widths) > 1 and 0 not in widths:
      raise errors.DataError(
        f'Features of {model!r} must be equally wide on all splits, got '
        f'{", ".join(map(str, sorted(widths)))}.'
      )
    return min(widths)

  def record(self, where: Where, model: str) -> dict[str, Any]:
    """Returns the record of a model, which must exist."""
    record = self._reader.record(*where, model)
    assert record is not None
    return record

  def checksums(self, models: Sequence[str]) -> list[str]:
    """Checksums of the models' features, and of ids and labels."""
    found = []
    for where in (self.train, self.heldout, self.test):
      examples = self.examples(where)
      found += [examples.ids_hash, files.array_digest(examples.labels)]
      for model in models:
        arrays = self.record(where, model)['arrays']
        found.append(arrays['features']['sha256'])
    return found

  @functools.cache  # noqa: B019 (as above)
  def normalisation(self, model: str) -> normalise.Normalisation:
    """Fits a model's normalisation to the training split."""
    return normalise.measure_statistics(
      self._raw(model, self.train), self._normalisation
    )

  @functools.cache  # noqa: B019 (as above)
  def variances(self, model: str) -> np.ndarray:
    """Variances of dimensions before standardisation, float64 `[D]`."""
    kind = 'l2' if self._normalisation.startswith('l2') else 'none'
    raw = self._raw(model, self.train)

    def read(start: int, stop: int) -> np.ndarray:
      block = np.asarray(raw.read(start, stop), np.float32)
      return normalise.lengths_one(block, kind)

    spread = normalise.measure_statistics(
      dataclasses.replace(raw, read=read), 'standardise'
    ).std
    return np.where(np.isinf(spread), 0, spread) ** 2

  def rows(self, parts: Sequence[Dimensions], where: Where) -> Rows:
    """Normalised dimensions of models side by side, `[n, D_1 + D_2 ...]`."""
    parts = [part for part in parts if len(part.chosen)]

    def read(start: int, stop: int) -> np.ndarray:
      return np.concatenate(
        [
          self._normalised(part.model, where, start, stop)[:, part.chosen]
          for part in parts
        ],
        axis=1,
      )

    width = sum(len(part.chosen) for part in parts)
    return Rows(read, (len(self.labels(where)), width), where.split)

  def _normalised(
    self, model: str, where: Where, start: int, stop: int
  ) -> np.ndarray:
    kept = self._in_memory(model, where)
    if kept is not None:
      return kept[start:stop]
    raw = self._raw(model, where).read(start, stop)
    return self.normalisation(model)(raw)

  @functools.lru_cache(maxsize=12)  # noqa: B019 (as above)
  def _in_memory(self, model: str, where: Where) -> np.ndarray | None:
    raw = self._raw(model, where)
    if 4 * raw.shape[0] * raw.shape[1] > _KEPT:
      return None
    normal = self.normalisation(model)
    return np.concatenate([normal(block) for _, block in raw.blocks()])

  def _raw(self, model: str, where: Where) -> Rows:
    own = self.own(where)
    count, width = len(self.labels(where)), self.width(model)

    def read(start: int, stop: int) -> np.ndarray:
      return self._reader.read(
        *where, model, 'features', own.start + start, own.start + stop
      )

    return Rows(read, (count, width), f'{where.split} ({model!r})')
