"""BiT's weights as its authors name them, in .npz files."""

import re
from collections.abc import Mapping

import numpy as np

from overlap.models.checkpoints import leaves

_ROOT = 'resnet/root_block/standardized_conv2d/kernel'
_NAMES = {
  _ROOT: 'stem/kernel',
  'resnet/group_norm/gamma': 'norm/scale',
  'resnet/group_norm/beta': 'norm/bias',
  'resnet/head/conv2d/kernel': 'head/kernel',
  'resnet/head/conv2d/bias': 'head/bias',
}
_UNIT = r'resnet/block(\d+)/unit(\d+)/(.+)'
# The parts of a unit, but for their letter, which counts them.
_PARTS = {
  'standardized_conv2d/kernel': 'conv{}/kernel',
  'group_norm/gamma': 'norm{}/scale',
  'group_norm/beta': 'norm{}/bias',
}
_SHORTCUT = 'a/proj/standardized_conv2d/kernel'


def is_one(state: Mapping[str, np.ndarray]) -> bool:
  """Whether tensors are named as in these files."""
  return _ROOT in state


def convert(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Leaves of `BiT` by path, such as 'params/stage1_block1/conv1/kernel'.

  Raises:
    DataError: a name that no BiT has.
  """
  converted = {}
  for name, values in state.items():
    path = _NAMES.get(name) or _in_unit(name)
    if path is None:
      raise leaves.unknown(name, family='BiT', example=_ROOT)
    converted[f'params/{path}'] = values
  return converted


def _in_unit(name: str) -> str | None:
  match = re.fullmatch(_UNIT, name)
  if not match:
    return None
  at = f'stage{int(match[1])}_block{int(match[2])}'
  if match[3] == _SHORTCUT:
    return f'{at}/shortcut/kernel'
  letter, _, part = match[3].partition('/')
  found = _PARTS.get(part) if letter in ('a', 'b', 'c') else None
  return found and f'{at}/{found.format("abc".index(letter) + 1)}'
