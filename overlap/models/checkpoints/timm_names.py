"""Facts that timm's architecture names tell and no tensor shows.

A name stands for a family, sizes, and details such as padding. What is stated
here are the details, and the names whose tensors are called and shaped as those
of a family here, but make another network.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from overlap.core import errors

Options = dict[str, tuple[Any, str]]

# By family, names of networks that its weights would fit and that are others.
_OTHERS = {
  'resnet': r'resnet(blur|aa)\w*|\w*_gn',
  'efficientnet': r'efficientnet_blur\w*|\w*_gn',
  'senet': r'seresne(x?)taa\w*',
  'vit': r'vit_\w*rpn\w*',
}
# Families of which the name of a file is believed too.
TOLD_BY_FILES = ('resnet', 'efficientnet', 'senet', 'vit')
_EFFICIENTNET = re.compile(r'(tf_)?efficientnet_b([0-7])(_ap|_ns)?')
# Heads by the size in the name of a ViT or DeiT.
_HEADS = {
  'tiny': 3, 'small': 6, 'medium': 8, 'base': 12, 'large': 16, 'huge': 16,
  'gigantic': 16,
}  # fmt: skip
_GELU_TANH = re.compile(
  r'vit_(base_patch32_siglip(_gap)?_256|large_patch16_siglip(_gap)?_512)'
)
_OTHER_HEADS = {'vit_base_patch16_gap_224': 16}
_VIT = re.compile(
  r'(?:vit|deit|deit3)_([a-z]+)_(?:distilled_)?patch\d+(?!\d|_plus)\w*'
)
_SCALES = {'110d': (1.1, 1.2), '120d': (1.2, 1.4)}
_MOBILENET = re.compile(r'mobilenetv2_(\d{3})(d?)')
# Arguments of a model that change nothing which its tensors do not show.
_SHOWN_ARGS = (
  'img_size', 'num_classes', 'in_chans', 'drop_rate', 'drop_path_rate',
  'proj_drop_rate', 'attn_drop_rate', 'embed_dim', 'depth', 'depths',
  'patch_size', 'qkv_bias', 'init_values', 'strict_img_size',
  'dynamic_img_size', 'patch_drop_rate', 'pos_drop_rate', 'mlp_ratio',
)  # fmt: skip
_POOLS = {'token': 'token', 'avg': 'gap', '': 'token'}


def options(
  family: str, name: Any, config: Mapping[str, Any] | None = None
) -> Options:
  """Options of a module that the name of timm's architecture tells.

  Args:
    family: key of `models.MODELS`.
    name: timm's name, with or without the tag of its weights.
    config: timm's config.json, which may have 'global_pool' and 'model_args'.

  Returns:
    Options, each with the words that say so; none for an unknown name.

  Raises:
    DataError: the name or the arguments are those of another network.
  """
  if not isinstance(name, str):
    raise errors.DataError(f'architecture must be text, got {name!r}.')
  name = re.split('[.-]', name)[0]
  if family in _OTHERS and re.fullmatch(_OTHERS[family], name):
    raise errors.DataError(
      f'the architecture {name!r} is another network than a {family} here, '
      'though its tensors have the same names and shapes.'
    )
  config = config or {}
  read = _READERS.get(family)
  result = read(name, config) if read else {}
  _check_args(config, result)
  return result


def _check_args(config: Mapping[str, Any], result: Options) -> None:
  args = config.get('model_args') or {}
  known = (*_SHOWN_ARGS, *result, *_ARGS_READ)
  for name in args if isinstance(args, Mapping) else ():
    if name not in known:
      raise errors.DataError(
        f'model_args must be of a network here, got {name}={args[name]!r}.'
      )


def _efficientnet(name: str, config: Mapping[str, Any]) -> Options:
  del config
  match = _EFFICIENTNET.fullmatch(name)
  if not match:
    return {}
  source = f'architecture {name!r}'
  from_tensorflow = bool(match[1])
  return {
    'variant': (int(match[2]), source),
    'padding': ('same' if from_tensorflow else 'half', source),
    'epsilon': (1e-3 if from_tensorflow else 1e-5, source),
  }


def _mobilenet_v2(name: str, config: Mapping[str, Any]) -> Options:
  del config
  match = _MOBILENET.fullmatch(name)
  if not match:
    return {}
  source = f'architecture {name!r}'
  if not match[2]:
    return {'width_multiplier': (int(match[1]) / 100, source)}
  width, depth = _SCALES.get(match[1] + match[2], (int(match[1]) / 100, 1.0))
  return {
    'width_multiplier': (width, source),
    'depth_multiplier': (depth, source),
    'scale_ends': (False, source),
  }


def _densenet(name: str, config: Mapping[str, Any]) -> Options:
  del config
  return {'blur_pool': ('blur' in name, f'architecture {name!r}')}


_ARGS_READ = ('num_heads', 'global_pool', 'class_token', 'fc_norm')


def _vit(name: str, config: Mapping[str, Any]) -> Options:
  result: Options = {}
  source = f'architecture {name!r}'
  match = _VIT.fullmatch(name)
  if match and match[1] in _HEADS:
    result['num_heads'] = _OTHER_HEADS.get(name, _HEADS[match[1]]), source
    activation = 'quick_gelu' if 'quickgelu' in name else 'gelu'
    if _GELU_TANH.fullmatch(name):
      activation = 'gelu_tanh'
    result['activation'] = activation, source
  args = config.get('model_args')
  args = args if isinstance(args, Mapping) else {}
  if 'num_heads' in args:
    result['num_heads'] = args['num_heads'], 'model_args.num_heads'
  if args.get('fc_norm') is not None:
    result['fc_norm'] = bool(args['fc_norm']), 'model_args.fc_norm'
  pool = args.get('global_pool', config.get('global_pool'))
  if pool is not None:
    if pool not in _POOLS:
      raise errors.DataError(
        f'global_pool of a ViT must be one of {", ".join(_POOLS)}, got '
        f'{pool!r}.'
      )
    # Whether there is a class token, the file shows.
    result['pool'] = _POOLS[pool], 'global_pool'
  return result


_READERS: Mapping[str, Callable[[str, Mapping[str, Any]], Options]] = {
  'densenet': _densenet,
  'efficientnet': _efficientnet,
  'mobilenet_v2': _mobilenet_v2,
  'vit': _vit,
}
