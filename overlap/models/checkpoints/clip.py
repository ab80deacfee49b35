"""CLIP's weights as transformers names them: `CLIPModel`'s two towers."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves, towers

_FAMILY = {
  'family': 'CLIP',
  'example': 'vision_model.encoder.layers.0.self_attn.q_proj.weight',
}
_IMAGE = {'vision_model.': '', 'visual_projection.': 'projection.'}
_TEXT = {'text_model.': '', 'text_projection.': 'projection.'}
_SCALE = 'logit_scale'

_LAYERS = {
  'embeddings.patch_embedding': 'embed',
  'pre_layrnorm': 'norm_pre',  # As it is spelt there.
  'post_layernorm': 'norm',
  'final_layer_norm': 'norm',
  'projection': 'projection',
}
_BLOCK_LAYERS = {
  'layer_norm1': 'norm1',
  'self_attn.qkv': 'attention/qkv',
  'self_attn.out_proj': 'attention/out',
  'layer_norm2': 'norm2',
  'mlp.fc1': 'mlp1',
  'mlp.fc2': 'mlp2',
}
# What belongs to no layer, its path here, and its leading axes of size 1.
_ALONE = {
  'embeddings.class_embedding': ('token', 2),
  'embeddings.position_embedding.weight': ('positions', 1),
  'embeddings.token_embedding.weight': ('embed/embedding', 0),
}


def convert(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `CLIP`, without a head, from the weights of both towers."""
  tower = towers.part(state, _IMAGE, (*_TEXT, _SCALE), **_FAMILY)
  return leaves.nested(_tower(tower, 'params/image'))


def convert_text(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `CLIPText`, from the weights of both towers."""
  tower = towers.part(state, _TEXT, (*_IMAGE, _SCALE), **_FAMILY)
  return leaves.nested(_tower(tower, 'params'))


def scale(state: Mapping[str, np.ndarray]) -> float:
  """The factor of cosines that makes them logits."""
  return math.exp(towers.scalar(state, _SCALE))


def _tower(state: Mapping[str, np.ndarray], at: str) -> dict[str, np.ndarray]:
  state = towers.join_qkv(state, 'q_proj', 'k_proj', 'v_proj')
  alone = {}
  for name, (path, axes) in _ALONE.items():
    if name in state:
      values = state.pop(name)
      alone[f'{at}/{path}'] = values.reshape((1,) * axes + values.shape)
  layers = leaves.convert(state, _rename, **_FAMILY)
  return alone | {
    f'{at}/{name.removeprefix("params/")}': leaf
    for name, leaf in layers.items()
  }


def _rename(layer: str) -> str | None:
  match = re.fullmatch(r'encoder\.layers\.(\d+)\.(.+)', layer)
  if not match:
    return _LAYERS.get(layer)
  number, inner = match.groups()
  found = _BLOCK_LAYERS.get(inner)
  return found and f'block{int(number) + 1}/{found}'
