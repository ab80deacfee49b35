"""CLIP's weights, of both towers, as transformers or OpenAI names them.

open_clip has OpenAI's names, where its image tower is a vision transformer.
"""

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
# OpenAI's names and those of transformers.
_OPENAI = {
  'visual.conv1.weight': 'vision_model.embeddings.patch_embedding.weight',
  'visual.class_embedding': 'vision_model.embeddings.class_embedding',
  'visual.positional_embedding': (
    'vision_model.embeddings.position_embedding.weight'
  ),
  'visual.ln_pre.weight': 'vision_model.pre_layrnorm.weight',
  'visual.ln_pre.bias': 'vision_model.pre_layrnorm.bias',
  'visual.ln_post.weight': 'vision_model.post_layernorm.weight',
  'visual.ln_post.bias': 'vision_model.post_layernorm.bias',
  'visual.proj': 'visual_projection.weight',
  'token_embedding.weight': 'text_model.embeddings.token_embedding.weight',
  'positional_embedding': 'text_model.embeddings.position_embedding.weight',
  'ln_final.weight': 'text_model.final_layer_norm.weight',
  'ln_final.bias': 'text_model.final_layer_norm.bias',
  'text_projection': 'text_projection.weight',
}
# Products with a matrix from the right, which others have from the left.
_TRANSPOSED = ('visual.proj', 'text_projection')
_OPENAI_BLOCK = re.compile(r'(visual\.)?transformer\.resblocks\.(\d+)\.(.+)')
_OPENAI_LAYERS = {
  'ln_1.weight': 'layer_norm1.weight',
  'ln_1.bias': 'layer_norm1.bias',
  'attn.in_proj_weight': 'self_attn.qkv.weight',
  'attn.in_proj_bias': 'self_attn.qkv.bias',
  'attn.out_proj.weight': 'self_attn.out_proj.weight',
  'attn.out_proj.bias': 'self_attn.out_proj.bias',
  'ln_2.weight': 'layer_norm2.weight',
  'ln_2.bias': 'layer_norm2.bias',
  'mlp.c_fc.weight': 'mlp.fc1.weight',
  'mlp.c_fc.bias': 'mlp.fc1.bias',
  'mlp.c_proj.weight': 'mlp.fc2.weight',
  'mlp.c_proj.bias': 'mlp.fc2.bias',
}
# Sizes that OpenAI's files have beside the weights.
_OPENAI_SIZES = ('input_resolution', 'context_length', 'vocab_size')


def convert_clip(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `CLIP`, without a head, from the weights of both towers."""
  state = _transformers_names(state)
  tower = towers.part(state, _IMAGE, (*_TEXT, _SCALE), **_FAMILY)
  return leaves.nested(_tower(tower, 'params/image'))


def convert_text(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `CLIPText`, from the weights of both towers."""
  state = _transformers_names(state)
  tower = towers.part(state, _TEXT, (*_IMAGE, _SCALE), **_FAMILY)
  return leaves.nested(_tower(tower, 'params'))


def scale(state: Mapping[str, np.ndarray]) -> float:
  """The factor of cosines that makes them logits."""
  return math.exp(towers.scalar(state, _SCALE))


def _transformers_names(
  state: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
  """The state by transformers' names, where its names are OpenAI's."""
  if 'visual.conv1.weight' not in state:
    return dict(state)
  renamed = {}
  for name, values in state.items():
    # Of open_clip's models whose text tower is a module of its own.
    name = name.removeprefix('text.')
    if name in _OPENAI_SIZES:
      continue
    if name in _TRANSPOSED and values.ndim == 2:
      values = values.T
    renamed[_transformers_name(name)] = values
  return renamed


def _transformers_name(name: str) -> str:
  """transformers' name of a tensor; as it is where there is none."""
  match = _OPENAI_BLOCK.fullmatch(name)
  if not match or match[3] not in _OPENAI_LAYERS:
    return _OPENAI.get(name, name)
  tower = 'vision_model' if match[1] else 'text_model'
  return f'{tower}.encoder.layers.{match[2]}.{_OPENAI_LAYERS[match[3]]}'


def _tower(state: Mapping[str, np.ndarray], at: str) -> dict[str, np.ndarray]:
  state = towers.join_qkv(state, 'q_proj', 'k_proj', 'v_proj')
  alone = {}
  for name, (path, axes) in _ALONE.items():
    if name in state:
      values = state.pop(name)
      alone[f'{at}/{path}'] = values.reshape((1,) * axes + values.shape)
  layers = leaves.rename_leaves(state, _rename, **_FAMILY)
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
