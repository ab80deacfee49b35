"""DLA's weights as timm names them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_LAYERS = {
  'base_layer.0': 'stem/conv',
  'base_layer.1': 'stem/norm',
  'fc': 'head',
}
_TREES = r'(level\d+(?:\.tree[12])*)'
_BLOCK = re.compile(_TREES + r'\.tree([12])\.(conv|bn)(\d)')
_PROJECT = re.compile(_TREES + r'\.project\.([01])')
_ROOT = re.compile(_TREES + r'\.root\.(conv|bn)')
# A convolution, its norm and an activation, over and over.
_PLAIN = re.compile(r'(level[01])\.(\d+)')
_KINDS = {'conv': 'conv', 'bn': 'norm', '0': 'conv', '1': 'norm'}


def convert_dla(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `DLA`, see `leaves.variables`."""
  return leaves.variables(
    {name: state[name] for name in state if _is_used(name, state)},
    _rename,
    family='DLA',
    example='level2.tree1.conv1.weight',
  )


def _is_used(name: str, state: Mapping[str, np.ndarray]) -> bool:
  """False for the projections of trees of trees: released, but never called."""
  match = _PROJECT.match(name)
  return not match or f'{match[1]}.root.conv.weight' in state


def _rename(layer: str) -> str | None:
  if match := _BLOCK.fullmatch(layer):
    trees, block, kind, number = match.groups()
    return f'{_path(trees)}/block{block}/conv{number}/{_KINDS[kind]}'
  if match := _PROJECT.fullmatch(layer):
    return f'{_path(match[1])}/project/{_KINDS[match[2]]}'
  if match := _ROOT.fullmatch(layer):
    return f'{_path(match[1])}/root/{_KINDS[match[2]]}'
  if match := _PLAIN.fullmatch(layer):
    number, kind = divmod(int(match[2]), 3)
    if kind < 2:
      return f'{match[1]}_conv{number + 1}/{("conv", "norm")[kind]}'
  return _LAYERS.get(layer)


def _path(trees: str) -> str:
  return trees.replace('.', '/')
