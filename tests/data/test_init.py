"""Tests of overlap.data: load_examples and obtain."""

import importlib

import numpy as np
import pytest
from absl import logging
from PIL import Image

from overlap import data
from overlap.catalog import class_lists
from overlap.core import errors
from overlap.data import fashion_mnist, splits, views


@pytest.fixture
def folder(tmp_path, write_idx_splits):
  """A data_dir with idx:tiny (30 + 6 of 28x28) and image_folder:pets."""
  write_idx_splits(tmp_path / 'tiny', train=30, test=6)
  for label, name in enumerate(['cat', 'dog']):
    for i in range(10):
      path = tmp_path / 'pets' / 'train' / name / f'{i}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      pixels = np.full((8, 8, 3), 100 * label + i, np.uint8)
      Image.fromarray(pixels).save(path)
  return str(tmp_path)


def load(folder, spec='train', dataset='idx:tiny', split='train', **options):
  return data.load_examples(
    dataset=dataset, split=split, spec=spec, data_dir=folder, **options
  )


def test_the_whole_split(folder):
  train = load(folder)
  assert (train.dataset, train.split, len(train)) == ('idx:tiny', 'train', 30)
  np.testing.assert_array_equal(train.labels(), np.arange(30) % 10)
  assert load(folder, 'test', split='anything').split == 'anything'


def test_slices_are_named_as_asked_and_partition(folder):
  whole = load(folder)
  train = load(folder, 'train[20%:]')
  heldout = load(folder, 'train[:20%]', split='heldout')
  assert (train.split, heldout.split) == ('train', 'heldout')
  assert (len(train), len(heldout)) == (24, 6)
  assert sorted([*train.ids, *heldout.ids]) == sorted(whole.ids)
  positions = splits.parse('train[:20%]').positions(whole.ids)
  assert heldout.ids.tolist() == whole.ids[positions].tolist()
  batch = heldout.fetch(np.arange(6))
  np.testing.assert_array_equal(batch['image'][:, 0, 0, 0], positions)
  np.testing.assert_array_equal(batch['label'], positions % 10)


def test_image_size_is_had_from_every_source(folder):
  for dataset in ('idx:tiny', 'image_folder:pets'):
    small = load(folder, 'train[:5]', dataset=dataset, image_size=4)
    assert small.image_size == 4
    assert small.fetch([0, 4])['image'].shape[1:3] == (4, 4)


def test_small_splits_are_decoded_once(folder, monkeypatch):
  pets = load(folder, 'train[:50%]', dataset='image_folder:pets')
  assert pets.in_memory
  first = pets.fetch(np.arange(10))
  monkeypatch.setattr('overlap.data.images.decode', None)
  np.testing.assert_array_equal(
    pets.fetch(np.arange(10))['image'], first['image']
  )


def test_large_splits_are_not_kept(folder, monkeypatch):
  size = 20 * 8 * 8 * 3
  monkeypatch.setattr(data, 'CACHE_BYTES', size)
  assert load(folder, dataset='image_folder:pets').in_memory
  monkeypatch.setattr(data, 'CACHE_BYTES', size - 1)
  pets = load(folder, dataset='image_folder:pets')
  assert not pets.in_memory
  assert pets.fetch([19])['image'][0, 0, 0, 0] == 109


def test_arrays_are_not_copied(folder):
  assert isinstance(load(folder), data.ArrayExamples)
  assert isinstance(load(folder, 'train[:5]'), views.Selected)


def test_channels(folder):
  assert load(folder, channels=1).channels == 1
  pets = load(folder, dataset='image_folder:pets', channels=1)
  assert pets.fetch([19])['image'].shape == (1, 8, 8, 1)
  with pytest.raises(errors.UsageError, match='got channels=3'):
    load(folder, channels=3)


@pytest.mark.parametrize(
  ('dataset', 'text'),
  [
    ('fashion-mnist', "Did you mean 'fashion_mnist'"),
    ('cifar100', "Did you mean 'cifar10'"),
    ('imagenet', 'Choices: cifar10, fashion_mnist, foolbox_imagenet, idx, '),
    ('', 'Choices: cifar10'),
  ],
)
def test_an_unknown_data_set_lists_the_choices(dataset, text):
  with pytest.raises(errors.UsageError, match=text):
    load('', dataset=dataset)
  with pytest.raises(errors.UsageError, match=text):
    data.obtain(dataset, data_dir='', fallback='mnist_5k')


def test_every_source_has_one():
  for target in data.SOURCES.values():
    module, name = target.split(':')
    source = getattr(importlib.import_module(module), name)
    assert callable(source.obtain)
    assert callable(source.load)


def test_the_default_folder_is_data(folder, monkeypatch):
  monkeypatch.chdir(folder)
  with pytest.raises(errors.DataError, match='data/tiny'):
    load('')


@pytest.fixture
def warnings(monkeypatch):
  lines = []
  monkeypatch.setattr(
    logging, 'warning', lambda text, *args: lines.append(text % args)
  )
  return lines


def test_obtain_gives_the_data_set_where_it_can_be_had(folder, warnings):
  assert data.obtain('idx:tiny', data_dir=folder) == 'idx:tiny'
  assert (
    data.obtain('idx:tiny', data_dir=folder, fallback='mnist_5k') == 'idx:tiny'
  )
  assert warnings == []


def test_obtain_falls_back_with_one_line(folder, warnings, monkeypatch):
  def obtain(data_dir):
    raise errors.DataError(f'nothing\nin {data_dir}')

  monkeypatch.setattr(fashion_mnist, 'obtain', obtain)
  with pytest.raises(errors.DataError, match='nothing in'):
    data.obtain('fashion_mnist', data_dir=folder)
  assert warnings == []
  got = data.obtain('fashion_mnist', data_dir=folder, fallback='idx:tiny')
  assert got == 'idx:tiny'
  assert warnings == [
    f'idx:tiny takes the place of fashion_mnist: nothing in {folder}'
  ]


def test_obtain_raises_where_the_fallback_cannot_be_had_either(
  folder, monkeypatch
):
  def obtain(data_dir):
    raise errors.DataError('not reached')

  monkeypatch.setattr(fashion_mnist, 'obtain', obtain)
  with pytest.raises(errors.DataError, match='else'):
    data.obtain('fashion_mnist', data_dir=folder, fallback='image_folder:else')


@pytest.mark.parametrize(
  'dataset', ['image_folder:none', 'idx:none', 'tfds:none', 'cifar10']
)
def test_nothing_takes_the_place_of_what_is_never_fetched(
  folder, warnings, dataset
):
  with pytest.raises(errors.DataError, match=folder):
    data.obtain(dataset, data_dir=folder, fallback='idx:tiny')
  assert warnings == []
  assert data.stand_in(dataset, 'idx:tiny') == ''


def test_what_may_take_the_place_of_another():
  assert data.stand_in('fashion_mnist', 'mnist_5k') == 'mnist_5k'
  assert data.stand_in('fashion_mnist', '') == ''
  assert data.stand_in('of the store alone', 'mnist_5k') == ''


@pytest.fixture
def numbered_tree(tmp_path):
  """Folders 0 ... 11 of an image each, whose grey level is the number."""
  for number in range(12):
    path = tmp_path / f'tree/test/{number}/a.png'
    path.parent.mkdir(parents=True)
    Image.fromarray(np.full((4, 4), number, np.uint8)).save(path)
  return tmp_path


def test_labels_of_numbered_folders_are_their_numbers(numbered_tree, caplog):
  with caplog.at_level('INFO'):
    for _ in range(2):
      test = load(str(numbered_tree), 'test', dataset='image_folder:tree')
  images = test.fetch(np.arange(12))['image'][:, 0, 0, 0]
  np.testing.assert_array_equal(images, test.labels())
  assert caplog.text.count("12: '0', '1', '2', ..., '11'") == 1


def test_a_list_gives_the_order_and_the_slices_stay(numbered_tree, caplog):
  names = [str(number) for number in range(11, -3, -1)]
  where = {'dataset': 'image_folder:tree', 'split': 'test'}
  plain = load(str(numbered_tree), 'test[:50%]', **where)
  with caplog.at_level('INFO'):
    turned = load(str(numbered_tree), 'test[:50%]', classes=names, **where)
  assert turned.ids.tolist() == plain.ids.tolist()
  np.testing.assert_array_equal(turned.labels(), 11 - plain.labels())
  assert turned.class_names == tuple(names)
  assert '12 of which are in test, 14:' in caplog.text


def test_a_part_of_imagenet_is_told_of_all_of_it(tmp_path, caplog):
  for name in ('n01443537', 'n01440764'):
    path = tmp_path / f'birds/test/{name}/a.png'
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
  where = {'dataset': 'image_folder:birds', 'split': 'test'}
  with caplog.at_level('INFO'):
    assert load(str(tmp_path), 'test', **where).labels().tolist() == [0, 1]
  assert 'config.data.classes=imagenet' in caplog.text
  known = class_lists.read_class_list(['imagenet'])
  test = load(str(tmp_path), 'test', classes=known, **where)
  assert (test.labels().tolist(), len(test.class_names)) == ([0, 1], 1000)
