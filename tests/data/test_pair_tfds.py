"""Pairs of data sets of TFDS that have images with texts."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from overlap.core import errors
from overlap.data import pairs


def image(number):
  stream = io.BytesIO()
  Image.fromarray(np.full((6, 8, 3), number, np.uint8)).save(stream, 'PNG')
  stream.seek(0)
  return stream


TEXT = tfds.features.Text()
IMAGE = tfds.features.Image(shape=(None, None, 3))
# As coco_captions has it.
COCO = {
  'image': IMAGE,
  'image/filename': TEXT,
  'captions': tfds.features.Sequence({'id': np.int64, 'text': np.str_}),
  'objects': tfds.features.Sequence({'area': np.int64}),
}


def coco(number, *texts):
  return {
    'image': image(number),
    'image/filename': f'{number}.jpg',
    'captions': [{'id': i, 'text': text} for i, text in enumerate(texts)],
    'objects': [{'area': 1}] * number,
  }


@pytest.fixture(params=['array_record', 'tfrecord'])
def prepare(request, tmp_path, prepare_tfds, as_tfrecord):
  def made(features, records):
    features = tfds.features.FeaturesDict(features)
    folder = prepare_tfds(tmp_path, {'train': records}, features=features)
    if request.param == 'tfrecord':
      as_tfrecord(folder)
    return str(tmp_path)

  return made


def load(data_dir, caption='', dataset='tfds:tiny'):
  return pairs.open_pairs(
    dataset, image_size=4, channels=3, data_dir=data_dir, caption=caption
  )


def test_several_captions_an_image(prepare, caplog):
  records = [coco(0, 'a', 'ä '), coco(1), coco(2, 'b', ' ', 'c', 'd')]
  data_dir = prepare(COCO, records)
  found = load(data_dir, 'captions/text')
  assert '1 of 3 samples have no image or no caption' in caplog.text
  assert 'the first train/00000001' in caplog.text
  assert found.dataset == 'tiny'
  assert found.ids.tolist() == [
    'train/00000000', 'train/00000000#2',
    'train/00000002', 'train/00000002#2', 'train/00000002#3',
  ]  # fmt: skip
  order = np.array([4, 0, 1, 4, 2])
  assert found.texts(order) == ['d', 'a', 'ä', 'd', 'b']
  batch = found.fetch(order)
  np.testing.assert_array_equal(batch['image'][:, 3, 3, 0], [2, 0, 0, 2, 2])
  np.testing.assert_array_equal(batch['label'], 0)


@pytest.mark.parametrize(
  ('features', 'value'),
  [
    ({'words': TEXT}, 'a text'),
    ({'words': tfds.features.Sequence(TEXT)}, ['a text']),
    ({'words': {'en': TEXT, 'id': np.int64}}, {'en': 'a text', 'id': 1}),
  ],
)
def test_the_only_text_is_found(prepare, features, value):
  records = [{'image': image(i), 'words': value} for i in range(25)]
  found = load(prepare({'image': IMAGE} | features, records))
  assert len(found) == 25
  assert found.texts(np.array([24, 0])) == ['a text'] * 2
  assert found.fetch([24])['image'][0, 0, 0, 0] == 24


def test_which_text_must_be_said(prepare):
  data_dir = prepare(COCO, [coco(0, 'a')])
  choices = r'choices: captions/text, image/filename'
  with pytest.raises(errors.UsageError, match=f'image_text.caption.*{choices}'):
    load(data_dir)
  with pytest.raises(errors.UsageError, match=r"'captions/txt'.*s/text"):
    load(data_dir, 'captions/txt')
  assert load(data_dir, 'image/filename').texts(np.array([0])) == ['0.jpg']


def test_no_text_or_no_image_is_a_fault(tmp_path, prepare_tfds):
  prepare_tfds(tmp_path, {'train': [{'image': image(0), 'label': 0}]})
  with pytest.raises(errors.DataError, match='must have texts'):
    load(str(tmp_path))
  features = tfds.features.FeaturesDict({'text': TEXT})
  prepare_tfds(
    tmp_path, {'train': [{'text': 'a'}]}, features=features, name='bare'
  )
  with pytest.raises(errors.DataError, match="must have the features 'image'"):
    load(str(tmp_path), dataset='tfds:bare')
  with pytest.raises(errors.DataError, match='must be prepared in'):
    load(str(tmp_path), dataset='tfds:no_such_data')
