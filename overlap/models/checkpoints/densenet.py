"""DenseNet's weights as torchvision and timm name them."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  'features.conv0': 'stem/conv',
  'features.norm0': 'stem/norm',
  'features.norm5': 'norm',
  'classifier': 'head',
}
# Where the stem has several convolutions.
_DEEP = {
  f'features.{kind}{i}': f'stem/conv{i + 1}/{kind}'
  for kind in ('conv', 'norm')
  for i in range(3)
}
_LAYER = r'features\.denseblock(\d+)\.denselayer(\d+)\.((?:norm|conv)[12])'
_TRANSITION = r'features\.transition(\d+)\.(norm|conv)'


def convert_densenet(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `DenseNet`, see `leaves.variables`."""
  deep = 'features.conv1.weight' in state
  layers = _LAYERS | _DEEP if deep else _LAYERS
  return leaves.variables(
    state,
    functools.partial(_rename, layers=layers),
    family='DenseNet',
    example='features.denseblock1.denselayer1.conv1.weight',
  )


def _rename(layer: str, *, layers: Mapping[str, str]) -> str | None:
  if match := re.fullmatch(_LAYER, layer):
    return 'block{}_layer{}/{}'.format(*match.groups())
  if match := re.fullmatch(_TRANSITION, layer):
    return 'transition{}/{}'.format(*match.groups())
  return layers.get(layer)
