"""Tests of overlap.data.cifar10: a tree of files, else TFDS."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from overlap.core import errors
from overlap.data import cifar10


def write_tree(root, classes):
  for split in ('train', 'test'):
    for label, name in enumerate(classes):
      path = root / split / name / '0001.png'
      path.parent.mkdir(parents=True)
      Image.fromarray(np.full((32, 32, 3), label, np.uint8)).save(path)


def load(data_dir, split='test'):
  return cifar10.SOURCE.load(
    dataset='cifar10', split=split, data_dir=str(data_dir), image_size=0,
    channels=0,
  )  # fmt: skip


@pytest.fixture(autouse=True)
def no_tfds_folder(tmp_path, monkeypatch):
  monkeypatch.setattr(tfds.core.constants, 'DATA_DIR', str(tmp_path / 'tfds'))


@pytest.mark.parametrize('where', ['cifar10', '.'])
def test_a_tree(tmp_path, where):
  write_tree(tmp_path / where, cifar10.CLASS_NAMES)
  cifar10.SOURCE.obtain(dataset='cifar10', data_dir=str(tmp_path))
  test = load(tmp_path)
  assert test.dataset == 'cifar10'
  assert test.class_names == cifar10.CLASS_NAMES
  assert test.ids[3] == 'test/cat/0001.png'
  batch = test.fetch(np.arange(10))
  np.testing.assert_array_equal(batch['image'][:, 9, 9, 0], np.arange(10))
  np.testing.assert_array_equal(batch['label'], np.arange(10))


def test_another_tree_is_not_cifar10(tmp_path):
  write_tree(tmp_path, ['boots', 'bags'])
  with pytest.raises(errors.DataError, match=r'no tree .* and tfds:cifar10'):
    load(tmp_path)


def test_neither_is_one_line(tmp_path):
  with pytest.raises(errors.DataError) as error:
    cifar10.SOURCE.obtain(dataset='cifar10', data_dir=str(tmp_path))
  assert '\n' not in str(error.value)
  assert 'tfds build cifar10 --file_format=array_record' in str(error.value)


def test_tfds_where_there_is_no_tree(tmp_path, prepare_tfds):
  features = tfds.features.FeaturesDict({
    'image': tfds.features.Image(shape=(32, 32, 3)),
    'label': tfds.features.ClassLabel(names=cifar10.CLASS_NAMES),
  })  # fmt: skip
  stream = io.BytesIO()
  Image.fromarray(np.full((32, 32, 3), 5, np.uint8)).save(stream, 'PNG')
  stream.seek(0)
  prepare_tfds(
    tmp_path,
    {'test': [{'image': stream, 'label': 8}]},
    features=features,
    name='cifar10',
  )
  cifar10.SOURCE.obtain(dataset='cifar10', data_dir=str(tmp_path))
  test = load(tmp_path)
  assert test.dataset == 'cifar10'
  assert test.ids.tolist() == ['test/00000000']
  assert test.class_names == cifar10.CLASS_NAMES
  assert np.all(test.fetch([0])['image'] == 5)
