"""ViT's and DeiT's weights as timm names them, or as ViT's authors do."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import big_vision, leaves

_LAYERS = {
  'patch_embed.proj': 'embed',
  'norm': 'norm',
  'fc_norm': 'norm',
  'head': 'head',
  'head_dist': 'head_dist',
}
_BLOCK_LAYERS = {
  'norm1': 'norm1',
  'attn.qkv': 'attention/qkv',
  'attn.proj': 'attention/out',
  'norm2': 'norm2',
  'mlp.fc1': 'mlp1',
  'mlp.fc2': 'mlp2',
}
_TOKENS = ('cls_token', 'dist_token')


def convert(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `ViT`, see `leaves.convert` and `big_vision`."""
  if big_vision.is_one(state):
    return leaves.nested(big_vision.convert(state))
  state = dict(state)
  alone = {}  # what belongs to no layer
  tokens = [state.pop(name) for name in _TOKENS if name in state]
  if tokens:
    alone['params/tokens'] = np.concatenate(tokens, axis=1)
  if 'pos_embed' in state:
    alone['params/positions'] = state.pop('pos_embed')
  layers = leaves.convert(
    state, _rename, family='ViT', example='blocks.0.attn.qkv.weight'
  )
  return leaves.nested(alone | layers)


def _rename(layer: str) -> str | None:
  match = re.fullmatch(r'blocks\.(\d+)\.(.+)', layer)
  if not match:
    return _LAYERS.get(layer)
  number, inner = match.groups()
  found = _BLOCK_LAYERS.get(inner)
  return found and f'block{int(number) + 1}/{found}'
