"""VGG's weights as timm and torchvision name them."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  'pre_logits.fc1': 'hidden1',
  'pre_logits.fc2': 'hidden2',
  'head.fc': 'head',
  # torchvision's.
  'classifier.0': 'hidden1',
  'classifier.3': 'hidden2',
  'classifier.6': 'head',
}
_FEATURE = re.compile(r'features\.(\d+)(?:\.weight)?')
# torchvision flattens maps of 7×7 before its first dense layer.
_FLATTENED = 'classifier.0.weight'
_WINDOW = 7


def convert_vgg(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `VGG`, see `leaves.variables`."""
  state = dict(state)
  dense = state.get(_FLATTENED)
  if dense is not None and dense.ndim == 2 and not dense.shape[1] % _WINDOW**2:
    state[_FLATTENED] = dense.reshape(len(dense), -1, _WINDOW, _WINDOW)
  # The file counts ReLUs and poolings too, ours convolutions alone.
  found = {name: _FEATURE.fullmatch(name) for name in state}
  numbers = sorted(
    int(match[1])
    for name, match in found.items()
    if match and state[name].ndim == 4
  )
  order = {number: i for i, number in enumerate(numbers, 1)}
  return leaves.variables(
    state,
    functools.partial(_rename, order=order),
    family='VGG',
    example='features.0.weight',
  )


def _rename(layer: str, *, order: Mapping[int, int]) -> str | None:
  match = _FEATURE.fullmatch(layer)
  if not match:
    return _LAYERS.get(layer)
  number = int(match[1])
  if number in order:
    return f'conv{order[number]}'
  # A norm follows its convolution.
  return f'norm{order[number - 1]}' if number - 1 in order else None
