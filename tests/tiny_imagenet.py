"""A tiny ImageNet as TFDS prepares it: 1,000 classes, photographs of any size.

  python tests/tiny_imagenet.py FOLDER

writes one that `--config.data.data_dir=FOLDER` names.
"""

import importlib.util
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image

# Width and height: none square, some smaller than what models take.
SIZES = ((90, 70), (50, 81), (120, 40), (33, 64), (75, 76))


def write(folder: pathlib.Path, *, train: int = 120, test: int = 8) -> None:
  """Writes `folder`/imagenet2012 with the splits 'train' and 'validation'."""
  import tensorflow_datasets as tfds

  rng = np.random.default_rng(0)
  classes = [f'n{i:08d}' for i in range(1000)]
  with tempfile.TemporaryDirectory() as name:
    splits = {
      split: [_example(rng, pathlib.Path(name, f'{split}{i}.jpg'), i)
              for i in range(count)]
      for split, count in (('train', train), ('validation', test))
    }  # fmt: skip
    _prepare()(
      folder, splits, name='imagenet2012',
      features=tfds.features.FeaturesDict({
        'image': tfds.features.Image(shape=(None, None, 3)),
        'label': tfds.features.ClassLabel(names=classes),
        'file_name': tfds.features.Text(),
      }),
    )  # fmt: skip


def _example(rng: np.random.Generator, file: pathlib.Path, i: int) -> dict:
  coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
  size = SIZES[i % len(SIZES)]
  Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(file)
  # Labels up to the last of the 1,000.
  return {'image': str(file), 'label': (999 - 7 * i) % 1000,
          'file_name': file.name}  # fmt: skip


def _prepare():
  path = pathlib.Path(__file__).with_name('data') / 'conftest.py'
  spec = importlib.util.spec_from_file_location('data_conftest', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module._prepare


if __name__ == '__main__':
  write(pathlib.Path(sys.argv[1]))
