"""Models of one study that see the same photographs prepared differently."""

import jax
import numpy as np
import pytest
from PIL import Image

from overlap import store
from overlap.config import schema
from overlap.data import augment, preparation
from overlap.data.preparation import Preparation
from overlap.stages import predict, train
from overlap.study import specs
from overlap.study.study import Study

RNG = np.random.default_rng(0)
PHOTOGRAPHS = [
  RNG.integers(0, 256, (*shape, 3), np.uint8)
  for shape in [(20, 31), (17, 12), (30, 30), (9, 40)]
]
HOW = {
  'base': Preparation(8, 'shorter_side', 0.8, 'bilinear'),
  'other': Preparation(12, 'crop_first', 0.9, 'bicubic', False, 'bgr'),
}


@pytest.fixture
def tree(tmp_path):
  """Two classes of two oblong photographs in the splits 'train' and 'test'."""
  for split in ('train', 'test'):
    for i, pixels in enumerate(PHOTOGRAPHS):
      path = tmp_path / 'tree' / split / 'ab'[i % 2] / f'{i}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(pixels).save(path)
  return tmp_path / 'tree'


def bound(tmp_path, tree, **changes):
  config = schema.study()
  config.data.dataset = 'image_folder'
  config.data.data_dir = str(tree)
  config.data.image_size = 4
  config.data.splits.heldout = 'test'
  config.predict.batch_size = 4
  for name, how in HOW.items():
    model = schema.model(
      'resnet', stage_sizes=(1,), block='basic', width=4, stem='small'
    )
    model.input.update(how._asdict())
    model.input.mean, model.input.std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    model.train.total_steps = 1
    model.train.batch_size = 4
    config.models[name] = model
  config.update_from_flattened_dict(changes)
  plain = schema.resolve(config)
  specs.check_specs(plain)
  return Study(plain, tmp_path / 'work')


@pytest.mark.slow
def test_each_model_is_shown_its_own(tmp_path, tree):
  study = bound(tmp_path, tree)
  train.train(study)
  predict.predict_all(study)
  reader = store.Store(study.path)
  # By class, and then by name.
  photographs = [PHOTOGRAPHS[i] for i in (0, 2, 1, 3)]
  for name, how in HOW.items():
    task = train.make_task(study, name)
    assert task.train.image_size == task.heldout.image_size == how.size
    images = np.stack([preparation.prepare(x, how) for x in photographs])
    want, _ = jax.jit(task.model.apply)(
      train.load(study, task),
      augment.normalise(
        images.astype('f') / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)
      ),
    )
    got = reader.read('image_folder', 'test', name, 'logits')
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert np.std(got, axis=0).min() > 1e-3


def test_without_a_size_it_is_the_datas(tmp_path, tree):
  study = bound(tmp_path, tree, **{'models.base.input.size': 0})
  task = train.make_task(study, 'base')
  assert task.train.image_size == task.model_input.size == 4


def test_without_a_rule_the_datas_squares_are_resized(tmp_path, tree):
  changes = {
    f'models.base.input.{field}': default
    for field, default in Preparation._field_defaults.items()
  }
  study = bound(tmp_path, tree, **changes | {'models.base.input.resize': ''})
  task = train.make_task(study, 'base')
  assert task.train is study.examples('train')
  assert (task.train.image_size, task.model_input.size) == (4, 8)
