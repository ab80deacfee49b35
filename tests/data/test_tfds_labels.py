"""Several labels an image, as TFDS's own Pascal VOC 2007 declares them."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from overlap import data, store
from overlap.core import errors
from overlap.data import tfds_labels
from overlap.predict import to_store


def voc_features(tmp_path):
  return tfds.builder('voc/2007', data_dir=tmp_path / 'voc').info.features


def example(number, objects):
  """An example whose objects are [(class, is difficult)]."""
  pixels = np.full((12, 9, 3), number, np.uint8)
  stream = io.BytesIO()
  Image.fromarray(pixels).save(stream, 'JPEG')
  stream.seek(0)
  return {
    'image': stream,
    'image/filename': f'{number:06d}.jpg',
    'labels': sorted({label for label, _ in objects}),
    'labels_no_difficult': sorted({c for c, hard in objects if not hard}),
    'objects': [
      {
        'bbox': tfds.features.BBox(0.1, 0.1, 0.9, 0.9),
        'is_difficult': hard, 'is_truncated': False, 'label': label, 'pose': 0,
      }
      for label, hard in objects
    ],
  }  # fmt: skip


OBJECTS = (
  [(3, False), (3, True)],  # A class with one that is not difficult.
  [(0, True), (19, False)],
  [(5, True)],  # Nothing but difficult ones.
  [(1, False), (2, False), (1, False), (7, True)],
)


@pytest.fixture
def voc(tmp_path, prepare_tfds):
  examples = [example(i, objects) for i, objects in enumerate(OBJECTS)]
  prepare_tfds(
    tmp_path, {'train': examples}, name='voc', config='2007',
    features=voc_features(tmp_path),
  )  # fmt: skip
  return data.load_examples(
    dataset='tfds:voc/2007', split='train', spec='train', image_size=8,
    data_dir=str(tmp_path),
  )  # fmt: skip


def test_voc(voc):
  expected = np.zeros((4, 20), np.int8)
  for row, objects in enumerate(OBJECTS):
    for label in {label for label, _ in objects}:
      hard = all(d for other, d in objects if other == label)
      expected[row, label] = -1 if hard else 1
  assert len(voc.class_names) == 20
  assert voc.multi_label
  np.testing.assert_array_equal(voc.targets(), expected)
  assert voc.labels().tolist() == [3, 19, 5, 1]
  assert voc.fetch([2, 0])['image'].shape == (2, 8, 8, 3)


def test_slices_keep_their_targets(voc, tmp_path):
  part = data.load_examples(
    dataset='tfds:voc/2007', split='part', spec='train[:2]', image_size=4,
    data_dir=str(tmp_path),
  )  # fmt: skip
  rows = [voc.ids.tolist().index(i) for i in part.ids]
  np.testing.assert_array_equal(part.targets(), voc.targets()[rows])


def test_into_the_store(voc, tmp_path):
  to_store.ensure_examples(tmp_path, voc)
  stored = store.Store(tmp_path).examples('tfds:voc/2007', 'train')
  np.testing.assert_array_equal(stored.targets, voc.targets())
  assert stored.targets.dtype == np.int8
  assert list(store.check_store(tmp_path)) == []
  to_store.ensure_examples(tmp_path, voc)  # The same again.


def test_mock_of_voc(tmp_path):
  """The records that TFDS itself makes up for its Pascal VOC."""
  with tfds.testing.mock_data(num_examples=5):
    builder = tfds.builder(
      'voc/2007', data_dir=tmp_path, file_format='array_record'
    )
    kind = tfds_labels.kind(dict(builder.info.features.items()))
    for record in builder.as_data_source('train'):
      targets = kind.targets(record)
      assert set(np.flatnonzero(targets == 1)) == set(
        record['labels_no_difficult']
      )
      left_out = set(record['labels']) - set(record['labels_no_difficult'])
      assert set(np.flatnonzero(targets == -1)) == left_out
      assert 0 <= kind.label(record) < 20


def test_an_image_without_labels(tmp_path, prepare_tfds):
  prepare_tfds(
    tmp_path, {'train': [example(0, [])]}, features=voc_features(tmp_path)
  )
  examples = data.load_examples(
    dataset='tfds:tiny', split='train', spec='train', image_size=8,
    data_dir=str(tmp_path),
  )  # fmt: skip
  with pytest.raises(errors.DataError, match='every image must show a class'):
    examples.labels()


def test_without_difficult_ones():
  feature = tfds.features.Sequence(tfds.features.ClassLabel(names=['a', 'b']))
  kind = tfds_labels.kind({'labels': feature})
  assert kind.targets({'labels': [1]}).tolist() == [0, 1]
  assert kind.targets({'labels': []}).tolist() == [0, 0]
  assert kind.label({'labels': [1, 0]}) == 0


def test_one_label():
  label = tfds.features.ClassLabel(names=['a', 'b'])
  kind = tfds_labels.kind({'label': label})
  assert not kind.multi_label
  assert kind.targets({'label': 1}).tolist() == [0, 1]
  assert kind.label({'label': 1}) == 1
  assert tfds_labels.kind({'text': tfds.features.Text()}) is None
