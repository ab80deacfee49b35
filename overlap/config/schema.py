"""Config of a study: reading, validation and defaults.

A config file calls `study()`, `model()` and `probe()`, which return locked
`ConfigDict`s, so that a misspelt field fails where it is written; see `fields`
for the meaning of each field. `resolve` turns the result into plain
dictionaries, which all code below the command line uses.
"""

import re
from collections.abc import Mapping
from typing import Any

import ml_collections

from overlap.catalog import bit_hyperrule
from overlap.config import ranges
from overlap.config.defaults import model, probe, study
from overlap.core import errors, files, lookup

__all__ = [
  'bit_finetune', 'differences', 'flatten', 'is_learned', 'model', 'one_line',
  'paper_model', 'probe', 'require', 'resolve', 'resolve_defaults', 'study',
]  # fmt: skip

# Free-form fields: `models`, and each model's `architecture.options`.
_FREE_FORM = (
  'architecture.options',
  'image_text.attributes',
  'specialisation.groups',
  'transfer.groups',
)
_IMMATERIAL = (
  'data.data_dir',
  'data.num_threads',
  'transfer.data_dir',
  'pretrain.data_dir',
  'analyses.memory_mb',
  'report.thumbnails',
  'train.log_every_steps',
  'train.checkpoint_every_steps',
  'train.sharding',
)
# Training methods with a phase before `train`.
_LEARNING_METHODS = ('simclr', 'mpl', 'image_text', 'pretrain')


def paper_model(
  name: str, recipe: Mapping[str, Any] | None = None
) -> ml_collections.ConfigDict:
  """Returns the fields of a model of the paper, as `overlap models` lists it.

  A loaded model names its checkpoint; a trained model has no schedule yet; a
  model whose predictions are ingested has the source 'store'.

  Args:
    name: name in the paper's tables, such as 'EfficientNet-B0'.
    recipe: values by dotted path of fields that the paper leaves open, such as
      the schedule.

  Raises:
    UsageError: the paper has no such model; the message names the nearest.
  """
  # Imported here because the tables are read by pandas, which is slow.
  from overlap.catalog import models

  found = models.get(name)
  if found.way == 'bring':
    config = model('')
    config.source = 'store'
    return config
  options, fields = {}, {'init.checkpoint': found.checkpoint}
  for field, value in (dict(recipe or {}) | dict(found.settings)).items():
    path, _, last = field.rpartition('.')
    if path == 'architecture.options':
      options[last] = value
    else:
      fields[field] = value
  config = model(found.architecture, **options)
  config.update_from_flattened_dict(fields)
  return config


def bit_finetune(
  config: ml_collections.ConfigDict, *, num_examples: int, image_size: int
) -> ml_collections.ConfigDict:
  """Sets a model's schedule, sizes and MixUp by BiT-HyperRule, in place.

  Args:
    config: config from `model` or `paper_model`.
    num_examples: number of examples of the training split.
    image_size: side of the stored images, in pixels.

  Raises:
    UsageError: the number of examples or the size is not positive.
  """
  config.update_from_flattened_dict(
    bit_hyperrule.overrides(num_examples, image_size, image_size)
  )
  return config


def resolve(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """Checks a study's config against the schema; returns plain dictionaries.

  Tuples become lists, as in `config.json`, so that a config equals its own
  copy read back.

  Raises:
    UsageError: a field is unknown, missing, of the wrong type or out of range;
      there are no models; a model's name is invalid; or the base is not one of
      the models.
  """
  try:
    plain = _plain(config.to_dict())
  except RecursionError as e:
    raise errors.UsageError(
      'A config must be a tree of fields, got one that holds itself.'
    ) from e
  except TypeError as e:  # Names of several types can't be sorted.
    raise errors.UsageError(
      f'The names of models and fields must be text, got others: {e}.'
    ) from e
  schema = _plain(study().to_dict())
  models = plain.get('models', {})
  if not isinstance(models, Mapping):
    raise errors.UsageError(f'config.models must hold models, got {models!r}.')
  _check(plain | {'models': {}}, schema, 'config')
  flat = flatten({k: v for k, v in plain.items() if k != 'models'})
  ranges.check_ranges('config', flat, ranges.OF_STUDY)
  for name, settings in models.items():
    _check_model(name, settings)
  if not models:
    raise errors.UsageError('A study needs a model, got config.models = {}.')
  lookup.check_choice('model for config.base', plain['base'], models)
  require(plain, 'data.dataset')
  return plain


def _check_model(name: str, settings: Any) -> None:
  files.check_name('model of a study', name)
  at = f'config.models.{name}'
  if not isinstance(settings, Mapping):
    raise errors.UsageError(f'{at} must hold fields, got {settings!r}.')
  is_probe = settings.get('source') == 'probe'
  template = _plain((probe() if is_probe else model('')).to_dict())
  _check(settings, template, at)
  flat = flatten(settings)
  if not is_probe:  # Probes are checked like those of the analyses.
    ranges.check_ranges(at, flat, ranges.OF_MODEL)
  ranges.check_finite(at, flat)


def resolve_defaults() -> dict[str, Any]:
  """Returns the schema's defaults as plain dictionaries."""
  return _plain(study().to_dict())


def require(config: Mapping[str, Any], path: str) -> Any:
  """Returns the value at a dotted path.

  Raises:
    UsageError: the value is empty; the message names the flag that sets it.
  """
  value: Any = config
  for key in path.split('.'):
    value = value[key]
  if value in ('', None):
    raise errors.UsageError(
      f'config.{path} must be given, got {value!r}: set it in the config file'
      f' or with --config.{path}=...'
    )
  return value


def flatten(tree: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
  """Flattens nested dictionaries, joining keys with dots."""
  flat: dict[str, Any] = {}
  for key, value in tree.items():
    path = f'{prefix}{key}'
    if isinstance(value, Mapping) and value:
      flat |= flatten(value, f'{path}.')
    else:
      flat[path] = value
  return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
  """Returns a text per field that differs: 'models.base.seed: 0 -> 1'.

  Fields that do not affect results, such as paths of data, are left out.
  """
  old, new = flatten(old), flatten(new)
  return [
    f'{path}: {old.get(path, "absent")!r} -> {new.get(path, "absent")!r}'
    for path in sorted(old.keys() | new.keys())
    if old.get(path, ...) != new.get(path, ...)
    and not path.endswith(_IMMATERIAL)
  ]


def is_learned(settings: Mapping[str, Any]) -> bool:
  """Returns whether any part of a model is learned from the training split.

  Args:
    settings: config of the model.
  """
  if settings['source'] != 'train':
    return False
  schedule = settings['train']
  return (
    settings['method'] in _LEARNING_METHODS
    or settings['head']['fit'] == 'lbfgs'
    or bool(schedule['total_steps'] or schedule['total_epochs'])
  )


def one_line(error: Exception) -> str:
  """Formats an exception raised while a config was read as one line."""
  text = error.args[0] if error.args else type(error).__name__
  return re.sub(r'\s+', ' ', str(text)).strip()


def _plain(value: Any) -> Any:
  if isinstance(value, Mapping):
    return {str(key): _plain(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  return value


def _check(
  given: Mapping[str, Any], schema: Mapping[str, Any], path: str
) -> None:
  for key in given:
    lookup.check_choice(f'field of {path}', key, schema)
  for key, default in schema.items():
    where = f'{path}.{key}'
    if key not in given:
      raise errors.UsageError(f'{where} must be given, got nothing.')
    value = given[key]
    if where.endswith(_FREE_FORM) or where == 'config.models':
      continue
    if isinstance(default, Mapping):
      if not isinstance(value, Mapping):
        raise errors.UsageError(f'{where} must hold fields, got {value!r}.')
      _check(value, default, where)
    elif not _same_type(value, default):
      raise errors.UsageError(
        f'{where} must be of type {type(default).__name__}, got {value!r}.'
      )


def _same_type(value: Any, default: Any) -> bool:
  if isinstance(default, float):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
  return type(value) is type(default)
