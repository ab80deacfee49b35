"""MobileNetV2's weights as timm names them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  'conv_stem': 'stem/conv',
  'bn1': 'stem/norm',
  'conv_head': 'top/conv',
  'bn2': 'top/norm',
  'classifier': 'head',
}
# The blocks of the first stage do not expand, and count their norms from the
# depthwise convolution.
_FIRST = {
  'conv_dw': 'depthwise/conv',
  'bn1': 'depthwise/norm',
  'conv_pw': 'project/conv',
  'bn2': 'project/norm',
}
_OTHERS = {
  'conv_pw': 'expand/conv',
  'bn1': 'expand/norm',
  'conv_dw': 'depthwise/conv',
  'bn2': 'depthwise/norm',
  'conv_pwl': 'project/conv',
  'bn3': 'project/norm',
}


def convert_mobilenet_v2(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `MobileNetV2`, see `leaves.variables`."""
  return leaves.variables(
    state,
    _rename,
    family='MobileNetV2',
    example='blocks.0.0.conv_dw.weight',
  )


def _rename(layer: str) -> str | None:
  match = re.fullmatch(r'blocks\.(\d+)\.(\d+)\.(\w+)', layer)
  if not match:
    return _LAYERS.get(layer)
  stage, block, inner = match.groups()
  found = (_FIRST if stage == '0' else _OTHERS).get(inner)
  return found and f'stage{int(stage) + 1}_block{int(block) + 1}/{found}'
