"""Tests of overlap.data.trees."""

import collections
import os

import pytest

from overlap.core import errors
from overlap.data import trees


def make(root, *files):
  for name in files:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'')


def listed(root):
  return list(trees.list_split(str(root)).classes)


def test_classes_with_numbers_are_in_natural_order(tmp_path):
  make(tmp_path, *(f'{i}/a.png' for i in range(1000)))
  assert listed(tmp_path) == [str(i) for i in range(1000)]


def test_nested_folders_are_classes_called_by_their_paths(tmp_path):
  make(tmp_path, 'a/abbey/1.jpg', 'a/arch/1.jpg', 'c/church/indoor/1.jpg',
       'c/church/outdoor/1.jpg', 'zoo/1.jpg')  # fmt: skip
  assert listed(tmp_path) == [
    'a/abbey', 'a/arch', 'c/church/indoor', 'c/church/outdoor', 'zoo',
  ]  # fmt: skip


def test_images_below_the_images_of_a_class_are_refused(tmp_path):
  make(tmp_path, 'cat/1.jpg', 'cat/more/again/2.jpg')
  with pytest.raises(errors.DataError, match=r'/cat and in .*/cat/more/again'):
    trees.list_split(str(tmp_path))


def test_all_that_is_left_out_is_counted_by_its_reason(tmp_path):
  make(
    tmp_path, 'cat/1.jpg', 'cat/2.heic', 'cat/3.HEIC', 'cat/README', '5.jpg',
    'cat/.6.jpg', 'cat/notes/7.txt', '.ipynb_checkpoints/8.jpg',
    'cat/@eaDir/9.jpg', '__MACOSX/cat/10.jpg', 'cat/Thumbs.db',
  )  # fmt: skip
  found = trees.list_split(str(tmp_path))
  assert found.classes == {'cat': ['1.jpg']}
  assert found.left_out == {
    '.heic': 2, 'without a suffix': 1, "in no class's folder": 1, 'hidden': 1,
    '.txt': 1, 'folder .ipynb_checkpoints': 1, 'folder @eaDir': 1,
    'folder __MACOSX': 1, '.db': 1,
  }  # fmt: skip
  assert trees.describe_left_out(found.left_out).startswith('2 .heic, 1 ')
  assert trees.describe_left_out(collections.Counter()) == ''


@pytest.mark.parametrize('name', ['fox', 'animal/fox'])
def test_a_class_without_images_is_refused(tmp_path, name):
  make(tmp_path, 'animal/cat/1.jpg')
  (tmp_path / name).mkdir(parents=True)
  make(tmp_path, f'{name}/a.txt')
  with pytest.raises(errors.DataError, match=f'{name}: every .* got 1 .txt'):
    trees.list_split(str(tmp_path))


def test_links_to_classes_are_followed_and_circles_end(tmp_path):
  make(tmp_path, 'split/cat/1.jpg', 'elsewhere/1.jpg')
  os.symlink(tmp_path / 'elsewhere', tmp_path / 'split/emu')
  os.symlink(tmp_path / 'split', tmp_path / 'split/cat/loop')
  assert listed(tmp_path / 'split') == ['cat', 'emu']


def test_a_sample_of_files_is_of_all_folders_and_always_the_same(tmp_path):
  names = [f'{s}/{c}/{i}.png' for s in 'ab' for c in 'xyz' for i in range(50)]
  make(tmp_path, *names, 'a/x/note.txt', '.hidden/x/1.png')
  (tmp_path / 'empty').mkdir()
  found = trees.sample_files(str(tmp_path), 100)
  assert found == trees.sample_files(str(tmp_path), 100)
  assert set(found) <= set(names)
  assert len(found) > 60
  assert {os.path.dirname(name) for name in found} == {
    f'{s}/{c}' for s in 'ab' for c in 'xyz'
  }
  assert any(os.path.basename(name) > '25' for name in found)
  assert trees.sample_files(str(tmp_path / 'empty'), 9) == []
