"""Study of the models of a sweep, so that they can be compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ml_collections

from overlap.config import sweeps
from overlap.config.sweeps import Item
from overlap.core import errors, lookup, python_file


def study(arg: str) -> ml_collections.ConfigDict:
  """Returns the study of a sweep's models, so that they can be compared.

  It is the config's study with these models: the base, those of the sweep, and
  those that they depend on (teachers, and models under probes).

  Args:
    arg: CONFIG+SWEEP, each FILE.py or FILE.py:ARGUMENT.

  Raises:
    UsageError: `arg` is not of that form; an item has fields of the whole
      study; a model or field is unknown; or a variant's name is taken.
  """
  config_path, plus, sweep_path = arg.partition('+')
  if not (plus and config_path and sweep_path):
    raise errors.UsageError(
      'The argument of this config must be CONFIG+SWEEP, as in '
      f'configs/quickstart.py+configs/sweeps/dropout.py, got {arg!r}.'
    )
  config = python_file.call(config_path, 'get_config', '--config')
  of_models = with_models(config, sweeps.load(sweep_path))
  of_models.name = f'swept:{arg}'
  return of_models


def with_models(
  config: ml_collections.ConfigDict, items: Iterable[Item]
) -> ml_collections.ConfigDict:
  """Returns a copy of a config with the models of `items`; see `study`."""
  every, wanted = dict(config.models.items()), [config.base]
  for item in items:
    if not item.model:
      raise errors.UsageError(
        f'The item {item.name!r} must be of a model, and has fields of the '
        'whole study: such a sweep makes a study an item.'
      )
    if item.variant_of:
      if item.model in config.models:
        raise errors.UsageError(
          f'A variant must have a name of its own, got {item.model!r}, which '
          'the study has already.'
        )
      every[item.model] = _variant(config.models, item)
    lookup.check_choice('model of this study', item.model, every)
    wanted.append(item.model)
  kept = _with_needed(every, wanted)
  made = config.copy_and_resolve_references()
  # A new ConfigDict: parts of an unlocked copy may still be locked.
  made.models = ml_collections.ConfigDict(
    {name: every[name] for name in every if name in kept}
  )
  return made


def override(
  config: ml_collections.ConfigDict, overrides: Mapping[str, Any], where: str
) -> None:
  """Sets fields by their dotted paths, in place, under the lock.

  Raises:
    UsageError: a field is unknown (the message names the nearest), or a value
      is of another type.
  """
  for path, value in overrides.items():
    node, at = config, where
    for field in path.split('.'):
      if not isinstance(node, ml_collections.ConfigDict):
        raise errors.UsageError(f'{at} must hold fields, got {node!r}.')
      if node.is_locked:
        lookup.check_choice(f'field of {at}', field, node.keys())
      node, at = node.get(field), f'{at}.{field}'
    try:
      config.update_from_flattened_dict({path: value})
    except (TypeError, ValueError) as e:
      raise errors.UsageError(f'{at} must be of its type, got {e}.') from e


def _variant(
  every: ml_collections.ConfigDict, item: Item
) -> ml_collections.ConfigDict:
  lookup.check_choice('model of this study', item.variant_of, every.keys())
  settings = every[item.variant_of].copy_and_resolve_references()
  override(settings, item.overrides, f'config.models.{item.variant_of}')
  return settings


def _with_needed(every: Mapping[str, Any], wanted: Sequence[str]) -> set[str]:
  """Returns the names of models and of all their direct or indirect needs."""
  kept: set[str] = set()
  todo = list(wanted)
  while todo:
    name = todo.pop()
    if name not in kept and name in every:
      kept.add(name)
      todo += needed(every[name])
  return kept


def needed(settings: Mapping[str, Any]) -> list[str]:
  """Returns the names of the models that one model depends on."""
  if settings['source'] == 'probe':
    return list(settings['models'])
  if settings['source'] == 'train' and settings['method'] == 'distill':
    return [settings['distill']['teacher']]
  return []
