"""ResNets of the paper, mostly sweeps of one or two settings.

Their settings are parsed from their names.
"""

import re
from typing import Any

# Pairs (dotted field of a model's config, value).
Settings = tuple[tuple[str, Any], ...]

OPTIONS = 'architecture.options.'
# Number of blocks in each stage, by depth.
_STAGES = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
# Number of parameters at 1,000 classes, by depth and width.
_PARAMETERS = {
  (50, 1.0): 25_557_032,
  (50, 2.0): 98_004_072,
  (101, 0.5): 11_678_728,
  (101, 1.0): 44_549_160,
}


def _settings(depth: int = 50) -> Settings:
  """Returns settings of a ResNet trained with RandAugment (Sec. 3.2)."""
  return (
    (f'{OPTIONS}stage_sizes', _STAGES[depth]),
    ('input.size', 224),
    ('train.augment', 'resized_crop|flip|randaugment'),
  )


# Settings of the base model.
BASE = _settings()
# Config fields of the settings in names of tables 1 and 4.
_FIELDS = {
  'Dropout': f'{OPTIONS}dropout_rate',
  'Label Smoothing': 'train.label_smoothing',
  'Learning Rate': 'train.learning_rate',
  'LR': 'train.learning_rate',
  'Weight Decay': 'train.weight_decay',
  'WD': 'train.weight_decay',
}


_NAME = re.compile(r'ResNet-(50|101)(?:x([\d.]+))?(?: \((.+)\))?')


def resnet_settings(name: str) -> Settings | None:
  """Returns the config settings that a ResNet's name in the tables implies.

  'ResNet-50 (LR 0.2, WD 0.00005)' sets two fields beside those of a ResNet-50.
  Returns None for other names.
  """
  found = _NAME.fullmatch(name)
  if not found:
    return None
  depth, width, inner = found.groups()
  settings = _settings(int(depth))
  if width is not None:
    settings += ((f'{OPTIONS}width_multiplier', float(width)),)
  if inner is None:
    return settings
  dropblock = re.fullmatch(r'DropBlock (\d+), ([\d.]+)', inner)
  if dropblock:
    groups, keep_prob = dropblock.groups()
    return (
      *settings,
      (f'{OPTIONS}dropblock_groups', tuple(map(int, groups))),
      (f'{OPTIONS}dropblock_keep_prob', float(keep_prob)),
      ('train.dropblock_ramp', True),
    )
  pairs = (part.rpartition(' ') for part in inner.split(', '))
  return settings + tuple(
    (_FIELDS[field], float(value)) for field, _, value in pairs
  )


def resnet_parameters(name: str) -> int:
  """Returns the number of parameters of the named ResNet at 1,000 classes."""
  found = _NAME.fullmatch(name)
  assert found
  depth, width, _ = found.groups()
  return _PARAMETERS[int(depth), float(width or 1)]
