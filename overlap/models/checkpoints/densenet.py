"""DenseNet's weights as torchvision and timm name them."""

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
_LAYER = r'features\.denseblock(\d+)\.denselayer(\d+)\.((?:norm|conv)[12])'
_TRANSITION = r'features\.transition(\d+)\.(norm|conv)'


def convert(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `DenseNet`, see `leaves.convert`."""
  return leaves.nested(
    leaves.convert(
      state,
      _rename,
      family='DenseNet',
      example='features.denseblock1.denselayer1.conv1.weight',
    )
  )


def _rename(layer: str) -> str | None:
  if match := re.fullmatch(_LAYER, layer):
    return 'block{}_layer{}/{}'.format(*match.groups())
  if match := re.fullmatch(_TRANSITION, layer):
    return 'transition{}/{}'.format(*match.groups())
  return _LAYERS.get(layer)
