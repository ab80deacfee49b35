"""A store of two models that nobody trained."""

import numpy as np
import pytest

from overlap import store


def _add_model(folder, name, seed=0, **more):
  rng = np.random.default_rng(seed)
  with store.RecordWriter(
    folder, dataset='toy', split='test', model=name, **more
  ) as writer:
    writer.create('logits', shape=(40, 3), dtype=np.float32)
    writer.write('logits', 0, rng.normal(size=(40, 3)).astype(np.float32))
    writer.finish({'source': 'test'})


@pytest.fixture(scope='session')
def add_model():
  """Adds a model's predictions, drawn from a seed, to such a store."""
  return _add_model


@pytest.fixture(scope='session')
def fill_store():
  """Makes a folder such a store; its models are 'base' and 'other'."""

  def fill(folder):
    store.write_examples(
      folder, dataset='toy', split='test', ids=[f'i{i}' for i in range(40)],
      labels=np.arange(40) % 3, class_names=['a', 'b', 'c'],
    )  # fmt: skip
    for seed, name in enumerate(('base', 'other')):
      _add_model(folder, name, seed)

  return fill
