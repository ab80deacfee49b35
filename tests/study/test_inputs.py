"""Data are opened before anything is trained, and no more than is needed."""

import numpy as np
import pytest
from PIL import Image

from overlap import store
from overlap.config import schema
from overlap.core import errors
from overlap.stages import inputs, run
from overlap.study import specs
from overlap.study.study import Study

LEARNED = {'models.base.train.total_steps': 1}


def write(root, *names, size=(8, 8), split='test'):
  for name in names:
    path = root / split / name / '0.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path)


def study(root, **changes):
  config = schema.study()
  config.data.dataset = 'image_folder'
  config.data.data_dir = str(root / 'tree')
  config.models.base = schema.model(
    'resnet', stage_sizes=(1,), block='basic', width=4, stem='small'
  )
  config.update_from_flattened_dict(changes)
  plain = schema.resolve(config)
  specs.check_specs(plain)
  return Study(plain, root / 'w')


@pytest.mark.parametrize('stages', [['train'], ['train', 'predict']])
@pytest.mark.parametrize(
  ('changes', 'told'),
  [
    ({'data.splits.train': 'trn'}, "'trn'.*Did you mean 'train'"),
    ({'data.splits.heldout': 'val'}, "'val'"),
    ({'data.splits.test': 'val'}, "'val'"),
    ({'data.dataset': 'image_folder:/none'}, '/none'),
    ({'transfer.dataset': 'image_folder:/none'}, '/none'),
    ({'data.splits.train': ''}, 'splits.train must name'),
    ({'data.classes': ('cat', 'fox')}, "'dog'"),
  ],
)
def test_nothing_is_trained_where_data_are_missing(
  tmp_path, stages, changes, told
):
  for split in ('train', 'test'):
    write(tmp_path / 'tree', 'cat', 'dog', split=split)
  with pytest.raises(errors.OverlapError, match=told):
    run.run_stages(study(tmp_path, **LEARNED, **changes), stages)
  assert not (tmp_path / 'w').exists()


def test_splits_must_have_the_same_classes_or_a_list_of_all(tmp_path):
  write(tmp_path / 'tree', 'cat', 'dog', 'fox', split='train')
  write(tmp_path / 'tree', 'dog')
  write(tmp_path / 'tree', 'unknown', split='unlabelled')
  with pytest.raises(errors.DataError, match=r"'train' and 'test'.*'cat'"):
    inputs.check_inputs(study(tmp_path, **LEARNED), ['train'], None)
  listed = study(tmp_path, **LEARNED, **{'data.classes': ('fox', 'dog', 'cat')})
  inputs.check_inputs(listed, ['train'], None)
  assert listed.examples('test').labels().tolist() == [1]
  assert listed.examples('train').labels().tolist() == [2, 1, 0]


def test_loaded_models_need_no_other_split_than_those_predicted(tmp_path):
  write(tmp_path / 'tree', 'cat', 'dog')
  made = study(tmp_path)
  run.run_stages(made, ['train', 'predict'])
  examples = store.Store(made.path).examples('image_folder', 'test')
  assert examples.class_names == ('cat', 'dog')


def test_models_with_rules_of_their_own_need_no_square_images(tmp_path):
  write(tmp_path / 'tree', 'cat', 'dog', size=(8, 9))
  rule = {'models.base.input.resize': 'squash', 'models.base.input.size': 6}
  run.run_stages(study(tmp_path, **rule), ['train', 'predict'])
  del rule['models.base.input.size']
  with pytest.raises(errors.DataError, match=r'input\.resize and input\.size'):
    inputs.check_inputs(study(tmp_path / '2', **rule, **{
      'data.data_dir': str(tmp_path / 'tree')
    }), ['train'], None)  # fmt: skip


def test_data_that_are_no_longer_needed_are_not_opened(tmp_path):
  write(tmp_path / 'tree', 'cat', 'dog')
  run.run_stages(study(tmp_path), ['train'])
  (tmp_path / 'tree/test').rename(tmp_path / 'tree/other')
  inputs.check_inputs(study(tmp_path), ['train'], None)
  with pytest.raises(errors.UsageError, match=r"'test'.* other"):
    inputs.check_inputs(study(tmp_path), ['train', 'predict'], None)


def test_another_list_of_classes_is_another_training(tmp_path):
  write(tmp_path / 'tree', 'cat', 'dog')
  first, *others = (
    specs.training_hash(
      study(tmp_path, **{'data.classes': classes}).config, 'base', 'd'
    )
    for classes in [(), ('cat', 'dog'), ('dog', 'cat')]
  )
  assert len({first, *others}) == 3
