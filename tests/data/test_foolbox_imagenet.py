"""Tests of overlap.data.foolbox_imagenet."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from overlap import data
from overlap.core import errors
from overlap.data import foolbox_imagenet, preparation

needs_foolbox = pytest.mark.skipif(
  importlib.util.find_spec('foolbox') is None, reason='foolbox is absent'
)


def load(split='test', image_size=0):
  return foolbox_imagenet.SOURCE.load(
    dataset='foolbox_imagenet', split=split, data_dir='',
    image_size=image_size, channels=0,
  )  # fmt: skip


@needs_foolbox
def test_twenty_photographs_of_a_thousand_classes():
  photographs = load()
  assert len(photographs) == 20
  assert len(photographs.class_names) == 1000
  assert photographs.ids[0] == 'imagenet_00_243.jpg'
  # The labels are in the names; 243 is the bull mastiff.
  labels = [int(name.split('_')[2].split('.')[0]) for name in photographs.ids]
  assert photographs.labels().tolist() == labels
  assert photographs.class_names[243] == 'n02108422'
  images = photographs.fetch([0, 19])['image']
  assert images.shape == (2, 224, 224, 3)
  assert images.std(axis=(1, 2)).min() > 10
  assert load(image_size=64).fetch([3])['image'].shape == (1, 64, 64, 3)


@needs_foolbox
def test_each_model_s_own_squares_come_from_the_photographs():
  way = preparation.Preparation(100, 'squash', 1.0, 'bicubic')
  prepared = data.prepare_examples(load(), way)
  own = prepared.fetch(np.arange(20))['image']
  assert own.shape == (20, 100, 100, 3)
  # Not squares of squares, which would be smoother.
  again, _ = load(image_size=100).read(np.arange(20))
  assert np.abs(own.astype(int) - again).max() > 0


@needs_foolbox
def test_another_split_names_the_choices():
  with pytest.raises(errors.UsageError, match='Choices: test'):
    load('train')


@needs_foolbox
def test_foolbox_is_not_imported():
  program = (
    'import sys; from overlap.data import foolbox_imagenet as f; '
    "f.SOURCE.obtain(dataset='', data_dir=''); "
    "assert 'foolbox' not in sys.modules"
  )
  subprocess.run([sys.executable, '-c', program], check=True, timeout=60)


def test_without_foolbox_the_line_says_what_to_install(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(errors.DataError, match=r'overlap\[pretrained\]'):
    load()
