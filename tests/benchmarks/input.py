"""ImageNet's input against torchvision's transforms in a DataLoader.

  python tests/benchmarks/input.py

Both read the same JPEG files of usual sizes, decode them, cut a random box out
of the photograph, resize it to 224 pixels, mirror half of them, and apply
RandAugment(2, 9), with two workers: ours are threads, torch's are processes,
which is what each is made for. Both give batches of 8-bit images. Ours is
`overlap train`'s own function, from a tree of files and from a prepared data
set of TFDS. A floor is beside them: decoding alone, by Pillow, in two threads.

The photographs are the twenty of the package foolbox, at six sizes each, whose
mean is near ImageNet's (Russakovsky et al. 2015: 400 x 350 pixels, most of them
500 wide).
"""

import argparse
import concurrent.futures
import importlib.util
import io
import pathlib
import statistics
import tempfile
import time
import warnings

import numpy as np
from PIL import Image

from overlap import data
from overlap.data import augment, pipeline
from overlap.data.preparation import Preparation

POLICY = 'resized_crop|flip|randaugment(2, 9)'
SIZES = ((500, 375), (375, 500), (500, 333), (500, 500), (320, 240), (640, 480))
WORKERS = 2


def write_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Photographs as SPLIT/CLASS/FILE, in as many classes as there are."""
  spec = importlib.util.find_spec('foolbox')
  if spec is None:
    raise SystemExit('pip install foolbox, whose photographs these are')
  found = pathlib.Path(spec.submodule_search_locations[0], 'data')
  made = []
  for number, source in enumerate(sorted(found.glob('imagenet_*'))):
    image = Image.open(source).convert('RGB')
    for width, height in SIZES:
      file = folder / 'train' / f'{number:02d}' / f'{width}x{height}.jpg'
      file.parent.mkdir(parents=True, exist_ok=True)
      scale = max(width / image.width, height / image.height)
      box = (0, 0, width / scale, height / scale)
      image.resize((width, height), Image.Resampling.LANCZOS, box).save(
        file, quality=92
      )
      made.append(file)
  return made


def write_tfds(folder: pathlib.Path, files: list[pathlib.Path]) -> None:
  """The same files as a prepared data set."""
  import tensorflow_datasets as tfds

  directory = folder / 'photographs' / '1.0.0'
  directory.mkdir(parents=True)
  names = sorted({file.parent.name for file in files})
  info = tfds.core.DatasetInfo(
    builder=tfds.core.dataset_info.DatasetIdentity(
      name='photographs', version=tfds.core.Version('1.0.0'),
      data_dir=str(directory), module_name='benchmark',
    ),
    features=tfds.features.FeaturesDict({
      'image': tfds.features.Image(shape=(None, None, 3)),
      'label': tfds.features.ClassLabel(names=names),
    }),
  )  # fmt: skip
  writer = tfds.core.SequentialWriter(
    info, max_examples_per_shard=1000, file_format='array_record'
  )
  writer.initialize_splits(['train'])
  writer.add_examples(
    {
      'train': [
        {'image': str(file), 'label': file.parent.name} for file in files
      ]
    }
  )
  writer.close_all()


def ours(dataset: str, data_dir: str, args: argparse.Namespace) -> float:
  """Images a second of `overlap train`'s own function."""
  examples = data.load_examples(
    dataset=dataset, split='train', spec='train', data_dir=data_dir,
    image_size=args.size,
  )  # fmt: skip
  on_host = augment.build_on_host(
    POLICY, 3, Preparation(args.size, interpolation='bilinear')
  )
  batches = pipeline.batches(
    examples, batch_size=args.batch, seed=0, total_steps=args.steps + 1,
    num_threads=WORKERS, on_host=on_host,
  )  # fmt: skip
  return timed(batches, args)


def peers(folder: pathlib.Path, args: argparse.Namespace) -> float:
  """Images a second of torchvision's transforms in torch's DataLoader."""
  import torch

  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    from torchvision import datasets, transforms

  transform = transforms.Compose(
    [
      transforms.RandomResizedCrop(args.size),
      transforms.RandomHorizontalFlip(),
      transforms.RandAugment(
        2, 9, interpolation=transforms.InterpolationMode.BILINEAR,
        fill=[128] * 3,
      ),
      transforms.PILToTensor(),
    ]
  )  # fmt: skip
  dataset = datasets.ImageFolder(str(folder / 'train'), transform)
  count = args.batch * (args.steps + 1)
  loader = torch.utils.data.DataLoader(
    dataset,
    batch_size=args.batch,
    sampler=torch.utils.data.RandomSampler(
      dataset, replacement=True, num_samples=count
    ),
    num_workers=WORKERS,
  )
  return timed(({'image': image} for image, _ in loader), args)


def timed(batches, args: argparse.Namespace) -> float:
  """Images a second from the first batch on: workers have started by then."""
  batches = iter(batches)
  assert len(next(batches)['image']) == args.batch
  start = time.perf_counter()
  count = sum(len(batch['image']) for batch in batches)
  return count / (time.perf_counter() - start)


def floor(files: list[pathlib.Path], args: argparse.Namespace) -> float:
  """Images a second that are decoded, and no more."""

  def decode(number: int) -> None:
    content = files[number % len(files)].read_bytes()
    Image.open(io.BytesIO(content)).convert('RGB').load()

  count = args.batch * args.steps
  with concurrent.futures.ThreadPoolExecutor(WORKERS) as threads:
    start = time.perf_counter()
    list(threads.map(decode, range(count)))
    return count / (time.perf_counter() - start)


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--size', type=int, default=224)
  parser.add_argument('--batch', type=int, default=64)
  parser.add_argument('--steps', type=int, default=12)
  parser.add_argument('--repeats', type=int, default=5)
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    files = write_files(folder / 'tree')
    write_tfds(folder, files)
    sides = {
      'decoding alone': lambda: floor(files, args),
      'torchvision': lambda: peers(folder / 'tree', args),
      'ours': lambda: ours('image_folder:tree', name, args),
      'ours (TFDS)': lambda: ours('tfds:photographs', name, args),
    }
    rates: dict[str, list[float]] = {what: [] for what in sides}
    for _ in range(args.repeats):
      for what, measure in sides.items():
        rates[what].append(measure())
    size = np.mean([width * height for width, height in SIZES])
    print(
      f'{len(files)} JPEG files of {size / 1e3:.0f} thousand pixels, '
      f'{statistics.mean(f.stat().st_size for f in files) / 1e3:.0f} kB; '
      f'{WORKERS} workers, batch {args.batch}, best of {args.repeats}'
    )
  for what, values in rates.items():
    print(
      f'{what + ":":16}{max(values):6.0f} images/s '
      f'(median {statistics.median(values):.0f})'
    )
  print(f'input ratio={max(rates["ours"]) / max(rates["torchvision"]):.3f}')


if __name__ == '__main__':
  main()
