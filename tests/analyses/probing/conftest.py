"""A store of models whose features tell the classes, in parts."""

import numpy as np
import pytest

from overlap import store
from overlap.catalog import categories

CLASSES = 4
SPLITS = {'probe_train': 300, 'probe_heldout': 120, 'test': 200}
# From a model to how it was trained; each category has its own features.
AXES = {
  'base': {},
  'reinit': {'seed': '1'},
  'wide': {'architecture': 'wide'},
  'other': {'dataset': 'other'},
}


def features_of(model, labels, latent, rng):
  """Noisy views of the classes: 'other' sees what 'base' does not."""
  signal = np.eye(CLASSES)[labels]
  width = {'wide': 20}.get(model, 8)
  seen = signal[:, 2:] if model == 'other' else signal[:, :2]
  mixed = np.random.default_rng(width).normal(size=(seen.shape[1], width))
  noise = rng.normal(size=(len(labels), width))
  return (seen @ mixed + 0.5 * noise + 3).astype(np.float32)


def write(workdir, models=AXES, splits=SPLITS, seed=0):
  rng = np.random.default_rng(seed)
  for split, count in splits.items():
    labels = rng.integers(0, CLASSES, count)
    ids = [f'{split}/{i}' for i in range(count)]
    store.write_examples(
      workdir, dataset='toy', split=split, ids=ids, labels=labels,
      class_names=[str(c) for c in range(CLASSES)],
    )  # fmt: skip
    for model, own in models.items():
      arrays = {'features': features_of(model, labels, None, rng)}
      if split == 'test':
        logits = rng.normal(size=(count, CLASSES)) + 2 * np.eye(CLASSES)[labels]
        arrays['logits'] = logits.astype(np.float32)
      writer = store.RecordWriter(
        workdir, dataset='toy', split=split, model=model
      )
      with writer:
        for name, values in arrays.items():
          writer.create(name, shape=values.shape, dtype=values.dtype)
          writer.write(name, 0, values)
        axes = dict.fromkeys(categories.AXES, 'same') | own
        writer.finish({'source': 'test', 'axes': axes})


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('probing')
  write(folder)
  return folder
