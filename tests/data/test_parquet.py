"""Tests of overlap.data.parquet."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from overlap import data
from overlap.core import errors


def picture(value):
  content = io.BytesIO()
  Image.fromarray(np.full((8, 8), value, np.uint8)).save(content, 'PNG')
  return content.getvalue()


def write(path, labels, *, first=0, names=None, image='image', paths=True,
          **columns):  # fmt: skip
  """Image i has the grey level 10·i."""
  path.parent.mkdir(parents=True, exist_ok=True)
  numbers = range(first, first + len(labels))
  rows = [
    {'bytes': picture(10 * i), 'path': f'{i}.png' if paths else None}
    for i in numbers
  ]
  kind = pa.struct([('bytes', pa.binary()), ('path', pa.string())])
  table = pa.table({image: pa.array(rows, kind), 'label': labels} | columns)
  if names:
    features = {'label': {'names': names, '_type': 'ClassLabel'}}
    metadata = {'info': {'features': features}}
    table = table.replace_schema_metadata({'huggingface': json.dumps(metadata)})
  pq.write_table(table, path, row_group_size=3)


def load(root, split='train', **options):
  return data.load_examples(
    dataset='parquet', split=split, spec=split, data_dir=str(root), **options
  )


def test_files_of_the_hub(tmp_path):
  names = [f'c{i}' for i in range(11)]
  write(tmp_path / 'data/train-00000-of-00002.parquet', [10, 0, 2, 2, 1],
        names=names)  # fmt: skip
  write(tmp_path / 'data/train-00001-of-00002.parquet', [3, 4], first=5,
        names=names)  # fmt: skip
  write(tmp_path / 'data/pretrain-00000.parquet', [0])
  train = load(tmp_path)
  assert train.class_names == tuple(names)
  assert train.labels().tolist() == [10, 0, 2, 2, 1, 3, 4]
  assert train.ids.tolist() == [f'train/{i}.png' for i in range(7)]
  assert (train.image_size, train.channels) == (8, 1)
  images = train.fetch([6, 0, 3, 2])['image']
  np.testing.assert_array_equal(images[:, 0, 0, 0], [60, 0, 30, 20])
  turned = load(tmp_path, classes=names[::-1])
  assert turned.labels().tolist() == [0, 10, 8, 8, 9, 7, 6]


def test_other_columns_and_labels_without_names(tmp_path):
  write(tmp_path / 'test.parquet', [1, 0, 11], image='img', paths=False)
  test = load(tmp_path, 'test')
  assert test.class_names == tuple(str(i) for i in range(12))
  assert test.ids[2] == 'test/00000002'
  table = pa.table({'image': [picture(50), picture(70)], 'label': ['b', 'a']})
  pq.write_table(table, tmp_path / 'train.parquet')
  train = load(tmp_path)
  assert train.class_names == ('a', 'b')
  assert train.labels().tolist() == [1, 0]
  assert train.fetch([1])['image'][0, 0, 0, 0] == 70


@pytest.mark.parametrize(
  ('columns', 'told'),
  [
    ({'image': [b'x']}, 'column label or labels'),
    ({'label': [0]}, 'column image or img, got label'),
    ({'image': [b'x', b'y'], 'label': [0, None]}, 'none in row 1'),
    ({'image': [b'x'], 'label': [0.5]}, 'got double'),
    ({'image': ['x'], 'label': [0]}, 'images as bytes'),
    ({'image': [picture(1)], 'label': [-1]}, 'got -1'),
    ({'image': [{'path': 'a.png'}], 'label': [0]}, 'images as bytes'),
    ({'image': [{'bytes': None, 'path': 'a'}], 'label': [0]}, 'themselves'),
    ({'image': [b'x'], 'label': [0]}, 'must be an image'),
  ],
)
def test_faults_are_one_line(tmp_path, columns, told):
  table = pa.table(columns)
  pq.write_table(table, tmp_path / 'train.parquet')
  with pytest.raises(errors.DataError, match=told):
    load(tmp_path).fetch([0])


def test_faulty_files_and_splits(tmp_path):
  with pytest.raises(errors.DataError, match='must hold Parquet files'):
    data.obtain('parquet', data_dir=str(tmp_path))
  write(tmp_path / 'one/train-0.parquet', [0])
  with pytest.raises(errors.UsageError, match=r"'test' .* one/train"):
    load(tmp_path, 'test')
  write(tmp_path / 'two/train-0.parquet', [0])
  with pytest.raises(errors.UsageError, match='one, two; name one'):
    load(tmp_path)
  (tmp_path / 'two/train-0.parquet').write_bytes(b'PAR1' + bytes(20))
  with pytest.raises(errors.DataError, match='readable Parquet file'):
    load(tmp_path / 'two')
