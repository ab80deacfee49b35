"""`overlap analyse` on a store whose arrays were exchanged."""

import os

import numpy as np
import pytest
from etils import epath

from overlap import store
from overlap.core import errors
from overlap.stages import analyse


def build(workdir, *, features=False):
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 9, 300)
  store.write_examples(
    workdir,
    dataset='shapes',
    split='test',
    ids=[f'{i:03d}' for i in range(300)],
    labels=labels,
    class_names=[str(c) for c in range(9)],
  )
  for name in ('base', 'b', 'c', 'd'):
    logits = rng.normal(size=(300, 9)).astype(np.float32)
    logits[np.arange(300), labels] += 2
    with store.RecordWriter(
      workdir, dataset='shapes', split='test', model=name
    ) as writer:
      writer.create('logits', shape=logits.shape, dtype=logits.dtype)
      writer.write('logits', 0, logits)
      if features:
        writer.create('features', shape=logits.shape, dtype=logits.dtype)
        writer.write('features', 0, logits[:, ::-1])
      writer.finish({'category': 'ARCH', 'source': 'random'})


@pytest.mark.parametrize(
  ('name', 'table'), [('logits', 'models'), ('features', 'similarity')]
)
def test_another_models_arrays_are_refused_before_any_table(
  tmp_path, name, table
):
  build(tmp_path, features=True)
  folder = tmp_path / 'predictions' / 'shapes' / 'test'
  os.rename(folder / 'b' / name, folder / 'aside')
  os.rename(folder / 'c' / name, folder / 'b' / name)
  os.rename(folder / 'aside', folder / 'c' / name)
  options = {'tables': [table], 'resamples': 20}
  path = epath.Path(tmp_path)
  request = analyse.store_request(path, None, None, 'base', options=options)
  with pytest.raises(
    errors.DataError, match=rf"^{name} of model '[bc]' .* ingest it again\.$"
  ):
    analyse.analyse(path, request)
  assert not (tmp_path / 'tables').exists()
