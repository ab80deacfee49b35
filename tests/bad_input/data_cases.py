"""Data sets, their splits, images that are none."""

import gzip
import os
import struct

import numpy as np
from PIL import Image

# Without it, nothing is learned from the training split.
_LEARNED = '--config.models.base.train.total_steps=1'
_NO_HELDOUT = '--config.data.splits.heldout='


def cases(case):
  """Named cases; `case` is the class."""
  return _splits(case) | _trees(case) | _idx(case)


def _splits(case):
  def split(text, *told):
    return case(
      lambda a: a.study(f'--config.data.splits.train={text}', _LEARNED),
      2,
      told or ('A split must look like', repr(text)),
    )

  return {
    'a split that is none': split('trn', "'trn'", "'train'", 'test, train'),
    'a split of brackets': split('train['),
    'a split of two slices': split('train[:3][:2]'),
    'a split of letters': split('train[a:b]'),
    'a split of one place': split('train[3]'),
    'a split of three places': split('train[1:2:3]'),
    'a split from the end': split('train[-5:]'),
    'a split of an exponent': split('train[1e3:]'),
    'a split of other digits': split('train[:²]'),
    'a split of 101 per cent': split('train[:101%]', '0..100%', '101%'),
    'a split beyond the end': split('train[:13]', '0..12', '13'),
    'a split of a huge number': split(f'train[:{"9" * 40}]', '0..12', '9999'),
    'an empty split': split('train[3:3]', 'must hold an example', 'train[3:3]'),
    'a split backwards': split('train[5:2]', 'must hold an example'),
    'a split of 0 per cent': split('train[:0%]', 'must hold an example'),
    'a split of nothing': split(' ', "got ' '"),
    'a split with a path': split('../train', "'../train'"),
    'no split to train on': split('', 'config.data.splits.train', "''"),
    'no split to predict': case(
      lambda a: a.study(
        '--config.data.splits.test=',
        '--config.data.splits.heldout=',
        command='predict',
      ),
      2,
      ['config.data.splits.test', '""'],
    ),
  }


def _trees(case):
  def tree(build, told, *words):
    def make(a):
      for split in ('train', 'test'):
        for name in ('one', 'two'):
          a.image(f'{split}/{name}/0.png')
      build(a)
      return [*a.tree(), *words]

    return case(make, 1, told)

  def write(name, content):
    return lambda a: a.file(name, content)

  def truncated(a):
    path = a.image('test/one/0.png')
    path.write_bytes(path.read_bytes()[:-30])

  def flipped(a):
    path = a.image('test/one/0.png', 32)
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(bytes(content))

  def deep(a):
    values = np.zeros((8, 8), np.uint16)
    Image.fromarray(values).save(a.case / 'test/one/0.png')

  def bomb(a):
    # A header of 50,000 × 50,000 pixels, and hardly any data.
    head = struct.pack('>IIBBBBB', 50_000, 50_000, 8, 0, 0, 0, 0)
    a.file('test/one/0.png', b'\x89PNG\r\n\x1a\n' + _chunk(b'IHDR', head))

  def link(a):
    (a.case / 'test/one/0.png').unlink()
    os.symlink(a.case / 'none.png', a.case / 'test/one/0.png')

  def folder(a):
    (a.case / 'test/one/0.png').unlink()
    (a.case / 'test/one/0.png').mkdir()

  def only(*names, words=()):
    def make(a):
      for name in names:
        a.image(name)
      return [*a.tree(), _LEARNED, *words]

    return make

  return {
    'data that are not there': case(
      lambda a: a.study('--config.data.data_dir=/none'),
      1,
      ['/none'],
    ),
    'data of a folder that is none, with a fallback': case(
      lambda a: a.study(
        '--config.data.dataset=image_folder:/none',
        '--config.data.fallback=mnist_5k',
      ),
      1,
      ['/none'],
    ),
    'data of TFDS that are not there, with a fallback': case(
      lambda a: a.study(
        '--config.data.dataset=tfds:none',
        '--config.data.fallback=mnist_5k',
        command='study',
      ),
      1,
      ['none'],
    ),
    'data in a file': case(
      lambda a: a.study(f'--config.data.data_dir={a.file("d")}'),
      1,
      ['d'],
    ),
    'data with a NUL in their path': case(
      lambda a: a.study('--config.data.data_dir=/a\0b'),
      1,
      ['/a\\x00b'],
    ),
    'no classes': case(only('0.png'), 1, ['{split}/{class}/{image}']),
    'no split': case(only('one/0.png'), 1, ['{split}/{class}/{image}', 'one']),
    'no train split': case(
      only('test/one/0.png', 'test/two/0.png'),
      2,
      ["'train'", 'test'],
    ),
    'no split to predict in the tree': case(
      only('train/one/0.png', 'train/two/0.png', words=[_NO_HELDOUT]),
      2,
      ["'test'", 'train'],
    ),
    'no data to learn from first': case(
      lambda a: a.study(
        '--config.models.base.method=pretrain',
        '--config.models.base.pretrain.dataset=image_folder:/none',
        '--config.models.base.pretrain.total_steps=1',
        _LEARNED,
        command='study',
      ),
      1,
      ['/none'],
    ),
    'no pairs to learn from': case(
      lambda a: a.study(
        '--config.models.base.method=image_text',
        '--config.models.base.image_text.pairs=/none.csv',
        '--config.models.base.image_text.total_steps=1',
        _LEARNED,
        command='study',
      ),
      1,
      ['/none.csv'],
    ),
    'no data to transfer to': case(
      lambda a: a.study(
        '--config.transfer.dataset=image_folder:/none',
        _LEARNED,
        command='study',
      ),
      1,
      ['/none'],
    ),
    'a class that the list lacks': case(
      lambda a: a.study("--config.data.classes=('circle','square')"),
      1,
      ['config.data.classes', "'star'", "'circle', 'square'"],
    ),
    'a list of classes that is not there': case(
      lambda a: a.study('--config.data.classes=none.txt'),
      1,
      ['none.txt', "'imagenet'"],
    ),
    'a list of classes that names one twice': case(
      lambda a: a.study("--config.data.classes=('circle','star','star')"),
      2,
      ['once', "'star' again"],
    ),
    'a list of classes that lacks an index': case(
      lambda a: a.study(
        f'--config.data.classes={a.json("c.json", {"circle": 0, "star": 2})}'
      ),
      1,
      ['c.json', '0 to 1'],
    ),
    'a class of one split alone': tree(
      lambda a: a.image('train/three/0.png'),
      ['same classes', "'three'", 'config.data.classes'],
      _LEARNED,
    ),
    'images of a class in two folders': tree(
      lambda a: a.image('test/one/more/0.png'),
      ['in one folder', 'test/one', 'test/one/more'],
    ),
    'a class without images': tree(
      lambda a: [(a.case / s / 'three').mkdir() for s in ('train', 'test')],
      ['every class must have an image', 'test/three'],
    ),
    'an image without bytes': tree(
      write('test/one/0.png', b''),
      ['test/one/0.png', '0 bytes'],
    ),
    'an image that is text': tree(
      write('test/one/0.png', 'hello'),
      ['test/one/0.png', '5 bytes'],
    ),
    'an image that is a web page': tree(
      write('test/one/0.png', '<html>404</html>'),
      ['test/one/0.png'],
    ),
    'an image that ends early': tree(truncated, ['test/one/0.png']),
    'an image with a wrong byte': tree(flipped, ['test/one/0.png']),
    'an image of 16 bits': tree(deep, ['8 bits', 'test/one/0.png']),
    'an image of 2.5 gigapixels': tree(
      bomb, ['test/one/0.png', 'must be an image']
    ),
    'a link to no image': tree(link, ['test/one/0.png', 'No such file']),
    'a folder that is called an image': tree(
      folder,
      ['test/one/0.png'],
    ),
    'an image of another size': tree(
      lambda a: a.image('test/one/0.png', 9),
      ['9x9', 'set image_size'],
    ),
    'an image that is not square': tree(
      lambda a: Image.new('L', (8, 9)).save(a.case / 'train/one/0.png'),
      ['square', '8x9', 'input.resize'],
      _LEARNED,
    ),
    'a name that is no text': tree(
      lambda a: os.rename(
        os.fsencode(a.case / 'train/one/0.png'),
        os.fsencode(a.case / 'train/one') + b'/\xff.png',
      ),
      ['train/one/', 'udcff'],
      _LEARNED,
    ),
  }


def _chunk(kind, content):
  import zlib

  checksum = zlib.crc32(kind + content)
  return (
    struct.pack('>I', len(content))
    + kind
    + content
    + struct.pack('>I', checksum)
  )


def _idx(case):
  images = struct.pack('>IIII', 0x803, 4, 8, 8) + bytes(256)
  labels = struct.pack('>II', 0x801, 4) + bytes([0, 1, 0, 1])

  def idx(told, **changed):
    def make(a):
      files = {
        'train-images-idx3-ubyte': images,
        'train-labels-idx1-ubyte': labels,
        't10k-images-idx3-ubyte': images,
        't10k-labels-idx1-ubyte': labels,
      }
      given = {
        'images': 'train-images-idx3-ubyte',
        'labels': 'train-labels-idx1-ubyte',
      }
      for name, content in changed.items():
        files[given[name]] = content
      for name, content in files.items():
        if content is not None:
          a.file(name, content)
      return a.study(
        '--config.data.dataset=idx',
        f'--config.data.data_dir={a.case}',
        _LEARNED,
      )

    return case(make, 1, told)

  return {
    'IDX without labels': idx(['train-labels-idx1-ubyte'], labels=None),
    'IDX that is empty': idx(['images', 'IDX'], images=b''),
    'IDX that ends early': idx(['bytes', 'got 271'], images=images[:-1]),
    'IDX that is longer': idx(['bytes', 'got 273'], images=images + b'x'),
    'IDX of a huge shape': idx(
      ['bytes'], images=struct.pack('>IIII', 0x803, *(2**32 - 1,) * 3)
    ),
    'IDX of 255 dimensions': idx(
      ['truncated'], images=b'\0\0\x08\xff' + bytes(99)
    ),
    'IDX of fractions': idx(
      ['uint8'], images=struct.pack('>IIII', 0xD03, 4, 8, 8) + bytes(1024)
    ),
    'IDX of other counts': idx(
      ['equally many', '4', '3'],
      labels=struct.pack('>II', 0x801, 3) + bytes(3),
    ),
    'IDX in a damaged gzip': idx(
      ['readable'], images=gzip.compress(images)[:-9] + b'\0'
    ),
    'IDX without examples': idx(
      ['example'],
      images=struct.pack('>IIII', 0x803, 0, 8, 8),
      labels=struct.pack('>II', 0x801, 0),
    ),
    'a data set that nobody prepared': case(
      lambda a: a.study(
        '--config.data.dataset=tfds:voc/2007',
        f'--config.data.data_dir={a.case}',
      ),
      1,
      ['voc'],
    ),
    'a data set of TFDS without a name': case(
      lambda a: a.study(
        '--config.data.dataset=tfds', f'--config.data.data_dir={a.case}'
      ),
      2,
      ['tfds'],
    ),
    'a data set of TFDS outside of its folder': case(
      lambda a: a.study(
        '--config.data.dataset=tfds:../../etc',
        f'--config.data.data_dir={a.case}',
      ),
      1,
      ['../../etc'],
    ),
  }
