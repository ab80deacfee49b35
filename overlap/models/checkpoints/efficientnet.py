"""EfficientNet's weights as timm names them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  'conv_stem': 'trunk/stem/conv',
  'bn1': 'trunk/stem/norm',
  'conv_head': 'trunk/top/conv',
  'bn2': 'trunk/top/norm',
  'classifier': 'head',
}
_SQUEEZE = {
  'se.conv_reduce': 'squeeze/reduce',
  'se.conv_expand': 'squeeze/expand',
}
# The blocks of the first stage do not expand, and count their norms from the
# depthwise convolution.
_FIRST = _SQUEEZE | {
  'conv_dw': 'depthwise/conv',
  'bn1': 'depthwise/norm',
  'conv_pw': 'project/conv',
  'bn2': 'project/norm',
}
_OTHERS = _SQUEEZE | {
  'conv_pw': 'expand/conv',
  'bn1': 'expand/norm',
  'conv_dw': 'depthwise/conv',
  'bn2': 'depthwise/norm',
  'conv_pwl': 'project/conv',
  'bn3': 'project/norm',
}
_BLOCK = re.compile(r'blocks\.(\d+)\.(\d+)\.([\w.]+)')


def convert_efficientnet(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `EfficientNet`, see `leaves.variables`."""
  numbers = _numbers(state)

  def rename(layer: str) -> str | None:
    match = _BLOCK.fullmatch(layer)
    if not match:
      return _LAYERS.get(layer)
    stage, block, inner = match.groups()
    found = (_FIRST if stage == '0' else _OTHERS).get(inner)
    number = numbers[int(stage), int(block)]
    return found and f'trunk/block{number}/{found}'

  return leaves.variables(
    state,
    rename,
    family='EfficientNet',
    example='blocks.0.0.conv_dw.weight',
  )


def _numbers(state: Mapping[str, np.ndarray]) -> dict[tuple[int, int], int]:
  """Ours of each block, counted through all stages; theirs start anew."""
  matches = (_BLOCK.fullmatch(name) for name in state)
  blocks = {(int(match[1]), int(match[2])) for match in matches if match}
  return {block: number for number, block in enumerate(sorted(blocks), 1)}
