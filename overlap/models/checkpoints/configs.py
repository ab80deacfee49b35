"""Options of image-text models, from the config.json beside their weights.

The file is transformers'. It may leave out what equals its defaults, which are
therefore stated here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from overlap.core import errors, lookup


class Tower(NamedTuple):
  """Rules that read a tower's options.

  Attributes:
    part: part of the config.
    names: map from the names of our options, to theirs and its default.
    fixed: theirs, and the only value that our module has.
  """

  part: str
  names: Mapping[str, tuple[str, Any]]
  fixed: Mapping[str, Any]


_TRANSFORMER = {
  'hidden_size': ('hidden_size', 768),
  'depth': ('num_hidden_layers', 12),
  'num_heads': ('num_attention_heads', 12),
}
_CLIP = {'activation': ('hidden_act', 'quick_gelu')}
_MLP = 'intermediate_size'

TOWERS = {
  'clip': Tower(
    'vision_config',
    _TRANSFORMER | _CLIP | {'patch_size': ('patch_size', 32)},
    {'layer_norm_eps': 1e-5},
  ),
  'clip_text': Tower(
    'text_config',
    {
      **_CLIP,
      'hidden_size': ('hidden_size', 512),
      'depth': ('num_hidden_layers', 12),
      'num_heads': ('num_attention_heads', 8),
      'vocab_size': ('vocab_size', 49408),
      'context_length': ('max_position_embeddings', 77),
      'end_token': ('eos_token_id', 49407),
    },
    {'layer_norm_eps': 1e-5},
  ),
  'align': Tower(
    'vision_config',
    {
      'width': ('width_coefficient', 2.0),
      'depth': ('depth_coefficient', 3.1),
    },
    {
      'hidden_act': 'swish',
      'pooling_type': 'mean',
      'batch_norm_eps': 1e-3,
      'squeeze_expansion_ratio': 0.25,
      'depth_divisor': 8,
      'depthwise_padding': [],
    },
  ),
  'align_text': Tower(
    'text_config',
    _TRANSFORMER
    | {
      'activation': ('hidden_act', 'gelu'),
      'vocab_size': ('vocab_size', 30522),
      'context_length': ('max_position_embeddings', 512),
      'types': ('type_vocab_size', 2),
    },
    {'layer_norm_eps': 1e-12, 'position_embedding_type': 'absolute'},
  ),
}
# Of the features, where it is an option; it is stated beside the towers.
_PROJECTION = {'clip': 512, 'clip_text': 512, 'align_text': 640}
# Hidden units of the perceptrons, where their ratio is an option.
_MLP_SIZES = {'clip': 3072, 'clip_text': 2048, 'align_text': 3072}
# What CLIP's first configs had for the end of a text, which is the last token.
_OLD_END = 2


def options(tower: str, config: Mapping[str, Any]) -> dict[str, Any]:
  """Options of a tower's module.

  Args:
    tower: key of `TOWERS`.
    config: what the file holds.

  Raises:
    DataError: the config asks for what our module has not.
  """
  part, names, fixed = TOWERS[lookup.check_choice('tower', tower, TOWERS)]
  # Older files repeat, in a part of this name, what is not the default.
  given = _part(config, part) | _part(config, f'{part}_dict')
  for name, value in fixed.items():
    if given.get(name, value) != value:
      raise errors.DataError(
        f'{part}.{name} of a released {tower} must be {value!r}, got '
        f'{given[name]!r}.'
      )
  found = {
    ours: given.get(theirs, default)
    for ours, (theirs, default) in names.items()
  }
  if tower in _MLP_SIZES:
    units = given.get(_MLP, _MLP_SIZES[tower])
    found['mlp_ratio'] = units / found['hidden_size']
  if tower in _PROJECTION:
    found['projection_size'] = config.get('projection_dim', _PROJECTION[tower])
  if found.get('end_token') == _OLD_END:
    found['end_token'] = found['vocab_size'] - 1
  return found


def from_open_clip(config: Mapping[str, Any]) -> dict[str, Any]:
  """open_clip's config as transformers would write it.

  Raises:
    DataError: it asks for towers that our modules are not.
  """
  model = _part(config, 'model_cfg')
  image, text = _part(model, 'vision_cfg'), _part(model, 'text_cfg')
  for tower, known in ((image, _OPEN_CLIP_IMAGE), (text, _OPEN_CLIP_TEXT)):
    for name in tower:
      if name not in known:
        raise errors.DataError(
          f'The towers of a CLIP must have no {name[:100]!r}, got '
          f'{str(tower[name])[:100]!r}.'
        )
  activation = 'quick_gelu' if model.get('quick_gelu') else 'gelu'
  try:
    return {
      'model_type': 'clip',
      'projection_dim': model['embed_dim'],
      'vision_config': {
        'hidden_act': activation,
        'hidden_size': image['width'],
        'intermediate_size': image['width'] * image.get('mlp_ratio', 4.0),
        'num_attention_heads': image['width'] // image.get('head_width', 64),
        'num_hidden_layers': image['layers'],
        'patch_size': image['patch_size'],
      },
      'text_config': {
        'hidden_act': activation,
        'hidden_size': text['width'],
        'intermediate_size': text['width'] * text.get('mlp_ratio', 4.0),
        'max_position_embeddings': text.get('context_length', 77),
        'num_attention_heads': text['heads'],
        'num_hidden_layers': text['layers'],
        'vocab_size': text.get('vocab_size', 49408),
        'eos_token_id': text.get('vocab_size', 49408) - 1,
      },
    }
  except (KeyError, TypeError, ZeroDivisionError) as e:
    raise errors.DataError(
      f'model_cfg must say the sizes of both towers of a ViT, got {e!r}.'
    ) from e


# What open_clip says of the towers that are read here.
_OPEN_CLIP_IMAGE = (
  'image_size', 'layers', 'width', 'patch_size', 'head_width', 'mlp_ratio',
)  # fmt: skip
_OPEN_CLIP_TEXT = (
  'context_length', 'vocab_size', 'width', 'heads', 'layers', 'mlp_ratio',
)  # fmt: skip


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
  part = config.get(name) or {}
  if not isinstance(part, Mapping):
    raise errors.DataError(
      f'{name} of a released config must be an object, got {str(part)[:100]!r}.'
    )
  return dict(part)
