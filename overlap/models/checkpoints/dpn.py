"""DPN's weights as timm names them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  'features.conv1_1.conv': 'stem/conv',
  'features.conv1_1.bn': 'stem/norm',
  'features.conv5_bn_ac.bn': 'norm',
  'classifier': 'head',
}
# The stages are counted from 2, after the stem.
_BLOCK = re.compile(r'features\.conv([2-5])_(\d+)\.(\w+)\.(conv|bn)')
_BLOCK_LAYERS = {
  'c1x1_w_s1': 'project',
  'c1x1_w_s2': 'project',
  'c1x1_a': 'conv1',
  'c3x3_b': 'conv2',
  'c1x1_c': 'conv3',
}
_KINDS = {'conv': 'conv', 'bn': 'norm'}


def convert_dpn(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `DPN`, see `leaves.variables`."""
  return leaves.variables(
    state,
    _rename,
    family='DPN',
    example='features.conv2_1.c1x1_a.conv.weight',
  )


def _rename(layer: str) -> str | None:
  match = _BLOCK.fullmatch(layer)
  if not match:
    return _LAYERS.get(layer)
  stage, block, inner, kind = match.groups()
  found = _BLOCK_LAYERS.get(inner)
  return found and f'stage{int(stage) - 1}_block{block}/{found}/{_KINDS[kind]}'
