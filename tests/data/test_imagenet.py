"""Tests of overlap.data.imagenet: files as they are downloaded."""

import io
import tarfile

import numpy as np
import pytest
import scipy.io
from PIL import Image

from overlap import data
from overlap.catalog import prompts
from overlap.core import errors
from overlap.data import image_folder

# Not in the order of the ids: synset i has the number i + 1 of the kit.
SYNSETS = ['n02119789', 'n01440764', 'n15075141', 'n01443537']
INDEX = {name: i for i, name in enumerate(prompts.imagenet_names())}
# Each image's place in SYNSETS, by its number.
TRUTH = [2, 0, 1, 1, 3]
NAMES = [f'ILSVRC2012_val_{i:08d}.JPEG' for i in range(1, 6)]
EXPECTED = [INDEX[SYNSETS[place]] for place in TRUTH]


def picture(value):
  content = io.BytesIO()
  pixels = np.full((8, 8, 3), value, np.uint8)
  Image.fromarray(pixels).save(content, 'JPEG')
  return content.getvalue()


def pack(files, mode='w'):
  content = io.BytesIO()
  with tarfile.open(fileobj=content, mode=mode) as tar:
    for name, member in files.items():
      info = tarfile.TarInfo(name)
      info.size = len(member)
      tar.addfile(info, io.BytesIO(member))
  return content.getvalue()


def meta():
  rows = np.zeros(len(SYNSETS), [('ILSVRC2012_ID', 'O'), ('WNID', 'O')])
  rows['ILSVRC2012_ID'] = range(1, len(SYNSETS) + 1)
  rows['WNID'] = SYNSETS
  content = io.BytesIO()
  scipy.io.savemat(content, {'synsets': rows[:, None]})
  return content.getvalue()


TEXT = ''.join(f'{place + 1}\n' for place in TRUTH).encode()
TRUTH_FILE = 'ILSVRC2012_validation_ground_truth.txt'


def kit():
  inside = 'ILSVRC2012_devkit_t12/data'
  files = {f'{inside}/{TRUTH_FILE}': TEXT, f'{inside}/meta.mat': meta()}
  return {'ILSVRC2012_devkit_t12.tar.gz': pack(files, 'w:gz')}


def solution():
  lines = [
    f'{name[:-5]},{SYNSETS[place]} 1 2 3 4 {SYNSETS[place]} 5 6 7 8 '
    for name, place in zip(NAMES, TRUTH)
  ]
  text = '\n'.join(['ImageId,PredictionString', *reversed(lines)])
  return {'LOC_val_solution.csv': text.encode()}


ANSWERS = {
  'the kit': kit(),
  'the files of the kit': {TRUTH_FILE: TEXT, 'meta.mat': meta()},
  'Kaggle': solution(),
  'Kaggle above': {f'../../../{k}': v for k, v in solution().items()},
  'a list': {
    'val.txt': ''.join(
      f'{name} {SYNSETS[place]}\n' for name, place in zip(NAMES, TRUTH)
    ).encode()
  },
}


def write(root, files):
  for name, content in files.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture(params=['folder', 'tar'])
def val(request, tmp_path):
  """The five images of 'val', grey level 40·i, in a folder or a tar file."""
  root = tmp_path / 'a/b/c'
  images = {name: picture(40 * i) for i, name in enumerate(NAMES)}
  if request.param == 'tar':
    write(root, {'ILSVRC2012_img_val.tar': pack(images)})
  else:
    write(root / 'val', images)
  return root


def load(root, split='val', **options):
  return data.load_examples(
    dataset='image_folder', split=split, spec=split, data_dir=str(root),
    **options,
  )  # fmt: skip


@pytest.mark.parametrize('answers', ANSWERS.values(), ids=ANSWERS)
def test_val_has_the_classes_of_its_answers(val, answers):
  write(val, answers)
  image_folder.SOURCE.obtain(dataset='image_folder', data_dir=str(val))
  examples = load(val)
  assert examples.class_names == tuple(prompts.imagenet_names())
  np.testing.assert_array_equal(examples.labels(), EXPECTED)
  assert examples.ids.tolist() == [
    f'val/{SYNSETS[place]}/{name}' for place, name in zip(TRUTH, NAMES)
  ]
  images = examples.fetch(np.arange(5))['image']
  np.testing.assert_allclose(images[:, 4, 4, 0], 40.0 * np.arange(5), atol=3)


def test_numbers_of_a_list_are_indices_of_a_list_of_classes(val):
  lines = [f'val/{name} {index}' for name, index in zip(NAMES, EXPECTED)]
  write(val, {'places365_val.txt': '\n'.join(lines).encode()})
  examples = load(val, classes=tuple(prompts.imagenet_names()))
  np.testing.assert_array_equal(examples.labels(), EXPECTED)


def test_train_is_a_tar_file_of_tar_files(tmp_path):
  names = {'n01443537': 3, 'n01440764': 2}
  inner = {
    f'{name}.tar': pack(
      {f'{name}_{i}.JPEG': picture(100 * j + 10 * i) for i in range(count)}
    )
    for j, (name, count) in enumerate(names.items())
  }
  write(tmp_path, {'ILSVRC2012_img_train.tar': pack(inner)})
  train = load(tmp_path, 'train')
  np.testing.assert_array_equal(train.labels(), [1, 1, 1, 0, 0])
  assert train.ids[3] == 'train/n01440764/n01440764_0.JPEG'
  images = train.fetch([4, 1])['image']
  np.testing.assert_allclose(images[:, 4, 4, 0], [110, 10], atol=3)


@pytest.mark.parametrize(
  ('answers', 'told'),
  [
    ({}, 'LOC_val_solution.csv'),
    ({TRUTH_FILE: TEXT}, r'meta\.mat'),
    ({TRUTH_FILE: TEXT, 'meta.mat': b'MATLAB'}, 'must be that of'),
    ({TRUTH_FILE: TEXT[:-2], 'meta.mat': meta()}, NAMES[-1]),
    ({TRUTH_FILE: b'9\n' + TEXT, 'meta.mat': meta()}, "'9'"),
    ({'val.txt': b'a\nb\n'}, 'a file and a class in every line'),
    ({'val.txt': b'\xff'}, 'UTF-8'),
    ({'LOC_val_solution.csv': b'ImageId,PredictionString\nx,\n'}, "'x'"),
    ({'LOC_val_solution.csv': b'x\n'}, 'none of 5 of 5'),
    ({'ILSVRC2012_devkit_t12.tar.gz': b'\x1f\x8b' + b'x' * 99}, 'readable'),
  ],
)
def test_what_does_not_tell_all_classes_is_refused(val, answers, told):
  write(val, answers)
  with pytest.raises(errors.DataError, match=told):
    load(val)


@pytest.mark.parametrize('cut', [100, 700, 4000])
def test_a_damaged_tar_file_is_one_line(tmp_path, cut):
  content = pack({'n01440764.tar': pack({'a.JPEG': picture(1)})})
  write(tmp_path, {'ILSVRC2012_img_train.tar': content[:cut]})
  with pytest.raises(errors.DataError, match='must be a whole tar file'):
    load(tmp_path, 'train')
