"""ResNet's weights as torchvision, timm and transformers name them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {'conv1': 'stem/conv', 'bn1': 'stem/norm', 'fc': 'head'}
_BLOCK = re.compile(r'layer(\d+)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.([01]))')
# Of transformers' `ResNetForImageClassification`.
_TRANSFORMERS = {
  'embedder.embedder.convolution': 'stem/conv',
  'embedder.embedder.normalization': 'stem/norm',
  'classifier.1': 'head',
}
_TRANSFORMERS_BLOCK = re.compile(
  r'encoder\.stages\.(\d+)\.layers\.(\d+)\.'
  r'(?:layer\.(\d+)|shortcut)\.(convolution|normalization)'
)
_KINDS = {'conv': 'conv', 'bn': 'norm', '0': 'conv', '1': 'norm'}


def convert_resnet(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `ResNet`, see `leaves.variables`."""
  return leaves.variables(
    state, _rename, family='ResNet', example='layer1.0.conv1.weight'
  )


def _rename(layer: str) -> str | None:
  return _rename_timm(layer) or _rename_transformers(
    layer.removeprefix('resnet.')
  )


def _rename_transformers(layer: str) -> str | None:
  match = _TRANSFORMERS_BLOCK.fullmatch(layer)
  if not match:
    return _TRANSFORMERS.get(layer)
  stage, block, number, kind = match.groups()
  inner = f'conv{int(number) + 1}' if number else 'shortcut'
  leaf = {'convolution': 'conv', 'normalization': 'norm'}[kind]
  return f'stage{int(stage) + 1}_block{int(block) + 1}/{inner}/{leaf}'


def _rename_timm(layer: str) -> str | None:
  match = _BLOCK.fullmatch(layer)
  if not match:
    return _LAYERS.get(layer)
  stage, block, kind, number, shortcut = match.groups()
  inner = f'conv{number}' if kind else 'shortcut'
  leaf = _KINDS[kind or shortcut]
  return f'stage{stage}_block{int(block) + 1}/{inner}/{leaf}'
