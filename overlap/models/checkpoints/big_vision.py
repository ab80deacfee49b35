"""ViT's weights as its authors name them: vision_transformer and big_vision.

The two projects, and Scenic with them, write .npz files and checkpoints of
Flax. Their names differ in the numbering of a block's parts, may begin with
'params/', 'opt/target/' or a model's own prefix, and Scenic has another name
for the head. big_vision also joins all blocks of one kind of leaf to one array.
"""

import re
from collections.abc import Mapping

import numpy as np

from overlap.core import errors
from overlap.models.checkpoints import leaves

_BLOCK = r'Transformer/encoderblock_(\d+)/(.+)/(kernel|bias|scale)'
_JOINED = 'Transformer/encoderblock/'
_NAMES = {
  'embedding/kernel': 'embed/kernel',
  'embedding/bias': 'embed/bias',
  'cls': 'tokens',
  'pos_embedding': 'positions',
  'Transformer/posembed_input/pos_embedding': 'positions',
  'Transformer/encoder_norm/scale': 'norm/scale',
  'Transformer/encoder_norm/bias': 'norm/bias',
  'head/kernel': 'head/kernel',
  'head/bias': 'head/bias',
  'output_projection/kernel': 'head/kernel',
  'output_projection/bias': 'head/bias',
}
# The parts of a block in either project; each is counted on from the one
# before, and the two count differently.
_PARTS = {
  'LayerNorm_0': 'norm1',
  'LayerNorm_1': 'norm2',
  'LayerNorm_2': 'norm2',
  'MlpBlock_0/Dense_0': 'mlp1',
  'MlpBlock_0/Dense_1': 'mlp2',
  'MlpBlock_3/Dense_0': 'mlp1',
  'MlpBlock_3/Dense_1': 'mlp2',
}
_ATTENTION = r'MultiHeadDotProductAttention_[01]/(query|key|value|out)'
_QKV = ('query', 'key', 'value')
_EXAMPLE = 'Transformer/encoderblock_0/LayerNorm_0/scale'


def is_one(state: Mapping[str, np.ndarray]) -> bool:
  """Returns whether tensors are named as in these files."""
  return any(_prefix(name) is not None for name in state)


def convert_big_vision(
  state: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
  """Leaves of `ViT` by path, such as 'params/block1/norm1/scale'.

  Raises:
    DataError: a name or shape that no ViT has.
  """
  prefixes = [p for p in map(_prefix, state) if p is not None]
  prefix = min(prefixes, key=len, default='')
  converted: dict[str, np.ndarray] = {}
  parts: dict[tuple[str, str, str], np.ndarray] = {}
  for name, values in _separate(state, prefix).items():
    if name in _NAMES:
      converted[_NAMES[name]] = values
      continue
    match = re.fullmatch(_BLOCK, name)
    if not match:
      raise _unknown(name)
    at, layer, kind = f'block{int(match[1]) + 1}', match[2], match[3]
    if attention := re.fullmatch(_ATTENTION, layer):
      parts[at, attention[1], kind] = values
    elif layer in _PARTS:
      converted[f'{at}/{_PARTS[layer]}/{kind}'] = values
    else:
      raise _unknown(name)
  converted |= _attentions(parts)
  if 'positions' in converted and converted['positions'].ndim == 2:
    converted['positions'] = converted['positions'][None]
  return {f'params/{path}': values for path, values in converted.items()}


def _prefix(name: str) -> str | None:
  """Returns the prefix of 'embedding/kernel', None where there is none."""
  match = re.fullmatch(r'((?:.+/)?)embedding/kernel', name)
  return match[1] if match else None


def _separate(
  state: Mapping[str, np.ndarray], prefix: str
) -> dict[str, np.ndarray]:
  """The model's own tensors, each block's by itself, without the prefix."""
  found = {}
  for name, values in state.items():
    if not name.startswith(prefix):
      continue  # An optimizer's, or another tower's.
    name = name.removeprefix(prefix)
    if name.startswith(_JOINED):
      rest = name.removeprefix(_JOINED)
      for i, of_block in enumerate(values):
        found[f'Transformer/encoderblock_{i}/{rest}'] = of_block
    else:
      found[name] = values
  return found


def _attentions(
  parts: Mapping[tuple[str, str, str], np.ndarray],
) -> dict[str, np.ndarray]:
  """Joins the heads of each attention, and its queries, keys and values."""
  joined = {}
  for (at, part, kind), values in parts.items():
    path = f'{at}/attention'
    if part == 'out':
      # [heads, size of one, out], and a bias as it is.
      if kind == 'kernel':
        values = values.reshape(-1, values.shape[-1])
      joined[f'{path}/out/{kind}'] = values
    elif part == _QKV[0]:
      missing = [name for name in _QKV if (at, name, kind) not in parts]
      if missing:
        raise errors.DataError(
          f'Weights of ViT must have queries, keys and values in each block, '
          f'and {at} lacks the {kind} of {", ".join(missing)}.'
        )
      # [in, heads, size of one], and a bias without the first of them.
      joined[f'{path}/qkv/{kind}'] = np.concatenate(
        [_flat(parts[at, name, kind], kind) for name in _QKV], axis=-1
      )
  return joined


def _flat(values: np.ndarray, kind: str) -> np.ndarray:
  return values.reshape(len(values), -1) if kind == 'kernel' else values.ravel()


def _unknown(name: str) -> errors.DataError:
  return leaves.unknown(name, family='ViT', example=_EXAMPLE)
