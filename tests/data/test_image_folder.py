"""Tests of overlap.data.image_folder."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from overlap.core import errors
from overlap.data import image_folder, images
from overlap.data.preparation import Preparation

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.ppm', '.PNG')


def write(root, name, pixels):
  path = root / name
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)


def flat(value, size=(6, 6), channels=3):
  shape = (*size, 3) if channels == 3 else size
  return np.full(shape, value, np.uint8)


@pytest.fixture
def tree(tmp_path):
  """Splits train (14 files) and test (4), classes 'a cat' and 'dog'."""
  for label, name in enumerate(['a cat', 'dog']):
    for i, end in enumerate(EXTENSIONS):
      write(tmp_path, f'train/{name}/{i}{end}', flat(100 * label + 10 * i))
    for i in range(2):
      write(tmp_path, f'test/{name}/{i}.png', flat(100 * label + i))
  (tmp_path / 'train' / 'dog' / 'README.txt').write_text('no image')
  (tmp_path / 'train' / 'dog' / '.hidden.png').write_text('no image')
  (tmp_path / '.git' / 'objects').mkdir(parents=True)
  (tmp_path / 'docs').mkdir()
  return tmp_path


def open_tree(root, split='train', **options):
  return image_folder.ImageFolder(
    dataset='pets', root=str(root), split=split, **options
  )


def test_ids_classes_and_images(tree):
  train = open_tree(tree)
  assert len(train) == 2 * len(EXTENSIONS)
  assert train.class_names == ('a cat', 'dog')
  assert (train.image_size, train.channels) == (6, 3)
  assert train.ids[:2].tolist() == ['train/a cat/0.jpg', 'train/a cat/1.jpeg']
  np.testing.assert_array_equal(
    train.labels(), np.repeat([0, 1], len(EXTENSIONS))
  )
  batch = train.fetch([13, 0, 2])
  np.testing.assert_array_equal(batch['label'], [1, 0, 0])
  # JPEG and WebP are lossy, by a grey level or two in a flat image.
  for image, value in zip(batch['image'], [160, 0, 20]):
    assert np.abs(image.astype(int) - value).max() <= 2


def test_the_other_split(tree):
  test = open_tree(tree, 'test')
  assert test.ids.tolist() == [
    f'test/{name}/{i}.png' for name in ('a cat', 'dog') for i in range(2)
  ]
  np.testing.assert_array_equal(
    test.fetch(np.arange(4))['image'][:, 3, 3, 1], [0, 1, 100, 101]
  )


@pytest.mark.parametrize('image_size', [3, 6, 9])
def test_image_size(tree, image_size):
  write(tree, 'test/dog/1.png', flat(101, size=(10, 8)))
  test = open_tree(tree, 'test', image_size=image_size)
  images = test.fetch(np.arange(4))['image']
  assert images.shape == (4, image_size, image_size, 3)
  np.testing.assert_array_equal(images[:, 0, 0, 0], [0, 1, 100, 101])


@pytest.mark.parametrize('channels', [1, 3])
def test_prepared_images_are_made_of_the_originals(tree, channels):
  pixels = np.random.default_rng(0).integers(0, 256, (10, 17, 3), np.uint8)
  write(tree, 'test/dog/1.png', pixels)
  test = open_tree(tree, 'test', image_size=3, channels=channels)
  how = Preparation(5, 'squash', crop=1.0)
  images, labels = test.read_prepared(np.array([3, 2]), how)
  np.testing.assert_array_equal(labels, [1, 1])
  image = Image.fromarray(pixels).convert('L' if channels == 1 else 'RGB')
  want = np.asarray(image.resize((5, 5), Image.BICUBIC))
  np.testing.assert_array_equal(images[0].squeeze(), want)
  assert images.shape == (2, 5, 5, channels)


def test_differing_sizes_need_an_image_size(tree):
  write(tree, 'test/dog/1.png', flat(101, size=(7, 7)))
  test = open_tree(tree, 'test')
  with pytest.raises(errors.DataError, match=r'7x7 for test/dog/1\.png'):
    test.fetch(np.arange(4))


def test_oblong_images_need_an_image_size(tree):
  write(tree, 'test/a cat/0.png', flat(0, size=(6, 7)))
  with pytest.raises(errors.DataError, match='set image_size'):
    open_tree(tree, 'test')


def test_a_grey_tree_is_grey_and_one_colour_image_makes_it_rgb(tmp_path):
  for name in 'abc':
    for split in ('train', 'test'):
      write(tmp_path, f'{split}/{name}/0.png', flat(7, channels=1))
  grey = open_tree(tmp_path)
  assert grey.channels == 1
  assert grey.fetch([2])['image'].shape == (1, 6, 6, 1)
  assert open_tree(tmp_path, channels=3).fetch([2])['image'].shape[-1] == 3
  write(tmp_path, 'test/c/0.png', flat(7))
  # Of the tree, so that both splits agree.
  assert open_tree(tmp_path, 'train').channels == 3
  assert open_tree(tmp_path, 'test').channels == 3
  assert open_tree(tmp_path, 'test', channels=1).channels == 1


def test_a_tree_whose_first_files_are_grey_is_read_in_colour(tmp_path, caplog):
  for split in ('train', 'test'):
    for name in 'ab':
      write(tmp_path, f'{split}/{name}/000.png', flat(7, channels=1))
      for i in range(1, 5):
        write(tmp_path, f'{split}/{name}/{i:03d}.png', flat(i))
  (tmp_path / 'test/a/000.png').write_bytes(b'not an image')
  with caplog.at_level('INFO'):
    train = open_tree(tmp_path)
  assert train.channels == 3
  assert 'read in colour: 16 of 19 files sampled' in caplog.text


def test_other_splits_of_the_tree_are_not_looked_into(tree):
  write(tree, 'unlabelled/unknown/0.png', flat(0))
  (tree / 'labels/notes').mkdir(parents=True)
  (tree / 'labels/notes/readme.txt').write_text('no image')
  assert open_tree(tree).class_names == ('a cat', 'dog')


@pytest.mark.parametrize('suffix', images.EXTENSIONS)
def test_every_suffix_is_one_of_a_format_that_is_decoded(tmp_path, suffix):
  kinds = {'.jpe': 'jpeg', '.jfif': 'jpeg', '.apng': 'png', '.dib': 'bmp'}
  path = tmp_path / f'train/a/0{suffix}'
  path.parent.mkdir(parents=True)
  pixels = flat(0 if suffix == '.pbm' else 90)
  kind = kinds.get(suffix, suffix[1:])
  mode = {'.pbm': '1', '.pgm': 'L'}.get(suffix, 'RGB')
  kind = {'jpg': 'jpeg', 'tif': 'tiff'}.get(kind, kind)
  kind = 'ppm' if suffix in ('.pbm', '.pgm', '.pnm') else kind
  Image.fromarray(pixels).convert(mode).save(path, format=kind)
  image = open_tree(tmp_path, channels=3).fetch([0])['image']
  np.testing.assert_allclose(image[0].astype(int), pixels, atol=3)


def test_what_a_camera_says_of_its_orientation_is_not_applied(tmp_path):
  pixels = np.zeros((8, 8, 3), np.uint8)
  pixels[:4] = 255  # The upper half.
  path = tmp_path / 'train/a/0.png'
  path.parent.mkdir(parents=True)
  exif = Image.Exif()
  exif[0x0112] = 6  # To be turned by 90 degrees.
  Image.fromarray(pixels).save(path, exif=exif)
  image = open_tree(tmp_path).fetch([0])['image'][0]
  np.testing.assert_array_equal(image, pixels)


def test_another_split_lists_the_splits(tree):
  with pytest.raises(errors.UsageError, match=r"'test'.*Choices: test, train"):
    open_tree(tree, 'tset')


@pytest.mark.parametrize('content', [b'', b'not an image'])
def test_a_broken_file_names_the_id(tree, content):
  (tree / 'train/dog/3.bmp').write_bytes(content)
  train = open_tree(tree)
  with pytest.raises(errors.DataError, match=r'train/dog/3\.bmp'):
    train.fetch(np.arange(len(train)))


def test_a_file_that_goes_away_is_a_fault(tree):
  train = open_tree(tree)
  (tree / 'train/dog/3.bmp').unlink()
  with pytest.raises(errors.DataError, match=r'dog/3\.bmp must be readable'):
    train.fetch(np.arange(len(train)))


def test_faulty_trees(tree, tmp_path):
  with pytest.raises(errors.DataError, match='got no folder'):
    open_tree(tmp_path / 'absent')
  (tmp_path / 'empty').mkdir()
  with pytest.raises(errors.DataError, match='got no folder of folders'):
    open_tree(tmp_path / 'empty')
  (tmp_path / 'empty/a.tar').write_bytes(b'')
  with pytest.raises(errors.DataError, match='webdataset:DIR reads'):
    open_tree(tmp_path / 'empty')
  for split in ('train', 'test'):
    (tree / split / 'none').mkdir()
  with pytest.raises(errors.DataError, match='train/none: every class'):
    open_tree(tree)


def test_source(tree):
  for dataset, data_dir in (
    ('image_folder', str(tree)),
    (f'image_folder:{tree.name}', str(tree.parent)),
  ):
    image_folder.SOURCE.obtain(dataset=dataset, data_dir=data_dir)
    test = image_folder.SOURCE.load(
      dataset=dataset, split='test', data_dir=data_dir, image_size=5, channels=1
    )
    assert test.dataset == dataset
    assert test.fetch([0])['image'].shape == (1, 5, 5, 1)
  with pytest.raises(errors.DataError, match='nowhere'):
    image_folder.SOURCE.obtain(
      dataset='image_folder:nowhere', data_dir=str(tree)
    )


@pytest.fixture(scope='module')
def cifar10(test_data, tmp_path_factory):
  """Every 100th file of CIFAR-10."""
  archive = test_data / 'cifar10.tar.xz'
  if not archive.is_file():
    pytest.skip(f'{archive} is absent')
  root = tmp_path_factory.mktemp('data') / 'cifar10'
  with tarfile.open(archive) as tar:
    files = (member for member in tar if member.isfile())
    for i, member in enumerate(files):
      if i % 100 == 0:
        split, name, file = member.name.split('/')[-3:]
        path = root / split / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tar.extractfile(member).read())
  return root


def test_cifar10(cifar10):
  train, test = open_tree(cifar10), open_tree(cifar10, 'test')
  assert (len(train), len(test)) == (500, 100)
  assert train.class_names[:3] == ('airplane', 'automobile', 'bird')
  assert (train.image_size, train.channels) == (32, 3)
  np.testing.assert_array_equal(np.bincount(train.labels()), [50] * 10)
  images = train.fetch(np.arange(500))['image']
  assert images.shape == (500, 32, 32, 3)
  # Means of the published training set: 125.3, 123.0, 113.9.
  np.testing.assert_allclose(
    images.mean(axis=(0, 1, 2)), [125.3, 123.0, 113.9], atol=6
  )
