"""Description of the network in the file beside released weights.

Number of heads, activation, padding and epsilon are in no tensor's shape: where
a config.json says them, they are taken from there. Three kinds of config are
read: transformers' (with a 'model_type'), timm's (with an 'architecture') and
open_clip's (with a 'model_cfg'); and the model.json beside a model of a study.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from absl import logging
from etils import epath

from overlap.core import errors, lookup
from overlap.models import MODELS
from overlap.models.checkpoints import configs, places, timm_names
from overlap.models.checkpoints.weights import Weights

FILES = ('config.json', 'open_clip_config.json')
# A study's own.
_MODEL = 'model.json'
_KINDS = {'model_type', 'architecture', 'model_cfg'}
# Options that no tensor's name or shape shows.
UNSEEN = ('activation', 'epsilon', 'num_heads', 'padding', 'pool')
# Options of our module, each with the words that say so.
Options = dict[str, tuple[Any, str]]

# Our family of each of transformers' kinds of model that has one here.
_MODEL_TYPES = {
  'align': ('align', 'align_text'),
  'clip': ('clip', 'clip_text'),
  'clip_text_model': ('clip_text',),
  'clip_vision_model': ('clip',),
  'deit': ('vit',),
  'resnet': ('resnet',),
  'vit': ('vit',),
}
_ACTIVATIONS = {
  'gelu': 'gelu',
  'gelu_new': 'gelu_tanh',
  'gelu_pytorch_tanh': 'gelu_tanh',
  'quick_gelu': 'quick_gelu',
}


def find(path: str, file: epath.Path) -> tuple[str, Mapping[str, Any]] | None:
  """Finds the config beside weights.

  Args:
    path: path of the weights, see `places.resolve`.
    file: what `places.resolve` returned for it.

  Returns:
    Its path and content; None where there is none of these kinds.

  Raises:
    DataError: it can't be read.
  """
  for name in (*FILES, _MODEL):
    try:
      config = places.beside(path, file, name)
    except errors.DataError as e:
      # The weights may be in the cache of a hub that is out of reach now.
      logging.warning('%s: what describes it can not be read: %s', path, e)
      return None
    if config is not None:
      content = _read(config)
      if _KINDS & content.keys() or _is_ours(content):
        return str(config), content
  return None


def _read(file: epath.Path) -> Mapping[str, Any]:
  with places.reading(file):
    try:
      content = json.loads(file.read_text())
    except (ValueError, RecursionError) as e:
      raise errors.DataError(
        f'{file} must hold JSON, got: {str(e)[:100]}.'
      ) from e
  if not isinstance(content, dict):
    raise errors.DataError(f'{file} must hold a JSON object.')
  return content


def from_names(family: str, weights: Weights) -> Options:
  """Returns what the architecture's name says, from the config or the file.

  Args:
    family: see `describe`.
    weights: the weights.

  Raises:
    DataError: the name is that of another network.
  """
  if weights.architecture:
    options = _named(family, f"'arch' in {weights.file}", weights.architecture)
    if options:
      return options
  if family in timm_names.TOLD_BY_FILES:
    for part in reversed(pathlib.PurePath(weights.file).parts):
      options = _named(family, f'the name of {weights.file}', part)
      if options:
        return options
  return {}


def _named(family: str, source: str, name: str) -> Options:
  try:
    return _with_source(timm_names.options(family, name), source)
  except errors.DataError as e:
    raise errors.DataError(f'{source}: {e}') from e


def _with_source(options: Options, source: str) -> Options:
  return {
    name: (value, f'{words} in {source}')
    for name, (value, words) in options.items()
  }


def describe(family: str, source: str, config: Mapping[str, Any]) -> Options:
  """Returns what a config says about a network.

  Args:
    family: key of `models.MODELS`, or of `configs.TOWERS`.
    source: what error texts call the config.
    config: its content, of one of the three kinds.

  Returns:
    Options of our module, each with the words of the config.

  Raises:
    DataError: it is of another network than the family's, or asks for what
      our module does not have.
  """
  try:
    if _is_ours(config):
      options = _of_study(family, config)
    elif 'architecture' in config:
      options = timm_names.options(family, config['architecture'], config)
    else:
      if 'model_cfg' in config:
        config = configs.from_open_clip(config)
      options = _of_transformers(family, config)
  except errors.DataError as e:
    raise errors.DataError(f'{source}: {e}') from e
  return _with_source(options, source)


def _is_ours(config: Mapping[str, Any]) -> bool:
  settings = config.get('settings')
  architecture = (
    settings.get('architecture') if isinstance(settings, Mapping) else None
  )
  return isinstance(architecture, Mapping) and {'name', 'options'} <= set(
    architecture
  )


def _of_study(family: str, config: Mapping[str, Any]) -> Options:
  """What no tensor shows of a model that a study made."""
  architecture = config['settings']['architecture']
  options = config.get('options', architecture['options'])
  if architecture['name'] != family or not isinstance(options, Mapping):
    return {}  # Its tensors are compared.
  module = lookup.lookup('model', family, MODELS)
  return {
    field.name: (options.get(field.name, field.default), field.name)
    for field in dataclasses.fields(module)
    if field.name in UNSEEN
  }


def _of_transformers(family: str, config: Mapping[str, Any]) -> Options:
  kind = config['model_type']
  families = _MODEL_TYPES.get(kind, ()) if isinstance(kind, str) else ()
  if family not in families:
    ours = f'is the config of {", ".join(families) or "no model here"}'
    raise errors.DataError(
      f'model_type {str(kind)[:100]!r} {ours}, and not of {family}.'
    )
  if family in configs.TOWERS:
    return _of_tower(family, config)
  return _READERS[kind](config)


def _of_tower(family: str, config: Mapping[str, Any]) -> Options:
  tower = configs.TOWERS[family]
  # A tower's own config has its fields at the top.
  if tower.part not in config and config['model_type'].endswith('_model'):
    config = {tower.part: config, **config}
  names = {ours: theirs for ours, (theirs, _) in tower.names.items()}
  return {
    ours: (value, f'{tower.part}.{names.get(ours, ours)}')
    for ours, value in configs.options(family, config).items()
  }


def _of_vit(config: Mapping[str, Any]) -> Options:
  """Options of `ViT`; transformers leaves out what equals its defaults."""
  # (ours, theirs, default)
  fields = (
    ('hidden_size', 'hidden_size', 768),
    ('depth', 'num_hidden_layers', 12),
    ('num_heads', 'num_attention_heads', 12),
    ('patch_size', 'patch_size', 16),
    ('epsilon', 'layer_norm_eps', 1e-12),
  )
  options: Options = {
    ours: (config.get(theirs, default), theirs)
    for ours, theirs, default in fields
  }
  units = config.get('intermediate_size', 3072)
  try:
    ratio = units / options['hidden_size'][0]
  except (TypeError, ZeroDivisionError) as e:
    raise errors.DataError(
      'hidden_size and intermediate_size must be positive numbers, got '
      f'{options["hidden_size"][0]!r} and {units!r}.'
    ) from e
  options['mlp_ratio'] = ratio, 'intermediate_size'
  options['activation'] = _activation(config), 'hidden_act'
  return options


def _activation(config: Mapping[str, Any]) -> str:
  given = config.get('hidden_act', 'gelu')
  if not isinstance(given, str) or given not in _ACTIVATIONS:
    raise errors.DataError(
      f'hidden_act must be one of {", ".join(_ACTIVATIONS)}, got {given!r}.'
    )
  return _ACTIVATIONS[given]


def _of_resnet(config: Mapping[str, Any]) -> Options:
  """Options of `ResNet`, whose form transformers leaves open."""
  fixed = {
    'hidden_act': 'relu',
    'downsample_in_first_stage': False,
    'downsample_in_bottleneck': False,
  }
  for name, value in fixed.items():
    if config.get(name, value) != value:
      raise errors.DataError(
        f'{name} of a ResNet must be {value!r}, got {config[name]!r}.'
      )
  sizes = config.get('depths', [3, 4, 6, 3])
  if not isinstance(sizes, list):
    raise errors.DataError(f'depths must be a list, got {sizes!r}.')
  return {
    'stage_sizes': (tuple(sizes), 'depths'),
    'block': (config.get('layer_type', 'bottleneck'), 'layer_type'),
    'width': (config.get('embedding_size', 64), 'embedding_size'),
  }


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Options]] = {
  'deit': _of_vit,
  'resnet': _of_resnet,
  'vit': _of_vit,
}
