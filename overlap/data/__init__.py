"""Data: sources with a stable id for every example, and batches of them.

`load_examples` opens a split; `pipeline` makes batches of it.
"""

from collections.abc import Sequence

from absl import logging

from overlap.catalog import class_lists
from overlap.core import errors, files, lookup, natural_order
from overlap.data import log, published, splits, views
from overlap.data import preparation as preparation_lib
from overlap.data.examples import ArrayExamples, Examples
from overlap.data.preparation import Preparation
from overlap.data.source import Source

# 'KIND' or 'KIND:NAME' -> where the source is.
SOURCES = {
  'cifar10': 'overlap.data.cifar10:SOURCE',
  'fashion_mnist': 'overlap.data.fashion_mnist:SOURCE',
  'foolbox_imagenet': 'overlap.data.foolbox_imagenet:SOURCE',
  'idx': 'overlap.data.idx:SOURCE',
  'image_folder': 'overlap.data.image_folder:SOURCE',
  'mnist_5k': 'overlap.data.mnist_5k:SOURCE',
  'parquet': 'overlap.data.parquet:SOURCE',
  'tfds': 'overlap.data.tfds_source:SOURCE',
  'webdataset': 'overlap.data.webdataset:SOURCE',
}
# Splits whose decoded images take no more than this stay in memory, bytes.
CACHE_BYTES = 2**29

__all__ = [
  'SOURCES',
  'ArrayExamples',
  'Examples',
  'describe_examples',
  'is_fetched',
  'is_here',
  'load_examples',
  'obtain',
  'prepare_examples',
  'stand_in',
]


def load_examples(
  *,
  dataset: str,
  split: str,
  spec: str,
  data_dir: str,
  image_size: int = 0,
  channels: int = 0,
  classes: Sequence[str] = (),
) -> Examples:
  """Opens a split of a data set, fetching the data if need be.

  Args:
    dataset: a key of `SOURCES`, followed by ':NAME' for 'tfds:NAME[/CONFIG]'
      and, below data_dir, for 'image_folder:NAME', 'idx:NAME',
      'parquet:NAME' and 'webdataset:NAME'.
    split: our name for it.
    spec: which of the source's examples it holds, such as 'train[10%:]': see
      `overlap.data.splits`.
    data_dir: folder of the data; '' is 'data'.
    image_size: S, 0 for the source's own: see `overlap.data.images.decode`.
    channels: 1 or 3, 0 for the source's own.
    classes: names of all classes, in the order of the labels; () for the
      source's own.

  Raises:
    DataError: the data can't be had, are faulty, or have a class that
      `classes` lacks.
    UsageError: no such data set, split, slice or number of channels.
  """
  examples = _source(dataset).load(
    dataset=dataset, split=splits.parse(spec).name,
    data_dir=_folder(data_dir), image_size=image_size, channels=channels,
  )  # fmt: skip
  if channels not in (0, examples.channels):
    raise errors.UsageError(
      f'{dataset} has images of {examples.channels} channels, got '
      f'channels={channels}; choices: 0, {examples.channels}.'
    )
  if not len(examples):
    raise errors.DataError(
      f'{dataset} must have an example in its split {splits.parse(spec).name!r}'
      ', got none.'
    )
  examples = _chosen(examples, split, spec, classes)
  if image_size not in (0, examples.image_size):
    examples = views.Resized(examples, image_size)
  return _cached(examples)


def describe_examples(
  *,
  dataset: str,
  split: str,
  spec: str,
  image_size: int = 0,
  classes: Sequence[str] = (),
) -> Examples | None:
  """Returns what is known of a split where its files are not here.

  Args:
    dataset: name, as the other arguments, see `load_examples`.
    split: our name for it.
    spec: which of the source's examples it holds.
    image_size: S, 0 for the source's own.
    classes: names of all classes.

  Returns:
    Examples with sizes and classes, whose images can't be read; None where
    nothing is known.

  Raises:
    DataError, UsageError: as `load_examples`.
  """
  name = splits.parse(spec).name
  examples = published.describe(dataset, name, image_size)
  return examples and _chosen(examples, split, spec, classes)


def _chosen(
  examples: Examples, split: str, spec: str, classes: Sequence[str]
) -> Examples:
  """The slice of a source's split that a spec asks for, under our name."""
  examples.split = split
  examples = _in_order(examples, classes)
  expression = splits.parse(spec)
  if not expression.is_whole:
    examples = views.Selected(examples, expression.positions(examples.ids))
  return examples


def _in_order(examples: Examples, classes: Sequence[str]) -> Examples:
  """Numbers the classes as a list does, and logs a list or order once."""
  order = examples.class_order
  if classes:
    indices = class_lists.match(examples.class_names, classes, examples.dataset)
    examples = views.Relabelled(examples, classes, indices)
    order = 'order of config.data.classes'
    if len(indices) < len(classes):
      order += f', {len(indices)} of which are in {examples.split}'
  elif order and class_lists.is_part_of_imagenet(examples.class_names):
    order += ", of ImageNet's 1,000 (config.data.classes=imagenet numbers all)"
  if order:
    log.once(
      f'{examples.dataset}: classes in {order}, '
      f'{natural_order.describe_order(examples.class_names)}'
    )
  return examples


def prepare_examples(examples: Examples, preparation: Preparation) -> Examples:
  """The same examples with their original images made square by a rule.

  Args:
    examples: from `load_examples`; their own image size is of no matter.
    preparation: the rule.

  Raises:
    UsageError: the rule is none.
  """
  preparation_lib.check_preparation(preparation)
  return _cached(views.Prepared(examples, preparation))


def _cached(examples: Examples) -> Examples:
  """Examples that stay in memory where they are small."""
  if not examples.in_memory and views.num_bytes(examples) <= CACHE_BYTES:
    return views.Cached(examples)
  return examples


def obtain(dataset: str, *, data_dir: str, fallback: str = '') -> str:
  """Makes sure that a data set can be loaded, fetching it if need be.

  Args:
    dataset: name of the data set, see `load_examples`.
    data_dir: folder of the data; '' is 'data'.
    fallback: a data set to take, with a line in the log, where `dataset`
      can't be fetched: see `stand_in`; '' for none.

  Returns:
    `dataset`, or `fallback`.

  Raises:
    DataError: it can't be had, nor can `fallback`.
    UsageError: no such data set.
  """
  try:
    _source(dataset).obtain(dataset=dataset, data_dir=_folder(data_dir))
  except errors.DataError as e:
    if not stand_in(dataset, fallback):
      raise
    logging.warning('%s takes the place of %s: %s', fallback, dataset, e)
    return obtain(fallback, data_dir=data_dir)
  return dataset


def stand_in(dataset: str, fallback: str) -> str:
  """The data set that may take another's place: `fallback`, or '' for none.

  Only one that is fetched can be out of reach through no fault of the config.
  Where a folder is not there, other images in its place would hide a mistake.

  Args:
    dataset: name of the data set, see `load_examples`, or a name that is known
      to a store alone.
    fallback: what the config gives; '' for none.
  """
  known = dataset.partition(':')[0] in SOURCES
  return fallback if known and is_fetched(dataset) else ''


def is_here(dataset: str, *, data_dir: str) -> bool:
  """Returns whether a data set can be loaded as it lies here, nothing fetched.

  Args:
    dataset: name of the data set, see `load_examples`.
    data_dir: folder of the data; '' is 'data'.

  Raises:
    UsageError: no such data set.
  """
  source, folder = _source(dataset), _folder(data_dir)
  if source.is_here is not None:
    return source.is_here(dataset=dataset, data_dir=folder)
  try:
    source.obtain(dataset=dataset, data_dir=folder)
  except errors.DataError:
    return False
  return True


def is_fetched(dataset: str) -> bool:
  """Returns whether a data set that is not here would be fetched."""
  return _source(dataset).is_here is not None


def _source(dataset: str) -> Source:
  return lookup.lookup('dataset', dataset.partition(':')[0], SOURCES)


def _folder(data_dir: str) -> str:
  folder = files.local_path(data_dir or 'data')
  files.check_scheme('The folder of the data', folder)
  return folder
