"""BiT's weights as its authors name them: big_transfer and big_vision.

The files of the paper come from TensorFlow ('resnet/block1/unit01/a/...');
big_vision, which trains the same models on, has names of Flax
('block1/unit01/conv1/kernel'), which may begin with 'params/'.
"""

import re
from collections.abc import Mapping

import numpy as np

from overlap.models.checkpoints import leaves

_EXAMPLE = 'resnet/block1/unit01/a/standardized_conv2d/kernel'
# Either project's name of the first convolution.
_FIRST = (
  'resnet/root_block/standardized_conv2d/kernel',
  'root_block/conv_root/kernel',
)
_KINDS = {'gamma': 'scale', 'beta': 'bias'}
_LAYERS = {
  'root_block/standardized_conv2d': 'stem',
  'root_block/conv_root': 'stem',
  'group_norm': 'norm',
  'norm-pre-head': 'norm',
  'head/conv2d': 'head',
  'head': 'head',
}
_BLOCK = re.compile(r'block(\d+)/unit(\d+)/(.+)')
_LETTERS = {'a': '1', 'b': '2', 'c': '3'}


def is_one(state: Mapping[str, np.ndarray]) -> bool:
  """Returns whether tensors are named as in these files."""
  return any(_plain(name).endswith(_FIRST) for name in state)


def convert_big_transfer(
  state: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
  """Leaves of `BiT` by path, such as 'params/stage1_block1/conv1/kernel'.

  Raises:
    DataError: a name that no BiT has.
  """
  converted = {}
  for name, values in state.items():
    short = re.sub('^(params/)?(resnet/)?', '', _plain(name))
    layer, _, kind = short.rpartition('/')
    path = _rename(layer)
    if path is None:
      raise leaves.unknown(name, family='BiT', example=_EXAMPLE)
    kind = _KINDS.get(kind, kind)
    converted[f'params/{path}/{kind}'] = _flat(values, path, kind)
  return converted


def _plain(name: str) -> str:
  """TensorFlow counts some convolutions, for no reason that matters here."""
  return re.sub(r'(?<=standardized_conv2d)_\d+', '', name)


def _rename(layer: str) -> str | None:
  match = _BLOCK.fullmatch(layer)
  if not match:
    return _LAYERS.get(layer)
  stage, unit, inner = match.groups()
  found = _in_block(inner)
  return found and f'stage{stage}_block{int(unit)}/{found}'


def _in_block(inner: str) -> str | None:
  if inner in ('a/proj/standardized_conv2d', 'conv_proj'):
    return 'shortcut'
  theirs = re.fullmatch(r'([abc])/(standardized_conv2d|group_norm)', inner)
  if theirs:
    letter, layer = theirs.groups()
    kind = 'norm' if layer == 'group_norm' else 'conv'
    return f'{kind}{_LETTERS[letter]}'
  ours = re.fullmatch(r'(gn|conv)([123])', inner)
  if ours:
    return f'{"norm" if ours[1] == "gn" else "conv"}{ours[2]}'
  return None


def _flat(values: np.ndarray, path: str, kind: str) -> np.ndarray:
  """A norm's [1, 1, 1, channels] and a head's [1, 1, in, out] without ones."""
  if kind in ('scale', 'bias'):
    return values.reshape(-1)
  if path == 'head' and values.shape[:-2] == (1, 1):
    return values[0, 0]
  return values
