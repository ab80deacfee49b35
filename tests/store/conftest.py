"""A store of examples, and ways to put models into it."""

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from overlap import store
from overlap.store import schema

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATASET, SPLIT = 'shapes', 'test'


@dataclasses.dataclass
class Builder:
  """A workdir whose examples are stored."""

  workdir: pathlib.Path
  num_examples: int
  num_classes: int

  def writer(self, model: str, **kwargs) -> store.RecordWriter:
    return store.RecordWriter(
      self.workdir, dataset=DATASET, split=SPLIT, model=model, **kwargs
    )

  def logits(self, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (self.num_examples, self.num_classes)
    return rng.normal(size=shape).astype(np.float32)

  def add(
    self, model: str, batch: int = 7, record: dict | None = None, **values
  ) -> dict:
    """Writes a model's arrays in batches."""
    with self.writer(model) as writer:
      for name, value in values.items():
        writer.create(name, shape=value.shape, dtype=value.dtype)
        for start in range(0, len(value), batch):
          writer.write(name, start, value[start : start + batch])
      return writer.finish(record or {})

  def read(self, model: str, *args) -> np.ndarray:
    return store.Store(self.workdir).read(DATASET, SPLIT, model, *args)

  def models(self) -> list[str]:
    return store.Store(self.workdir).models(DATASET, SPLIT)

  def faults(self) -> list[str]:
    return list(store.check_store(self.workdir))

  def folder(self, model: str) -> pathlib.Path:
    folder = schema.model_folder(self.workdir, DATASET, SPLIT, model)
    return pathlib.Path(os.fspath(folder))

  @property
  def split_folder(self) -> pathlib.Path:
    return self.workdir / 'predictions' / DATASET / SPLIT

  def run(self, code: str, *, arguments: Sequence[str] = ()):
    """Starts another Python on `code`, with the workdir as its argument."""
    return subprocess.Popen(
      [sys.executable, '-c', code, str(self.workdir), *arguments],
      env={**os.environ, 'PYTHONPATH': str(ROOT)},
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )


@pytest.fixture
def build(tmp_path) -> Callable[..., Builder]:
  """Stores `num_examples` examples of `num_classes` classes."""

  def make(num_examples: int, num_classes: int = 3, name: str = 'w') -> Builder:
    workdir = tmp_path / name
    store.write_examples(
      workdir,
      dataset=DATASET,
      split=SPLIT,
      ids=[f'id-{index}' for index in range(num_examples)],
      labels=np.arange(num_examples) % num_classes,
      class_names=[f'class {index}' for index in range(num_classes)],
    )
    return Builder(workdir, num_examples, num_classes)

  return make


@pytest.fixture
def small_chunks(monkeypatch):
  """Chunks of 64 bytes, so that small arrays have many."""
  monkeypatch.setattr(schema, 'CHUNK_BYTES', 64)
