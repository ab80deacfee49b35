"""ResNet's weights as torchvision and timm name them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {'conv1': 'stem/conv', 'bn1': 'stem/norm', 'fc': 'head'}
_BLOCK = re.compile(r'layer(\d+)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.([01]))')
_KINDS = {'conv': 'conv', 'bn': 'norm', '0': 'conv', '1': 'norm'}


def convert(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `ResNet`, see `leaves.variables`."""
  return leaves.variables(
    state, _rename, family='ResNet', example='layer1.0.conv1.weight'
  )


def _rename(layer: str) -> str | None:
  match = _BLOCK.fullmatch(layer)
  if not match:
    return _LAYERS.get(layer)
  stage, block, kind, number, shortcut = match.groups()
  inner = f'conv{number}' if kind else 'shortcut'
  leaf = _KINDS[kind or shortcut]
  return f'stage{stage}_block{int(block) + 1}/{inner}/{leaf}'
