"""Tests of overlap.data.fashion_mnist: where the files come from."""

import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from overlap.core import errors
from overlap.data import fashion_mnist, idx, tfds_downloads

PACKAGE = 'apt-get download'
UNPACK = 'dpkg-deb -x'


class Ways:
  """A machine on which Fashion-MNIST has 5 + 3 images."""

  def __init__(self, root, commands, write):
    self.data_dir = root / 'data'
    self.own = self.data_dir / 'fashion-mnist'
    self.installed = root / 'installed'
    self.tfds = root / 'tfds'
    self.commands = commands
    self.downloads = []
    self._write = write

  def write(self, folder, train=5, test=3):
    self._write(folder, train=train, test=test)

  def put_into_package(self, **counts):
    self.write(self.commands.tree / fashion_mnist._IN_PACKAGE, **counts)

  def put_into_downloads(self, folder):
    self.write(folder / 'downloads' / 'fashion_mnist')
    for file in fashion_mnist.FILES:
      path = folder / 'downloads' / 'fashion_mnist' / file
      info = {'dataset_names': ['fashion_mnist'], 'original_fname': file}
      path.with_name(f'{file}.INFO').write_text(json.dumps(info))

  def download(self, folder, dataset):
    assert dataset == 'fashion_mnist'
    self.downloads.append(folder)
    raise errors.DataError("TFDS's download took longer than 45 s")


@pytest.fixture
def ways(tmp_path, monkeypatch, commands, write_idx_splits):
  ways = Ways(tmp_path, commands, write_idx_splits)
  monkeypatch.setattr(fashion_mnist, 'COUNTS', {'train': 5, 'test': 3})
  monkeypatch.setattr(fashion_mnist, '_INSTALLED', str(ways.installed))
  monkeypatch.setattr(tfds_downloads, 'download', ways.download)
  monkeypatch.setenv('TFDS_DATA_DIR', str(ways.tfds))
  commands.plan(apt_get__download='fail', apt_get__update='fail')
  return ways


def check_own(ways, folder):
  """The four files, and nothing else, lie in the folder of our own."""
  assert folder == str(ways.own)
  assert sorted(os.listdir(ways.own)) == sorted(fashion_mnist.FILES)


def test_files_in_the_data_folder_come_first(ways):
  ways.write(ways.data_dir)
  ways.write(ways.own)
  ways.write(ways.installed)
  assert fashion_mnist.obtain(str(ways.data_dir)) == str(ways.data_dir)
  assert ways.commands.calls == []


def test_then_those_in_its_own_folder(ways):
  ways.write(ways.own)
  ways.write(ways.installed)
  assert fashion_mnist.obtain(str(ways.data_dir)) == str(ways.own)
  assert ways.commands.calls == []


def test_then_those_that_are_installed(ways):
  ways.write(ways.installed)
  # An incomplete folder is none.
  ways.write(ways.own)
  (ways.own / fashion_mnist.FILES[3]).unlink()
  assert fashion_mnist.obtain(str(ways.data_dir)) == str(ways.installed)
  assert ways.commands.calls == []


def test_then_the_package(ways):
  ways.put_into_package()
  ways.put_into_downloads(ways.tfds)
  ways.commands.plan(apt_get__download='ok')
  check_own(ways, fashion_mnist.obtain(str(ways.data_dir)))
  assert ways.commands.names == [PACKAGE, UNPACK]
  # The second time they are there.
  check_own(ways, fashion_mnist.obtain(str(ways.data_dir)))
  assert ways.commands.names == [PACKAGE, UNPACK]


@pytest.mark.parametrize('place', ['data_dir', 'tfds'])
def test_then_what_tfds_has_downloaded(ways, place):
  ways.put_into_downloads(getattr(ways, place))
  check_own(ways, fashion_mnist.obtain(str(ways.data_dir)))
  assert ways.commands.names == [PACKAGE, 'apt-get update']
  assert ways.downloads == []


def test_then_tfds_downloads(ways, monkeypatch):
  def download(folder, dataset):
    ways.downloads.append(dataset)
    ways.put_into_downloads(pathlib.Path(folder))

  monkeypatch.setattr(tfds_downloads, 'download', download)
  check_own(ways, fashion_mnist.obtain(str(ways.data_dir)))
  assert ways.downloads == ['fashion_mnist']


def test_where_there_is_no_way_all_reasons_are_one_line(ways):
  with pytest.raises(errors.DataError) as error:
    fashion_mnist.obtain(str(ways.data_dir))
  text = str(error.value)
  assert '\n' not in text
  assert str(ways.own) in text
  assert 'the Debian package: apt-get failed (E: no such luck); ' in text
  assert "TFDS: TFDS's download took longer than 45 s." in text
  assert os.listdir(ways.own) == []


@pytest.mark.parametrize('counts', [{'train': 4}, {'test': 4}])
def test_a_package_with_other_counts_is_not_placed(ways, counts):
  ways.put_into_package(**counts)
  ways.commands.plan(apt_get__download='ok')
  with pytest.raises(errors.DataError, match='must have images'):
    fashion_mnist.obtain(str(ways.data_dir))
  assert os.listdir(ways.own) == []


def test_a_truncated_file_is_not_placed(ways):
  ways.put_into_package()
  path = ways.commands.tree / fashion_mnist._IN_PACKAGE / fashion_mnist.FILES[0]
  path.write_bytes(path.read_bytes()[:-20])
  ways.commands.plan(apt_get__download='ok')
  with pytest.raises(errors.DataError, match='must be readable'):
    fashion_mnist.obtain(str(ways.data_dir))
  assert os.listdir(ways.own) == []


def test_a_folder_that_cannot_be_made_is_a_fault(ways):
  ways.data_dir.write_text('a file')
  with pytest.raises(errors.DataError, match='must be writable'):
    fashion_mnist.obtain(str(ways.data_dir))


def load(data_dir, split):
  return fashion_mnist.SOURCE.load(
    dataset='fashion_mnist', split=split, data_dir=str(data_dir),
    image_size=0, channels=0,
  )  # fmt: skip


def test_load(ways):
  ways.write(ways.own)
  train = load(ways.data_dir, 'train')
  assert train.ids.tolist() == [f'train/0000{i}' for i in range(5)]
  assert len(train.class_names) == 10
  assert train.class_names[9] == 'Ankle boot'
  assert (train.image_size, train.channels) == (28, 1)
  np.testing.assert_array_equal(train.labels(), np.arange(5))
  assert load(ways.data_dir, 'test').ids[-1] == 'test/00002'
  with pytest.raises(errors.UsageError, match='Choices: train, test'):
    load(ways.data_dir, 'heldout')


def test_load_checks_what_lies_there(ways):
  ways.write(ways.own, train=6)
  with pytest.raises(errors.DataError, match=r'must have images \[5, 28, 28\]'):
    load(ways.data_dir, 'train')


def state(folder):
  """Every file of a folder with its time of change."""
  return {
    path: path.lstat().st_mtime_ns for path in pathlib.Path(folder).rglob('*')
  }


@pytest.mark.slow
def test_the_real_package(tmp_path, monkeypatch):
  if not shutil.which('apt-cache') or not shutil.which('apt-get'):
    pytest.skip('no apt here')
  known = subprocess.run(
    ['apt-cache', 'show', fashion_mnist._PACKAGE], capture_output=True
  )
  if known.returncode:
    pytest.skip(f'apt knows no {fashion_mnist._PACKAGE} here')
  monkeypatch.setattr(fashion_mnist, '_INSTALLED', str(tmp_path / 'none'))
  system = ('/var/lib/apt', '/var/cache/apt', '/var/lib/dpkg')
  before = [state(folder) for folder in system]
  folder = fashion_mnist.obtain(str(tmp_path))
  assert [state(folder) for folder in system] == before
  assert sorted(os.listdir(folder)) == sorted(fashion_mnist.FILES)
  for split, per_class in (('train', 6000), ('test', 1000)):
    examples = load(tmp_path, split)
    assert len(examples) == 10 * per_class
    np.testing.assert_array_equal(
      np.bincount(examples.labels()), [per_class] * 10
    )
  images, labels = idx.read_split(folder, 'train')
  # The first training image is an ankle boot; the published mean of all
  # pixels is 0.2860.
  assert labels[0] == 9
  assert images.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
