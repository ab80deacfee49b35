"""Inception-v3's weights as torchvision and timm name them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  'Conv2d_1a_3x3': 'stem_conv1',
  'Conv2d_2a_3x3': 'stem_conv2',
  'Conv2d_2b_3x3': 'stem_conv3',
  'Conv2d_3b_1x1': 'stem_conv4',
  'Conv2d_4a_3x3': 'stem_conv5',
}
_BLOCKS = ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c')
_BRANCHES = {
  '1x1': '1x1',
  '3x3': '3x3',
  '3x3dbl': '3x3_twice',
  '5x5': '5x5',
  '7x7': '7x7',
  '7x7dbl': '7x7_twice',
  '7x7x3': '7x7_3x3',
  '_pool': 'pool',
}
_BRANCH = re.compile(
  rf'Mixed_({"|".join(_BLOCKS)})\.branch({"|".join(_BRANCHES)})(?:_(\d[ab]?))?'
)
_KINDS = {'conv': 'conv', 'bn': 'norm'}
_AUXILIARY = 'AuxLogits.'


def convert_inception_v3(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `InceptionV3`, see `leaves.variables`."""
  # The auxiliary head, which torchvision's file has and those from TensorFlow
  # lack, helps training alone: no output of the network depends on it.
  state = {k: v for k, v in state.items() if not k.startswith(_AUXILIARY)}
  return leaves.variables(
    state,
    _rename,
    family='InceptionV3',
    example='Mixed_5b.branch1x1.conv.weight',
  )


def _rename(layer: str) -> str | None:
  if layer == 'fc':
    return 'head'
  whole, _, kind = layer.rpartition('.')
  if kind not in _KINDS:
    return None
  found = _LAYERS.get(whole)
  if match := _BRANCH.fullmatch(whole):
    block, branch, number = match.groups()
    found = f'block{_BLOCKS.index(block) + 1}/{_BRANCHES[branch]}'
    found += f'/conv{number or 1}'
  return found and f'{found}/{_KINDS[kind]}'
