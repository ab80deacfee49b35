"""Tests of overlap.data.tfds_source, on data sets prepared as TFDS does."""

import io
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from overlap.core import errors
from overlap.data import preparation, tfds_source

CLASSES = ['owl', 'pea', 'quill']


def encode(pixels, form='PNG'):
  stream = io.BytesIO()
  Image.fromarray(pixels.squeeze()).save(stream, form)
  stream.seek(0)
  return stream


def digits_features(shape=(8, 8, 1)):
  return tfds.features.FeaturesDict({
    'image': tfds.features.Image(shape=shape),
    'label': tfds.features.ClassLabel(names=CLASSES),
    'note': tfds.features.Text(),
  })  # fmt: skip


def make_digits(count, seed=0):
  images = np.random.default_rng(seed).integers(
    0, 256, (count, 8, 8, 1), np.uint8
  )
  return images, [
    {'image': encode(image), 'label': i % 3, 'note': f'number {i}'}
    for i, image in enumerate(images)
  ]


@pytest.fixture
def digits(tmp_path, prepare_tfds):
  """Returns (data_dir, images of train [50, 8, 8, 1])."""
  images, train = make_digits(50)
  _, test = make_digits(7, seed=1)
  prepare_tfds(
    tmp_path, {'train': train, 'test': test}, features=digits_features()
  )
  return tmp_path, images


def load(data_dir, split='train', dataset='tfds:tiny', **options):
  options = {'image_size': 0, 'channels': 0} | options
  return tfds_source.SOURCE.load(
    dataset=dataset, split=split, data_dir=str(data_dir), **options
  )


def test_prepared_images_are_made_of_the_originals(tmp_path, prepare_tfds):
  rng = np.random.default_rng(0)
  originals = [
    rng.integers(0, 256, (*shape, 3), np.uint8)
    for shape in [(20, 31), (17, 12), (9, 9)]
  ]
  records = [
    {'image': encode(image), 'label': i} for i, image in enumerate(originals)
  ]
  prepare_tfds(tmp_path, {'train': records})
  train = load(tmp_path, image_size=4)
  how = preparation.Preparation(8, 'crop_first', antialias=False)
  images, labels = train.read_prepared(np.array([2, 0, 1]), how)
  np.testing.assert_array_equal(labels, [2, 0, 1])
  want = [preparation.prepare(originals[i], how) for i in (2, 0, 1)]
  np.testing.assert_array_equal(images, want)


def test_a_prepared_split(digits):
  data_dir, images = digits
  tfds_source.SOURCE.obtain(dataset='tfds:tiny', data_dir=str(data_dir))
  train = load(data_dir)
  assert len(train) == 50
  assert train.ids[[0, 49]].tolist() == ['train/00000000', 'train/00000049']
  assert train.class_names == tuple(CLASSES)
  assert (train.image_size, train.channels) == (8, 1)
  np.testing.assert_array_equal(train.labels(), np.arange(50) % 3)
  # Over the ends of shards (20, 40), in any order, repeated.
  order = np.array([45, 0, 19, 20, 0, 39, 40, 49])
  batch = train.fetch(order)
  np.testing.assert_array_equal(batch['image'], images[order])
  np.testing.assert_array_equal(batch['label'], order % 3)
  assert train.fetch([])['image'].shape == (0, 8, 8, 1)
  assert len(load(data_dir, 'test')) == 7


def test_images_agree_with_tfds_own_decoding(digits):
  data_dir, _ = digits
  builder = tfds.core.read_only_builder.builder_from_files(
    'tiny', data_dir=str(data_dir)
  )
  expected = builder.as_data_source('train')
  batch = load(data_dir).fetch(np.arange(50))
  for i in range(50):
    np.testing.assert_array_equal(batch['image'][i], expected[i]['image'])
    assert batch['label'][i] == expected[i]['label']


def test_channels_and_image_size_are_converted(digits):
  data_dir, images = digits
  rgb = load(data_dir, channels=3).fetch([5])['image']
  np.testing.assert_array_equal(rgb[0], np.repeat(images[5], 3, -1))
  assert load(data_dir, image_size=4).fetch([5])['image'].shape == (1, 4, 4, 1)


def test_photographs_of_any_size(tmp_path, prepare_tfds):
  def photo(height, width):
    pixels = np.full((height, width, 3), 9, np.uint8)
    return {'image': encode(pixels), 'label': 0}

  photos = {'train': [photo(6, 6), photo(9, 6)], 'oblong': [photo(9, 6)]}
  prepare_tfds(tmp_path, photos, config='wild')
  train = load(tmp_path, dataset='tfds:tiny/wild')
  assert train.image_size == 6
  with pytest.raises(errors.DataError, match='6x9 for train/00000001'):
    train.fetch([0, 1])
  with pytest.raises(errors.DataError, match='set image_size'):
    load(tmp_path, 'oblong', dataset='tfds:tiny/wild')
  images = load(tmp_path, dataset='tfds:tiny/wild', image_size=5).fetch([0, 1])
  assert np.all(images['image'] == 9)


def test_no_label_names_the_id(tmp_path, prepare_tfds):
  image = np.zeros((4, 4, 3), np.uint8)
  examples = [{'image': encode(image), 'label': label} for label in (1, -1)]
  prepare_tfds(tmp_path, {'test': examples})
  test = load(tmp_path, 'test')
  with pytest.raises(errors.DataError, match=r"got -1 .*'test/00000001'"):
    test.fetch([0, 1])
  with pytest.raises(errors.DataError, match='test/00000001'):
    test.labels()


def test_another_split_lists_the_splits(digits):
  with pytest.raises(errors.UsageError, match='Choices: train, test'):
    load(digits[0], 'validation')


def test_a_data_set_without_image_or_label_is_a_fault(tmp_path, prepare_tfds):
  features = tfds.features.FeaturesDict({'text': tfds.features.Text()})
  prepare_tfds(tmp_path, {'train': [{'text': 'a'}]}, features=features)
  with pytest.raises(errors.DataError, match="must have the features 'image'"):
    load(tmp_path)


def test_other_formats_are_a_fault(digits):
  data_dir, _ = digits
  path = data_dir / 'tiny' / '1.0.0' / 'dataset_info.json'
  info = json.loads(path.read_text())
  assert info['fileFormat'] == 'array_record'
  path.write_text(json.dumps(info | {'fileFormat': 'riegeli'}))
  with pytest.raises(errors.DataError) as error:
    load(data_dir)
  assert '\n' not in str(error.value)
  assert 'array_record or TFRecord, got riegeli' in str(error.value)
  assert str(path.parent) in str(error.value)


@pytest.mark.parametrize('name', ['cifar10', 'imagenet2012', 'no_such_data'])
def test_what_is_not_prepared_says_how_to_and_does_not_wait(
  tmp_path, monkeypatch, name
):
  monkeypatch.setattr(tfds.core.constants, 'DATA_DIR', str(tmp_path / 'tfds'))
  start = time.monotonic()
  with pytest.raises(errors.DataError) as error:
    load(tmp_path, dataset=f'tfds:{name}')
  assert time.monotonic() - start < 20
  assert '\n' not in str(error.value)
  assert f'tfds build {name} --file_format=array_record' in str(error.value)
  assert not list(tmp_path.iterdir())


def test_tfds_own_folder_is_looked_into(digits, tmp_path, monkeypatch):
  data_dir, _ = digits
  monkeypatch.setattr(tfds.core.constants, 'DATA_DIR', str(data_dir))
  assert len(load(tmp_path / 'elsewhere')) == 50


def test_a_missing_name_is_a_usage_error(tmp_path):
  with pytest.raises(errors.UsageError, match='tfds:NAME'):
    load(tmp_path, dataset='tfds')


@pytest.mark.parametrize('fault', ['truncated', 'absent', 'garbled'])
def test_faulty_files_are_a_fault(digits, fault):
  data_dir, _ = digits
  path = next((data_dir / 'tiny' / '1.0.0').glob('*train*-00001*'))
  content = path.read_bytes()
  path.unlink()
  if fault != 'absent':
    half = len(content) // 2
    path.write_bytes(content[:half] + b'x' * half * (fault == 'garbled'))
  train = load(data_dir)
  assert len(train.fetch([0, 45])['label']) == 2
  with pytest.raises(errors.DataError, match=r"tiny, split 'train'.* prepare"):
    train.fetch([25])


def test_tensorflow_is_never_imported(digits, tmp_path):
  # A tensorflow that can't be imported, so that a mere attempt shows also
  # where none is installed.
  (tmp_path / 'fake' / 'tensorflow').mkdir(parents=True)
  (tmp_path / 'fake' / 'tensorflow' / '__init__.py').write_text(
    "raise SystemExit('tensorflow was imported')"
  )
  program = (
    'import sys\n'
    'from overlap import data\n'
    "train = data.load_examples(dataset='tfds:tiny', split='train', "
    "spec='train[:50%]', data_dir=sys.argv[1])\n"
    "assert train.fetch([0, 1])['label'].shape == (2,)\n"
    'assert len(train.labels()) == 25\n'
    "assert 'tensorflow' not in sys.modules\n"
    "print('done')"
  )
  paths = [str(tmp_path / 'fake'), *filter(None, sys.path)]
  root = str(pathlib.Path(tfds_source.__file__).parents[2])
  done = subprocess.run(
    [sys.executable, '-c', program, str(digits[0])],
    env={**os.environ, 'PYTHONPATH': os.pathsep.join([*paths, root])},
    capture_output=True, text=True, timeout=120,
  )  # fmt: skip
  assert done.stdout == 'done\n', done.stderr
