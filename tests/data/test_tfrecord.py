"""TFRecord files by random access, alone and as TFDS prepares them."""

import concurrent.futures
import gzip
import io
import os
import pathlib
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from overlap import data
from overlap.core import errors
from overlap.data import preparation, tfds_source, tfrecord


def photographs(count, seed=0):
  rng = np.random.default_rng(seed)
  made = []
  for i in range(count):
    stream = io.BytesIO()
    pixels = rng.integers(0, 256, (*rng.integers(8, 20, 2), 3), np.uint8)
    Image.fromarray(pixels).save(stream, 'PNG')
    stream.seek(0)
    made.append({'image': stream, 'label': i % 3})
  return made


@pytest.fixture
def both(tmp_path, prepare_tfds, as_tfrecord):
  """The same data set twice: (data_dir of array_record, of TFRecord, files)."""
  for form in ('array_record', 'tfrecord'):
    splits = {'train': photographs(50), 'test': photographs(7, seed=1)}
    directory = prepare_tfds(tmp_path / form, splits)
  files = as_tfrecord(directory)
  assert len(files) == 4  # Of 20 + 20 + 10 and 7 records.
  return tmp_path / 'array_record', tmp_path / 'tfrecord', files


def load(data_dir, spec='train'):
  return data.load_examples(
    dataset='tfds:tiny', split='train', spec=spec, data_dir=str(data_dir),
    image_size=8,
  )  # fmt: skip


@pytest.mark.parametrize('spec', ['train', 'train[10%:50%]', 'test'])
def test_both_forms_give_the_same(both, spec):
  one, other = load(both[0], spec), load(both[1], spec)
  assert one.ids.tolist() == other.ids.tolist()
  np.testing.assert_array_equal(one.labels(), other.labels())
  order = np.random.default_rng(0).integers(0, len(one), 40)
  for name, expected in one.fetch(order).items():
    np.testing.assert_array_equal(other.fetch(order)[name], expected)
  how = preparation.Preparation(6, 'crop_first', antialias=False)
  for a, b in zip(*(x.read_prepared(order, how) for x in (one, other))):
    np.testing.assert_array_equal(a, b)
  assert other.fetch([])['image'].shape == (0, 8, 8, 3)


def test_threads_read_at_once(both):
  examples = tfds_source.SOURCE.load(
    dataset='tfds:tiny', split='train', data_dir=str(both[1]),
    image_size=8, channels=0,
  )  # fmt: skip
  rng = np.random.default_rng(0)
  orders = [rng.permutation(50) for _ in range(8)]
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    found = list(pool.map(examples.read_labels, orders))
  np.testing.assert_array_equal(found, np.stack(orders) % 3)


def test_tensorflow_is_never_imported(both, tmp_path):
  (tmp_path / 'fake' / 'tensorflow').mkdir(parents=True)
  (tmp_path / 'fake' / 'tensorflow' / '__init__.py').write_text(
    "raise SystemExit('tensorflow was imported')"
  )
  program = (
    'import sys\n'
    'from overlap import data\n'
    "train = data.load_examples(dataset='tfds:tiny', split='train', "
    "spec='train', data_dir=sys.argv[1], image_size=8)\n"
    "assert train.fetch([0, 49])['label'].tolist() == [0, 1]\n"
    "print('done')"
  )
  root = str(pathlib.Path(tfds_source.__file__).parents[2])
  paths = [str(tmp_path / 'fake'), *filter(None, sys.path), root]
  done = subprocess.run(
    [sys.executable, '-c', program, str(both[1])],
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    capture_output=True, text=True, timeout=120,
  )  # fmt: skip
  assert done.stdout == 'done\n', done.stderr


def _flipped(content, place):
  changed = bytearray(content)
  changed[place] ^= 1
  return bytes(changed)


FAULTS = {
  'absent': (lambda content: None, 'must be readable, got: No such file'),
  'empty': (lambda content: b'', 'holds 0 records .* says 20'),
  'cut in data': (lambda content: content[:-9], 'truncated in record 19'),
  'cut in a head': (lambda content: content[:7], 'truncated in record 0'),
  'longer': (
    lambda content: content + bytes(5), 'holds more records .* says 20'
  ),
  'a length': (lambda content: _flipped(content, 0), 'a length .* record 0'),
  'its checksum': (lambda content: _flipped(content, 8), 'length .* record 0'),
  'data': (lambda content: _flipped(content, 99), 'data with .* record 0'),
  'its end': (lambda content: _flipped(content, -1), 'data with .* record 19'),
  'twice': (lambda content: content * 2, 'holds more records .* says 20'),
  'gzip': (gzip.compress, 'uncompressed .* got gzip in'),
  'zlib': (zlib.compress, 'uncompressed .* got zlib in'),
}  # fmt: skip


@pytest.mark.parametrize('fault', FAULTS)
def test_faulty_files_are_one_line(both, fault):
  _, data_dir, files = both
  path = next(path for path in files if 'train' in path.name)
  change, match = FAULTS[fault]
  content = change(path.read_bytes())
  path.unlink()
  if content is not None:
    path.write_bytes(content)
  train = load(data_dir)
  assert len(train.fetch([25, 45])['label']) == 2  # Of the other files.
  with pytest.raises(errors.DataError, match=match) as error:
    train.fetch([0, 19, 45])
  assert str(path) in str(error.value)
  assert '\n' not in str(error.value)


def test_what_tensorflow_writes_is_read(tmp_path):
  """Skips where TensorFlow is not installed, as in most environments."""
  tf = pytest.importorskip('tensorflow')
  rng = np.random.default_rng(0)
  contents = [rng.bytes(size) for size in (0, 1, 7, 8, 9, 1000, 99_999)]
  path = str(tmp_path / 'x.tfrecord')
  with tf.io.TFRecordWriter(path) as writer:
    for content in contents:
      writer.write(content)
  records = tfrecord.TfRecords([path, path], [7, 7], bytes)
  order = rng.permutation(14).tolist()
  assert records.__getitems__(order) == [contents[i % 7] for i in order]
