"""Training methods of a study: validation, phases and descriptions."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from overlap import data, train
from overlap.core import lookup
from overlap.data import augment
from overlap.data import pairs as pairs_lib
from overlap.data.examples import Examples
from overlap.data.pairs import Pairs
from overlap.study import heads
from overlap.train import (
  groups,
  lengths,
  mpl,
  optimizer,
  pretrain,
  supervised,
  texts,
)

Settings = Mapping[str, Any]


def check_method(name: str, settings: Settings) -> None:
  """Checks the settings of a training method before anything is run.

  Raises:
    UsageError: the method, optimiser, schedule or augmentation is unknown, or
      settings of the method are invalid.
  """
  at = f'config.models.{name}'
  lookup.check_choice(
    f'training method (in {at})', settings['method'], train.METHODS
  )
  optimizer.check_settings(f'{at}.train', settings['train'])
  for phase in phases(settings):
    _, on_device = augment.split(
      phase.fields['augment'], phase.fields.get('augment_on_host', 0)
    )
    augment.build(on_device)
  groups.check_groups(at, settings, settings['method'])
  supervised.check_ramp(at, settings)
  if settings['method'] == 'image_text':
    texts.check_texts(name, settings)
    pairs_lib.check_pairs(
      pairs_of(settings), settings['image_text'].get('caption', '')
    )
  elif settings['method'] == 'mpl':
    mpl.check_mpl(name, settings)
  elif settings['method'] == 'pretrain':
    pretrain.check_pretrain(name, settings)
    lookup.check_choice(
      f'dataset for {at}.pretrain.dataset',
      settings['pretrain']['dataset'].partition(':')[0],
      data.SOURCES,
    )


class Phase(NamedTuple):
  """Phase of a training.

  Attributes:
    fields: length and batch size, as `lengths.in_steps` takes them.
    views: number of images per example of a batch.
    own_examples: whether it uses the study's training split.
  """

  fields: Settings
  views: int = 1
  own_examples: bool = True


def phases(settings: Settings) -> list[Phase]:
  """Returns the phases of a model's training in order; empty for none."""
  method = settings['method']
  found = []
  if method == 'simclr':
    found.append(Phase(settings['simclr'], views=2))
  elif method == 'mpl':
    # Labelled and unlabelled images.
    views = 1 + settings['mpl']['unlabelled_ratio']
    found.append(Phase(settings['mpl'], views=views))
  elif method == 'image_text':
    found.append(Phase(settings['image_text']))
  elif method == 'pretrain':
    found.append(Phase(settings['pretrain'], own_examples=False))
  if lengths.is_trained(settings['train']):
    found.append(Phase(settings['train']))
  return found


def in_words(settings: Settings) -> str:
  """Describes how a model is made, for a line of the log."""
  family = settings['architecture']['name']
  from_file = bool(settings['init']['checkpoint'])
  if phases(settings):
    said = [f'{settings["method"]} {family}']
    if settings['method'] == 'distill':
      said.append(f'taught by {settings["distill"]["teacher"]}')
    if from_file:
      said.append('begun from a checkpoint')
  else:
    said = [family, 'loaded from a checkpoint' if from_file else 'untrained']
  if head := heads.made(settings):
    said.append(head)
  return ', '.join(said)


def learned_from(settings: Settings) -> str:
  """Returns the data set of the pre-training; '' if it is the study's."""
  given = pairs_of(settings)
  if settings['method'] == 'pretrain':
    return settings['pretrain']['dataset']
  if given:
    return pairs_lib.dataset_name(given)
  return settings['init']['pretrained_on']


def pairs(
  settings: Settings, examples: Examples, data_dir: str
) -> Callable[[], Pairs] | None:
  """Returns a function that opens images with captions; None without any.

  The images are prepared like those of the examples. Opening is deferred
  because an index of large data takes minutes.

  Args:
    settings: config of the model.
    examples: examples of the study.
    data_dir: folder of the study's data.

  Returns:
    A function that raises a UsageError or a DataError if the pairs are not
    available; None if captions are made of the class names.
  """
  given = pairs_of(settings)
  if not given:
    return None
  return functools.partial(
    pairs_lib.open_pairs, given, image_size=examples.image_size,
    channels=examples.channels, data_dir=data_dir,
    caption=settings['image_text'].get('caption', ''),
  )  # fmt: skip


def pairs_of(settings: Settings) -> str:
  """Returns the images with captions a model learns from; '' for none."""
  if settings['method'] != 'image_text':
    return ''
  return settings['image_text']['pairs']
