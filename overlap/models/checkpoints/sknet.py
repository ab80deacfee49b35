"""SK-ResNet's weights as timm names them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {'conv1': 'stem/conv', 'bn1': 'stem/norm', 'fc': 'head'}
_BLOCK_LAYERS = {
  'conv1.paths.0.conv': 'selective/path1_conv',
  'conv1.paths.0.bn': 'selective/path1_norm',
  'conv1.paths.1.conv': 'selective/path2_conv',
  'conv1.paths.1.bn': 'selective/path2_norm',
  'conv1.attn.fc_reduce': 'selective/reduce',
  'conv1.attn.bn': 'selective/norm',
  'conv1.attn.fc_select': 'selective/expand',
  'conv2.conv': 'conv2/conv',
  'conv2.bn': 'conv2/norm',
  'downsample.0': 'shortcut/conv',
  'downsample.1': 'shortcut/norm',
}


def convert_sknet(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `SKNet`, see `leaves.variables`."""
  return leaves.variables(
    state,
    _rename,
    family='SK-ResNet',
    example='layer1.0.conv1.paths.0.conv.weight',
  )


def _rename(layer: str) -> str | None:
  match = re.fullmatch(r'layer(\d+)\.(\d+)\.(.+)', layer)
  if not match:
    return _LAYERS.get(layer)
  stage, block, inner = match.groups()
  found = _BLOCK_LAYERS.get(inner)
  return found and f'stage{stage}_block{int(block) + 1}/{found}'
