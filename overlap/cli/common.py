"""The flags that several commands share, and what they open."""

import os
from typing import Any

import ml_collections
from absl import flags
from etils import epath
from ml_collections import config_flags

from overlap import config, errors, lookup


def define_workdir(values: flags.FlagValues) -> None:
  """Defines --workdir."""
  flags.DEFINE_string(
    'workdir', None, 'the folder of the study, local or gs://',
    flag_values=values,
  )  # fmt: skip


def define_study(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the flags of every command that runs stages of a study.

  Raises:
    UsageError: `argv` names a config file that does not exist.
  """
  _check_config_file(argv)
  define_workdir(values)
  config_flags.DEFINE_config_file(
    'config', None,
    'the config file, FILE.py or FILE.py:ARGUMENT; any field can be set by '
    '--config.FIELD=VALUE',
    flag_values=values, lock_config=True, sys_argv=argv,
  )  # fmt: skip
  flags.DEFINE_string(
    'resume', 'same',
    'where the workdir was made by another config: same (refuse), update '
    '(make again what the changes touch) or original (keep its config)',
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_string(
    'coordinator', '',
    'HOST:PORT of process 0 of a run of several processes; auto where a '
    'cluster (a TPU pod, SLURM, ...) tells each process what it is',
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_integer(
    'num_processes', 1, 'how many processes the run has', flag_values=values
  )
  flags.DEFINE_integer(
    'process_id', 0, "this process's number, from 0", flag_values=values
  )
  flags.DEFINE_integer(
    'model_groups', 1,
    'into how many groups of processes the models are divided, each of which '
    'trains and predicts with a model at a time; 1: each model over all',
    flag_values=values,
  )  # fmt: skip


def _check_config_file(argv: list[str]) -> None:
  # ml_collections tells of a missing file in six lines, and late.
  for word, following in zip(argv, [*argv[1:], '']):
    name, equals, value = word.partition('=')
    if name in ('--config', '-config'):
      path = (value if equals else following).partition(':')[0]
      if not os.path.isfile(path):
        raise errors.UsageError(
          f'--config must name a config file, got {path!r}, which is none.'
        )


def check_overrides(argv: list[str]) -> None:
  """Looks for a field that a flag sets and the config does not have.

  ml_collections refuses such a flag without saying where the field would be
  or which there are; this is called after it has.

  Args:
    argv: the program's name and its flags, a readable --config among them.

  Raises:
    UsageError: --config.FIELD names no field; the text lists those there are.
  """
  values = flags.FlagValues()
  words = [word for word in argv if not word.startswith('--config.')]
  config_flags.DEFINE_config_file('config', flag_values=values, sys_argv=words)
  values(words, known_only=True)
  for word in argv[1:]:
    if not word.startswith('--config.'):
      continue
    node, where = values['config'].value, 'config'
    for field in word.partition('=')[0].split('.')[1:]:
      if not isinstance(node, ml_collections.ConfigDict):
        break
      lookup.check(f'field of {where}', field.partition('[')[0], node.keys())
      where = f'{where}.{field}'
      node = node.get(field)


def define_model(values: flags.FlagValues) -> None:
  """Defines --model."""
  flags.DEFINE_string(
    'model', None, 'one model of the study; all if not given',
    flag_values=values,
  )  # fmt: skip


def workdir(values: flags.FlagValues) -> epath.Path:
  """The folder that --workdir names.

  Raises:
    UsageError: it was not given.
  """
  if not values['workdir'].value:
    raise errors.UsageError('--workdir must name a folder, got nothing.')
  return epath.Path(values['workdir'].value)


def open_study(values: flags.FlagValues, *, dry_run: bool = False) -> Any:
  """The study that --config and --workdir name, checked and bound.

  Args:
    values: the flags.
    dry_run: leave the workdir as it is, and give a `preview.Preview`.

  Raises:
    UsageError: see `config.resolve`, `specs.check` and `open_workdir`.
  """
  path = workdir(values)
  if values['config'].value is None:
    raise errors.UsageError(
      '--config must name a config file, got nothing: try '
      '--config=configs/quickstart.py.'
    )
  resolved = config.resolve(values['config'].value)

  # Not at the top: these import JAX, which a misspelt flag need not wait for.
  from overlap import parallel
  from overlap.study import results, specs, study, thumbnails
  from overlap.study import workdir as study_workdir

  parallel.initialize(
    values['coordinator'].value,
    values['num_processes'].value,
    values['process_id'].value,
    values['model_groups'].value,
  )
  specs.check(resolved)
  results.check(resolved)
  thumbnails.check(resolved)
  resume = values['resume'].value
  if dry_run:
    from overlap.study import preview

    chosen = study_workdir.choose_config(path, resolved, resume=resume)
    return preview.Preview(chosen, path, replace=resume == 'update')
  bound = study_workdir.open_workdir(path, resolved, resume=resume)
  return study.Study(bound, path, replace=resume == 'update')
