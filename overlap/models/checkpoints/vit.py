"""ViT's and DeiT's weights as timm, transformers or the authors name them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import big_vision, leaves, towers

_FAMILY = {'family': 'ViT', 'example': 'blocks.0.attn.qkv.weight'}
_LAYERS = {
  'patch_embed.proj': 'embed',
  'norm': 'norm',
  'fc_norm': 'fc_norm',
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
_TOKENS = ('cls_token', 'dist_token', 'reg_token')
# Factors of what a block adds, and the layer that computes it.
_LAYER_SCALES = {'ls1.gamma': 'attn.proj', 'ls2.gamma': 'mlp.fc2'}

# Of transformers' ViT and DeiT, and timm's name of each.
_TRANSFORMERS = {
  'embeddings.cls_token': 'cls_token',
  'embeddings.distillation_token': 'dist_token',
  'embeddings.position_embeddings': 'pos_embed',
  'embeddings.patch_embeddings.projection': 'patch_embed.proj',
  'layernorm': 'norm',
  'classifier': 'head',
  'cls_classifier': 'head',
  'distillation_classifier': 'head_dist',
}
_TRANSFORMERS_BLOCK = {
  'layernorm_before': 'norm1',
  'attention.attention.qkv': 'attn.qkv',
  'attention.output.dense': 'attn.proj',
  'layernorm_after': 'norm2',
  'intermediate.dense': 'mlp.fc1',
  'output.dense': 'mlp.fc2',
}
_TRANSFORMERS_PREFIX = re.compile(r'(?:vit\.|deit\.)?')


def convert_vit(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `ViT`, see `leaves.rename_leaves` and `big_vision`.

  Layer scales are multiplied into the layers before them, and an attention
  without a bias has one of zeros; both compute the same.
  """
  if big_vision.is_one(state):
    return leaves.nested(big_vision.convert_big_vision(state))
  state = _with_bias(_without_layer_scales(_timm_names(state)))
  alone = {}  # what belongs to no layer
  tokens = [state.pop(name) for name in _TOKENS if name in state]
  if tokens:
    alone['params/tokens'] = np.concatenate(tokens, axis=1)
  if 'pos_embed' in state:
    alone['params/positions'] = state.pop('pos_embed')
  return leaves.nested(alone | leaves.rename_leaves(state, _rename, **_FAMILY))


def options(
  state: Mapping[str, np.ndarray], pool: str = ''
) -> dict[str, tuple[Any, str]]:
  """Options of `ViT` that the tensors' names tell, each with such a name.

  Args:
    state: tensors by name.
    pool: 'token' or 'gap' where a config says so, else ''.
  """
  names = _timm_names(state)
  if big_vision.is_one(state) or 'patch_embed.proj.weight' not in names:
    return {}
  result: dict[str, tuple[Any, str]] = {}
  averaged = 'fc_norm.weight' in names
  if averaged:
    result['fc_norm'] = True, 'fc_norm.weight'
  if 'cls_token' not in names:
    result['pool'] = 'gap', 'no cls_token'
  elif pool == 'gap':
    result['pool'] = 'gap_with_token', 'cls_token, with the mean in the config'
  elif averaged and not pool:
    result['pool'] = 'gap_with_token', 'cls_token and fc_norm.weight'
  if 'head_dist.weight' in names:
    result['distilled'] = True, 'head_dist.weight'
  registers = names.get('reg_token')
  if registers is not None and registers.ndim == 3:
    result['registers'] = registers.shape[1], 'reg_token'
  # DeiT's token without a head of its own, which transformers leaves unread.
  elif 'dist_token' in names and 'head_dist.weight' not in names:
    result['registers'] = 1, 'dist_token without a head'
  return result


def _timm_names(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The state by timm's names, where its names are those of transformers."""
  if not any('embeddings.patch_embeddings.' in name for name in state):
    return dict(state)
  joined = towers.join_qkv(state, 'query', 'key', 'value')
  return {_timm_name(name): values for name, values in joined.items()}


def _timm_name(name: str) -> str:
  """timm's name of a tensor; as it is where there is none."""
  start = _TRANSFORMERS_PREFIX.match(name)
  inner = name[start.end() :] if start else name
  if inner in _TRANSFORMERS:
    return _TRANSFORMERS[inner]
  layer, _, kind = inner.rpartition('.')
  match = re.fullmatch(r'encoder\.layer\.(\d+)\.(.+)', layer)
  if match and match[2] in _TRANSFORMERS_BLOCK:
    return f'blocks.{match[1]}.{_TRANSFORMERS_BLOCK[match[2]]}.{kind}'
  return f'{_TRANSFORMERS[layer]}.{kind}' if layer in _TRANSFORMERS else name


def _without_layer_scales(
  state: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
  """Multiplies each layer scale into the weights and biases of its layer."""
  scaled = dict(state)
  for name in state:
    match = re.fullmatch(r'(blocks\.\d+\.)(ls[12]\.gamma)', name)
    if not match:
      continue
    layer = match[1] + _LAYER_SCALES[match[2]]
    weight, bias = scaled.get(f'{layer}.weight'), scaled.get(f'{layer}.bias')
    gamma = scaled[name].astype(np.float32)
    if weight is None or bias is None or gamma.shape != weight.shape[:1]:
      continue  # The converter refuses its name.
    del scaled[name]
    scaled[f'{layer}.weight'] = gamma[:, None] * weight.astype(np.float32)
    scaled[f'{layer}.bias'] = gamma * bias.astype(np.float32)
  return scaled


def _with_bias(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Gives attentions without a bias of queries, keys and values one of 0."""
  zeros = {}
  for name, values in state.items():
    bias = f'{name.removesuffix("weight")}bias'
    if name.endswith('.attn.qkv.weight') and bias not in state:
      zeros[bias] = np.zeros(len(values), values.dtype)
  return dict(state) | zeros


def _rename(layer: str) -> str | None:
  match = re.fullmatch(r'blocks\.(\d+)\.(.+)', layer)
  if not match:
    return _LAYERS.get(layer)
  number, inner = match.groups()
  found = _BLOCK_LAYERS.get(inner)
  return found and f'block{int(number) + 1}/{found}'
