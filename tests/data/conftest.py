"""Small examples whose images tell which example they are."""

import gzip
import importlib.util
import json
import pathlib
import struct
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from overlap.data.examples import ArrayExamples


def make_numbered(count: int, num_classes: int = 3) -> ArrayExamples:
  """Example i is a 4x4 image whose first pixels are i // 256 and i % 256."""
  numbers = np.arange(count)
  images = np.zeros((count, 4, 4), np.uint8)
  images[:, 0, 0], images[:, 0, 1] = numbers // 256, numbers % 256
  return ArrayExamples(
    dataset='numbered', split='train', images=images,
    labels=numbers % num_classes, ids=[f'n/{i}' for i in numbers],
    class_names=[f'class {i}' for i in range(num_classes)],
  )  # fmt: skip


@pytest.fixture
def numbered() -> Callable[..., ArrayExamples]:
  return make_numbered


@pytest.fixture
def numbers_of() -> Callable[[np.ndarray], np.ndarray]:
  """From images [B, 4, 4, 1] to which examples they are, [B]."""
  return lambda images: images[:, 0, 0, 0] * np.int64(256) + images[:, 0, 1, 0]


@pytest.fixture
def write_idx() -> Callable[..., None]:
  """Writes an IDX file, naively, number by number."""

  def write(path, array: np.ndarray, *, code: int = 0x08, letter: str = 'B'):
    content = struct.pack('>BBBB', 0, 0, code, array.ndim)
    content += b''.join(struct.pack('>I', size) for size in array.shape)
    content += b''.join(struct.pack(f'>{letter}', n) for n in array.flat)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_gzip = path.suffix == '.gz'
    path.write_bytes(gzip.compress(content) if is_gzip else content)

  return write


@pytest.fixture
def write_idx_splits(write_idx) -> Callable[..., None]:
  """Writes the four files of a tiny Fashion-MNIST."""

  def write(folder, *, train: int, test: int, size: int = 28, end: str = '.gz'):
    for prefix, count in (('train', train), ('t10k', test)):
      images = np.zeros((count, size, size), np.uint8)
      images[:, 0, 0] = np.arange(count)
      labels = np.arange(count, dtype=np.uint8) % 10
      write_idx(folder / f'{prefix}-images-idx3-ubyte{end}', images)
      write_idx(folder / f'{prefix}-labels-idx1-ubyte{end}', labels)

  return write


@pytest.fixture(scope='session')
def photographs() -> list[np.ndarray]:
  """Photographs of 512×512 pixels and one of 683×1024, uint8 [H, W, 3]."""
  spec = importlib.util.find_spec('foolbox')
  if spec is None:
    pytest.skip('the package foolbox has the pictures, and is not installed')
  folder = pathlib.Path(spec.submodule_search_locations[0]) / 'data'
  return [
    np.asarray(Image.open(file).convert('RGB'))
    for file in sorted(folder.glob('imagenet_*'))
  ]


def _prepare(folder, splits, *, features=None, name='tiny', config=''):
  """Writes array_record files with TFDS's own writer, in shards of 20.

  Args:
    folder: the data_dir.
    splits: from split to a list of examples, images as files.
    features: TFDS's features.
    name: of the data set.
    config: of it.
  """
  import tensorflow_datasets as tfds

  directory = pathlib.Path(folder) / name / config / '1.0.0'
  directory.mkdir(parents=True)
  info = tfds.core.DatasetInfo(
    builder=tfds.core.dataset_info.DatasetIdentity(
      name=name, version=tfds.core.Version('1.0.0'), data_dir=str(directory),
      module_name='tests', config_name=config or None,
    ),
    features=features or tfds.features.FeaturesDict({
      'image': tfds.features.Image(shape=(None, None, 3)),
      'label': tfds.features.ClassLabel(names=['owl', 'pea', 'quill']),
    }),
  )  # fmt: skip
  writer = tfds.core.SequentialWriter(
    info, max_examples_per_shard=20, file_format='array_record'
  )
  writer.initialize_splits(list(splits))
  writer.add_examples(splits)
  writer.close_all()
  return directory


@pytest.fixture
def prepare_tfds() -> Callable[..., pathlib.Path]:
  return _prepare


def _checksum(content: bytes) -> bytes:
  """CRC-32C, masked, bit by bit from its definition."""
  crc = 0xFFFFFFFF
  for byte in content:
    crc ^= byte
    for _ in range(8):
      crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
  crc ^= 0xFFFFFFFF
  rotated = crc >> 15 | crc << 17 & 0xFFFFFFFF
  return struct.pack('<I', (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def _as_tfrecord(directory: pathlib.Path) -> list[pathlib.Path]:
  """Rewrites a data set of `prepare_tfds` as TFRecord; returns its files."""
  from array_record.python import array_record_module

  made = []
  for path in sorted(directory.glob('*.array_record*')):
    reader = array_record_module.ArrayRecordReader(str(path))
    made.append(path.with_name(path.name.replace('array_record', 'tfrecord')))
    with made[-1].open('wb') as f:
      for content in reader.read_all():
        length = struct.pack('<Q', len(content))
        for part in (length, content):
          f.write(part + _checksum(part))
    reader.close()
    path.unlink()
  path = directory / 'dataset_info.json'
  info = json.loads(path.read_text())
  assert info['fileFormat'] == 'array_record'
  path.write_text(json.dumps(info | {'fileFormat': 'tfrecord'}))
  return made


@pytest.fixture
def as_tfrecord() -> Callable[[pathlib.Path], list[pathlib.Path]]:
  return _as_tfrecord


_FAKE = """\
#!{python}
# Plays back what plan.json says for the next call of {name}, and writes down
# how it was called.
import json, pathlib, shutil, sys, time
here = pathlib.Path({folder!r})
plans = json.loads((here / 'plan.json').read_text())
with (here / 'calls.jsonl').open('a') as f:
  config = pathlib.Path(sys.argv[sys.argv.index('-c') + 1]).read_text() \\
    if '-c' in sys.argv else ''
  f.write(json.dumps([{name!r}, sys.argv[1:], config]) + '\\n')
key = next((key for key in plans if key.split()[0] == {name!r}
            and set(key.split()[1:]) <= set(sys.argv)), None)
steps = plans[key] if key else ['ok']
step, rest = steps[0], steps[1:] or steps
if key:
  (here / 'plan.json').write_text(json.dumps(plans | {{key: rest}}))
if step == 'hang':
  time.sleep(60)
if step == 'fail':
  sys.stderr.write('W: a warning\\nE: no such luck\\n\\n')
  sys.exit(100)
if step == 'ok' and 'download' in sys.argv:
  pathlib.Path(sys.argv[-1] + '_1.0_all.deb').write_text('package')
if step == 'ok' and '-x' in sys.argv:
  assert pathlib.Path(sys.argv[2]).read_text() == 'package'
  shutil.copytree(here / 'tree', sys.argv[3], dirs_exist_ok=True)
"""


class FakeCommands:
  """apt-get and dpkg-deb as they are alone on PATH.

  `plan` maps a command and its sub-command ('apt-get download') to a list of
  'ok', 'fail', 'hang' or 'nothing', the last of which goes on for ever;
  `tree` is what the package holds; `calls` is how they were called.
  """

  def __init__(self, folder):
    self.folder = folder
    self.tree = folder / 'tree'
    self.tree.mkdir(parents=True)
    self.plan()

  def add(self, name):
    path = self.folder / 'bin' / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(
      _FAKE.format(python=sys.executable, name=name, folder=str(self.folder))
    )
    path.chmod(0o755)

  def plan(self, **steps):
    plans = {key.replace('__', ' ').replace('_', '-'): list(value.split())
             for key, value in steps.items()}  # fmt: skip
    (self.folder / 'plan.json').write_text(json.dumps(plans))

  @property
  def calls(self):
    path = self.folder / 'calls.jsonl'
    if not path.exists():
      return []
    return [json.loads(line) for line in path.read_text().splitlines()]

  @property
  def names(self):
    return [
      f'{name} {next(a for a in arguments if a in _SUBCOMMANDS)}'
      for name, arguments, _ in self.calls
    ]


_SUBCOMMANDS = ('download', 'update', '-x')


@pytest.fixture
def commands(tmp_path, monkeypatch) -> FakeCommands:
  fakes = FakeCommands(tmp_path / 'commands')
  for name in ('apt-get', 'dpkg-deb'):
    fakes.add(name)
  monkeypatch.setenv('PATH', str(fakes.folder / 'bin'))
  return fakes
