"""Validates `config.models.*.head` and names the head for the tables."""

from collections.abc import Mapping
from typing import Any

from overlap.core import lookup
from overlap.models import text_encoder
from overlap.train import lengths, mapped, zero_shot

MAPPING = 'class_mapping'
FITS = ('trained', 'lbfgs', 'zero_shot', MAPPING)
# Descriptions of heads that are not trained with the network.
_MADE = {
  'lbfgs': 'its head fitted by L-BFGS',
  'zero_shot': 'its head made of texts',
  MAPPING: 'its head mapped from other classes',
}

Settings = Mapping[str, Any]


def check_head(name: str, settings: Settings) -> None:
  """Checks the settings of a head before anything is run.

  Raises:
    UsageError: the way to fit a head is unknown, or its settings are missing.
  """
  fit = settings['head']['fit']
  lookup.check_choice(f'way to fit a head (in config.models.{name})', fit, FITS)
  if fit == 'zero_shot':
    zero_shot.check_zero_shot(name, settings)
  elif fit == MAPPING:
    mapped.check_class_mapping(name, settings)


def knows_texts(settings: Settings) -> bool:
  """Returns whether the model has learned from images and texts."""
  if settings['method'] == 'image_text':
    return True
  family = settings['architecture']['name']
  return family in text_encoder.TOWERS and bool(settings['init']['checkpoint'])


def made(settings: Settings) -> str:
  """Describes the head in a few words; '' for a head trained as usual."""
  return _MADE.get(settings['head']['fit'], '')


def word(settings: Settings) -> str:
  """Returns the column `head` of the tables, in the paper's terms."""
  fit = settings['head']['fit']
  if fit == 'lbfgs':
    return 'L-BFGS'
  if fit == MAPPING:
    return 'Class Mapping'
  if fit == 'zero_shot' and not lengths.is_trained(settings['train']):
    return 'Zero Shot'
  if settings['method'] == 'distill':
    return 'Distilled'
  pretrained = settings['method'] in ('simclr', 'image_text')
  if pretrained or settings['init']['checkpoint']:
    return 'Fine Tuned'
  return 'Trained'
