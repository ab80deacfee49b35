"""BiT's weights as timm names them, or as BiT's authors do."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import big_transfer, leaves

_LAYERS = {'stem.conv': 'stem', 'norm': 'norm', 'head.fc': 'head'}
_BLOCK = re.compile(
  r'stages\.(\d+)\.blocks\.(\d+)\.(?:((?:norm|conv)[123])|downsample\.conv)'
)


def convert_bit(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `BiT`, see `leaves.variables` and `big_transfer`."""
  if big_transfer.is_one(state):
    return leaves.nested(big_transfer.convert_big_transfer(state))
  return leaves.variables(
    state,
    _rename,
    family='BiT',
    example='stages.0.blocks.0.conv1.weight',
  )


def _rename(layer: str) -> str | None:
  match = _BLOCK.fullmatch(layer)
  if not match:
    return _LAYERS.get(layer)
  stage, block, inner = match.groups()
  found = inner or 'shortcut'
  return f'stage{int(stage) + 1}_block{int(block) + 1}/{found}'
