"""VoVNet's weights as timm names them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYER = {
  'conv': 'conv',
  'conv_dw': 'depthwise',
  'conv_pw': 'conv',
  'bn': 'norm',
}
_STEM = re.compile(r'stem\.([012])\.(\w+)')
_BLOCK = re.compile(r'stages\.(\d+)\.blocks\.(\d+)\.(.+)')
_NUMBERED = re.compile(r'conv_mid\.(\d+)\.(\w+)')
_BLOCK_LAYERS = {
  'conv_reduction.conv': 'reduce/conv',
  'conv_reduction.bn': 'reduce/norm',
  'conv_concat.conv': 'join/conv',
  'conv_concat.bn': 'join/norm',
  'attn.fc': 'excitation/dense',
}


def convert_vovnet(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `VoVNet`, see `leaves.variables`."""
  return leaves.variables(
    state,
    _rename,
    family='VoVNet',
    example='stages.0.blocks.0.conv_mid.0.bn.weight',
  )


def _rename(layer: str) -> str | None:
  if layer == 'head.fc':
    return 'head'
  if match := _STEM.fullmatch(layer):
    return _numbered('stem', *match.groups())
  match = _BLOCK.fullmatch(layer)
  if not match:
    return None
  stage, block, inner = match.groups()
  if numbered := _NUMBERED.fullmatch(inner):
    found = _numbered('layer', *numbered.groups())
  else:
    found = _BLOCK_LAYERS.get(inner)
  return found and f'stage{int(stage) + 1}_block{int(block) + 1}/{found}'


def _numbered(name: str, number: str, inner: str) -> str | None:
  found = _LAYER.get(inner)
  return found and f'{name}{int(number) + 1}/{found}'
