"""Tests of overlap.data.webdataset."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from overlap import data
from overlap.core import errors


def picture(value, mode='RGB', kind='PNG'):
  content = io.BytesIO()
  pixels = np.full((8, 8, 3), value, np.uint8)
  Image.fromarray(pixels).convert(mode).save(content, kind)
  return content.getvalue()


def write(path, samples):
  """Writes members {name: content}."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with tarfile.open(path, 'w') as tar:
    for name, content in samples.items():
      info = tarfile.TarInfo(name)
      info.size = len(content)
      tar.addfile(info, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path):
  """Image i of 'train' has the class 11 - i and the grey level 10·i."""
  for shard in range(3):
    members = {}
    for i in range(4 * shard, 4 * shard + 4):
      members |= {
        f'a/{i:03d}.cls': f'{11 - i}\n'.encode(),
        f'a/{i:03d}.json': b'{}',
        f'a/{i:03d}.{"PNG" if i % 2 else "webp"}': picture(10 * i),
        f'a/{i:03d}.seg.png': b'',
      }
    write(tmp_path / f'set-train-{shard:04d}.tar', members)
  write(tmp_path / 'set-validation-00.tar', {
    '0.cls': b'3', '0.jpg': picture(7, kind='JPEG'),
  })  # fmt: skip
  return tmp_path


def load(root, split='train', **options):
  return data.load_examples(
    dataset='webdataset', split=split, spec=split, data_dir=str(root),
    **options,
  )  # fmt: skip


def test_images_and_classes(shards):
  train = load(shards)
  assert train.class_names == tuple(str(i) for i in range(12))
  np.testing.assert_array_equal(train.labels(), 11 - np.arange(12))
  assert train.ids[[0, 11]].tolist() == [
    'set-train-0000/a/000', 'set-train-0002/a/011'
  ]  # fmt: skip
  images = train.fetch([11, 0, 5])['image']
  np.testing.assert_array_equal(images[:, 0, 0, 0], [110, 0, 50])
  assert (train.image_size, train.channels) == (8, 3)


def test_names_beside_the_files_and_in_a_list(shards):
  names = [f'name {i}' for i in range(12)]
  (shards / 'classnames.txt').write_text('\n'.join(names))
  for split, labels in (('train', 11 - np.arange(12)), ('validation', [3])):
    assert load(shards, split).class_names == tuple(names)
    np.testing.assert_array_equal(load(shards, split).labels(), labels)
  turned = load(shards, classes=names[::-1])
  np.testing.assert_array_equal(turned.labels(), np.arange(12))
  (shards / 'classnames.txt').unlink()
  np.testing.assert_array_equal(
    load(shards, 'validation', classes=names).labels(), [3]
  )


def test_folders_of_splits_and_names_for_classes(tmp_path):
  members = {'0.cls': b'dog', '0.png': picture(1, 'L')}
  write(tmp_path / 'test/0.tar', members | {
    '1.cls': b'class 10', '1.png': picture(2, 'L'),
    '2.cls': b'class 2', '2.png': picture(2, 'L'),
  })  # fmt: skip
  test = load(tmp_path, 'test')
  assert test.class_names == ('class 2', 'class 10', 'dog')
  assert (test.labels().tolist(), test.channels) == ([2, 1, 0], 1)


@pytest.mark.parametrize(
  ('members', 'told'),
  [
    ({'0.cls': b'1'}, "image and a class .* got class in '0'"),
    ({'0.png': picture(1)}, "got image in '0'"),
    ({'0.cls': b'-1', '0.png': picture(1), '1.cls': b'0', '1.png': b'x'}, '-1'),
    ({'0.cls': b'1', '0.png': picture(1), '1.cls': b'x', '1.png': b'x'},
     "'1' and 'x'"),
    ({'0.cls': b'1.5', '0.png': picture(1), '1.cls': b'2', '1.png': b'x'},
     "'1.5' and '2'"),
    ({}, 'must have an example'),
  ],
)  # fmt: skip
def test_faults_are_one_line(tmp_path, members, told):
  write(tmp_path / 'train.tar', members)
  with pytest.raises(errors.DataError, match=told):
    load(tmp_path).labels()


def test_absent_files_and_splits(shards, tmp_path):
  with pytest.raises(errors.UsageError, match=r"'val' .* set-train-0000\.tar"):
    load(shards, 'val')
  with pytest.raises(errors.DataError, match='must hold tar files'):
    data.obtain('webdataset:none', data_dir=str(tmp_path))
