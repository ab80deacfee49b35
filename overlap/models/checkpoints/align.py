"""ALIGN's weights as transformers names them: `AlignModel`'s two towers."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves, towers

_FAMILY = {
  'family': 'ALIGN',
  'example': 'vision_model.encoder.blocks.0.depthwise_conv.'
  'depthwise_conv.weight',
}
_IMAGE = {'vision_model.': ''}
_TEXT = {'text_model.': '', 'text_projection.': 'projection.'}
_TEMPERATURE = 'temperature'

_STEM = {
  'embeddings.convolution': 'stem/conv',
  'embeddings.batchnorm': 'stem/norm',
}
_BLOCK = {
  'expansion.expand_conv': 'expand/conv',
  'expansion.expand_bn': 'expand/norm',
  'depthwise_conv.depthwise_conv': 'depthwise/conv',
  'depthwise_conv.depthwise_norm': 'depthwise/norm',
  'squeeze_excite.reduce': 'squeeze/reduce',
  'squeeze_excite.expand': 'squeeze/expand',
  'projection.project_conv': 'project/conv',
  'projection.project_bn': 'project/norm',
}
_TEXT_LAYERS = {'embeddings.LayerNorm': 'norm', 'projection': 'projection'}
_TEXT_BLOCK = {
  'attention.self.qkv': 'attention/qkv',
  'attention.output.dense': 'attention/out',
  'attention.output.LayerNorm': 'norm1',
  'intermediate.dense': 'mlp1',
  'output.dense': 'mlp2',
  'output.LayerNorm': 'norm2',
}
_ALONE = {
  'embeddings.word_embeddings.weight': 'embed/embedding',
  'embeddings.position_embeddings.weight': 'positions',
  'embeddings.token_type_embeddings.weight': 'types',
}
# A layer behind BERT that image-text models do not read.
_UNUSED = 'pooler.'


def convert_align(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `ALIGN`, without a head, from the weights of both towers."""
  tower = towers.part(state, _IMAGE, (*_TEXT, _TEMPERATURE), **_FAMILY)
  converted = leaves.rename_leaves(tower, _rename_image, **_FAMILY)
  return leaves.nested(
    {name.replace('/', '/image/', 1): leaf for name, leaf in converted.items()}
  )


def convert_text(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `BERTText`, from the weights of both towers."""
  tower = towers.part(state, _TEXT, (*_IMAGE, _TEMPERATURE), **_FAMILY)
  tower = {
    name: values
    for name, values in tower.items()
    if not name.startswith(_UNUSED)
  }
  tower = towers.join_qkv(tower, 'query', 'key', 'value')
  alone = {
    f'params/{path}': tower.pop(name)
    for name, path in _ALONE.items()
    if name in tower
  }
  if 'params/positions' in alone:
    alone['params/positions'] = alone['params/positions'][None]
  return leaves.nested(
    alone | leaves.rename_leaves(tower, _rename_text, **_FAMILY)
  )


def scale(state: Mapping[str, np.ndarray]) -> float:
  """The factor of cosines that makes them logits."""
  return 1 / towers.scalar(state, _TEMPERATURE)


def _rename_image(layer: str) -> str | None:
  return _STEM.get(layer) or _in_block(layer, r'encoder\.blocks', _BLOCK)


def _rename_text(layer: str) -> str | None:
  found = _TEXT_LAYERS.get(layer)
  return found or _in_block(layer, r'encoder\.layer', _TEXT_BLOCK)


def _in_block(layer: str, blocks: str, table: Mapping[str, str]) -> str | None:
  """A layer's path within its block; ours are counted from 1."""
  match = re.fullmatch(rf'{blocks}\.(\d+)\.(.+)', layer)
  if not match:
    return None
  found = table.get(match[2])
  return found and f'block{int(match[1]) + 1}/{found}'
