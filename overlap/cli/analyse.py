"""Computes the tables from the stored predictions.

With --config, those of the study; without, those of whatever the store
holds: --dataset, --split and --base say of what.
"""

from typing import Any

from absl import flags

from overlap.cli import common, flag_kinds
from overlap.core import errors

# What a config says where there is one.
_OF_STORE = (
  'dataset', 'split', 'base', 'window', 'models', 'tables', 'resamples',
)  # fmt: skip


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_study(values, argv)
  for name, text in (
    ('dataset', 'without --config: the data set in the store'),
    ('split', 'without --config: its split'),
    ('base', 'without --config: the model that others are compared with'),
    ('window', 'without --config: which accuracies enter means: HALFWIDTH '
     'around the base, or LOWER,UPPER, as fractions; all if not given'),
  ):  # fmt: skip
    flags.DEFINE_string(name, None, text, flag_values=values)
  for name, text in (
    ('models', 'without --config: the models to compare; all if not given'),
    ('tables', 'without --config: the tables to make; all if not given'),
  ):
    flag_kinds.define_list(name, [], text, flag_values=values)
  flags.DEFINE_integer(
    'resamples', None, 'without --config: of the bootstrap', flag_values=values
  )


def run(values: flags.FlagValues) -> None:
  """Computes and writes the tables."""
  if values['config'].value is not None:
    _check_unset(values)
    with common.open_study(values, ['analyse']) as study:
      from overlap.stages import run as study_run

      study_run.run_stages(study, ['analyse'])
    return
  from overlap.distributed import processes
  from overlap.stages import analyse
  from overlap.workdir import layout

  path = common.workdir(values)
  processes.initialize(
    values['coordinator'].value,
    values['num_processes'].value,
    values['process_id'].value,
  )
  request = analyse.store_request(
    path,
    values['dataset'].value,
    values['split'].value,
    values['base'].value,
    models=values['models'].value,
    options=_options(values),
  )
  with common.claim(values, path, [layout.TABLES]):
    analyse.analyse(path, request, again=True)


def _check_unset(values: flags.FlagValues) -> None:
  given = [name for name in _OF_STORE if values[name].present]
  if given:
    raise errors.UsageError(
      'With --config, what to analyse must stand in the config, '
      f'config.analyses, got --{given[0]}.'
    )


def _options(values: flags.FlagValues) -> dict[str, Any]:
  options: dict[str, Any] = {}
  if values['tables'].value:
    options['tables'] = values['tables'].value
  if values['resamples'].value is not None:
    options['resamples'] = values['resamples'].value
  if values['window'].value is not None:
    options['window'] = _window(values['window'].value)
  return options


def _window(text: str) -> float | list[float]:
  try:
    numbers = [float(part) for part in text.split(',')]
  except ValueError as error:
    raise errors.UsageError(
      f'--window must be HALFWIDTH or LOWER,UPPER, got {text!r}.'
    ) from error
  return numbers[0] if len(numbers) == 1 else numbers
