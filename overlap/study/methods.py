"""What is particular to a training method, as far as a study sees it."""

import os
from collections.abc import Mapping
from typing import Any

from overlap import data, lookup, train
from overlap.data.captions import Pairs
from overlap.data.examples import Examples
from overlap.train import groups, mpl, optimizer, pretrain, texts

Settings = Mapping[str, Any]


def check(name: str, settings: Settings) -> None:
  """Checks what can be known before anything is run.

  Raises:
    UsageError: an unknown method, optimiser or schedule, or settings of the
      method that can't be.
  """
  at = f'config.models.{name}'
  lookup.check(f'training method (in {at})', settings['method'], train.METHODS)
  optimizer.check_settings(f'{at}.train', settings['train'])
  groups.check(at, settings, settings['method'])
  if settings['method'] == 'image_text':
    texts.check(name, settings)
  elif settings['method'] == 'mpl':
    mpl.check(name, settings)
  elif settings['method'] == 'pretrain':
    pretrain.check(name, settings)
    lookup.check(
      f'dataset for {at}.pretrain.dataset',
      settings['pretrain']['dataset'].partition(':')[0],
      data.SOURCES,
    )


def learned_from(settings: Settings) -> str:
  """The data set of the pre-training, '' where it is the study's."""
  table = _table(settings)
  if settings['method'] == 'pretrain':
    return settings['pretrain']['dataset']
  if table:
    return os.path.splitext(os.path.basename(table))[0]
  return settings['init']['pretrained_on']


def pairs(settings: Settings, examples: Examples) -> Pairs | None:
  """The images and captions of a table, with images like the examples'.

  Raises:
    UsageError, DataError: the table can't be read.
  """
  table = _table(settings)
  if not table:
    return None
  return Pairs(
    table, image_size=examples.image_size, channels=examples.channels
  )


def _table(settings: Settings) -> str:
  if settings['method'] != 'image_text':
    return ''
  return settings['image_text']['pairs']
