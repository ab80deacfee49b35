"""ImageNet-X's predictions: classes of ImageNet and one probability."""

import numpy as np
import pytest

from overlap import store
from overlap.core import errors
from overlap.ingest import imagenet_x

COLUMNS = {
  'file_name': ['ILSVRC2012_val_2.JPEG', 'ILSVRC2012_val_1.JPEG'],
  'predicted_class': [65, 970],
  'predicted_probability': [0.9, 0.25],
}


def test_read(case):
  found = imagenet_x.read_imagenet_x(str(case.csv('m.csv', **COLUMNS)))
  assert found.predicted.tolist() == [65, 970]
  assert found.confidence.tolist() == [np.float32(0.9), 0.25]
  assert found.ids.tolist() == COLUMNS['file_name']
  assert len(found.class_names) == 1000


def test_into_the_store(case):
  case.workdir = case.workdir.with_name('w2')
  labels = str(case.csv('l.csv', id=COLUMNS['file_name'][::-1], label=[970, 1]))
  path = case.csv('resnet50.csv', **COLUMNS)
  case.ingest(path, labels=labels, format='imagenet-x')
  examples = store.Store(case.workdir).examples('shapes', 'test')
  assert examples.ids.tolist() == COLUMNS['file_name']
  assert examples.labels.tolist() == [1, 970]
  assert case.read('resnet50', 'predicted').tolist() == [65, 970]


@pytest.mark.parametrize(
  ('change', 'got'),
  [
    ({'predicted_class': [65, 1000]}, r'in \[0, 1000\).*got 1000 in row 1'),
    ({'predicted_class': [-1, 1]}, 'got -1 in row 0'),
    (
      {'predicted_class': ['cat', 'dog']},
      "2 other names, among them 'cat'",
    ),
    ({'predicted_probability': [0.5, 1.5]}, 'got 1.5 in row 1'),
    ({'file_name': ['a', 'a']}, 'more than once'),
  ],
)
def test_what_is_refused(case, refused, change, got):
  case.workdir = case.workdir.with_name('w2')
  path = case.csv('m.csv', **(COLUMNS | change))
  labels = str(case.npy('labels.npy', [0, 999]))
  with pytest.raises(errors.DataError, match=got):
    case.ingest(path, labels=labels, format='imagenet-x')
  assert not case.workdir.exists()


def test_a_column_is_missing(case):
  path = case.csv('m.csv', file_name=['a'], predicted_class=[1])
  with pytest.raises(errors.DataError, match='lacks predicted_probability'):
    imagenet_x.read_imagenet_x(str(path))


def test_a_data_set_of_other_classes(case, refused):
  path = case.csv(
    'm.csv', file_name=case.ids, predicted_class=case.predicted,
    predicted_probability=case.confidence,
  )  # fmt: skip
  text = refused(case, errors.DataError, case.ingest, path, format='imagenet-x')
  assert 'must have the 4 classes of the data set, got 1000' in text
