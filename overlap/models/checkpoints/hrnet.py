"""HRNet's weights as timm names them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_KINDS = {'conv': 'conv', 'bn': 'norm', '0': 'conv', '1': 'norm'}
_STEM = re.compile(r'(conv|bn)([12])')
_TOP = re.compile(r'final_layer\.([01])')
_DOWN = re.compile(r'downsamp_modules\.(\d)\.([01])')
# The new branch's convolution stands in a list of one.
_WIDENED = re.compile(r'transition(\d)\.(\d)(?:\.0)?\.([01])')
_BLOCK = re.compile(
  r'(layer1\.\d+|incre_modules\.\d\.0|stage\d\.\d+\.branches\.\d\.\d+)'
  r'\.(?:(conv|bn)(\d)|downsample\.([01]))'
)
_UP = re.compile(r'stage(\d)\.(\d+)\.fuse_layers\.(\d)\.(\d)\.([01])')
_FURTHER = re.compile(
  r'stage(\d)\.(\d+)\.fuse_layers\.(\d)\.(\d)\.(\d)\.([01])'
)


def convert_hrnet(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `HRNet`, see `leaves.variables`."""
  return leaves.variables(
    state,
    _rename,
    family='HRNet',
    example='stage2.0.branches.0.0.conv1.weight',
  )


def _rename(layer: str) -> str | None:
  if layer == 'classifier':
    return 'head'
  if match := _STEM.fullmatch(layer):
    return f'stem{match[2]}_{_KINDS[match[1]]}'
  if match := _TOP.fullmatch(layer):
    return f'top_{_KINDS[match[1]]}'
  if match := _DOWN.fullmatch(layer):
    return f'head_down{int(match[1]) + 1}_{_KINDS[match[2]]}'
  if match := _WIDENED.fullmatch(layer):
    stage, branch = int(match[1]) + 1, int(match[2]) + 1
    return f'stage{stage}_branch{branch}_{_KINDS[match[3]]}'
  if match := _BLOCK.fullmatch(layer):
    block, kind, number, shortcut = match.groups()
    inner = f'conv{number}' if kind else 'shortcut'
    return f'{_block(block)}/{inner}/{_KINDS[kind or shortcut]}'
  return _sent(layer)


def _block(name: str) -> str:
  """Returns the path of a residual block."""
  first, *numbers = re.findall(r'\d+', name)
  if name.startswith('layer'):
    return f'stage1_block{int(numbers[0]) + 1}'
  if name.startswith('incre'):
    return f'head_branch{int(first) + 1}'
  exchange, branch, block = (int(number) + 1 for number in numbers)
  return f'stage{first}_exchange{exchange}/branch{branch}_block{block}'


def _sent(layer: str) -> str | None:
  """Returns the path of the exchange from one branch to another."""
  match = _UP.fullmatch(layer) or _FURTHER.fullmatch(layer)
  if not match:
    return None
  stage, *numbers, kind = match.groups()
  exchange, to, source, *step = (int(number) + 1 for number in numbers)
  path = f'stage{stage}_exchange{exchange}/branch{source}_to{to}'
  return f'{path}{f"_conv{step[0]}" if step else ""}/{_KINDS[kind]}'
