"""SE-ResNet's and SE-ResNeXt's weights as timm names them, in both forms."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  # Of the form 'caffe'.
  'layer0.conv1': 'stem/conv1/conv',
  'layer0.bn1': 'stem/conv1/norm',
  'last_linear': 'head',
  # Of the form 'd'.
  'conv1.0': 'stem/conv1/conv',
  'conv1.1': 'stem/conv1/norm',
  'conv1.3': 'stem/conv2/conv',
  'conv1.4': 'stem/conv2/norm',
  'conv1.6': 'stem/conv3/conv',
  'bn1': 'stem/conv3/norm',
  'fc': 'head',
}
_BLOCK = re.compile(r'layer(\d+)\.(\d+)\.(.+)')
_CONVOLUTION = re.compile(r'(conv|bn)(\d)')
_KINDS = {'conv': 'conv', 'bn': 'norm'}
_SQUEEZE = {
  'se_module.fc1': 'squeeze/reduce',
  'se_module.fc2': 'squeeze/expand',
  'se.fc1': 'squeeze/reduce',
  'se.fc2': 'squeeze/expand',
}


def convert_senet(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `SENet`, see `leaves.variables`."""
  # The form 'd' counts the pooling in its shortcuts as a layer.
  pooled = any('.downsample.2.' in name for name in state)
  shortcut = {
    f'downsample.{pooled + 0}': 'shortcut/conv',
    f'downsample.{pooled + 1}': 'shortcut/norm',
  }
  return leaves.variables(
    state,
    functools.partial(_rename, inner_layers=_SQUEEZE | shortcut),
    family='SENet',
    example='layer1.0.conv1.weight',
  )


def _rename(layer: str, *, inner_layers: Mapping[str, str]) -> str | None:
  match = _BLOCK.fullmatch(layer)
  if not match:
    return _LAYERS.get(layer)
  stage, block, inner = match.groups()
  found = inner_layers.get(inner)
  if convolution := _CONVOLUTION.fullmatch(inner):
    kind, number = convolution.groups()
    found = f'conv{number}/{_KINDS[kind]}'
  return found and f'stage{stage}_block{int(block) + 1}/{found}'
