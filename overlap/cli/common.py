"""The flags that several commands share, and what they open."""

import os
import re
from typing import Any

import ml_collections
from absl import flags
from etils import epath
from ml_collections import config_flags

from overlap import code_files, config, errors, lookup


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
  _define_config(values, argv)
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


class _ConfigParser(flags.ArgumentParser):
  """Runs a config file, whose every fault is one line."""

  def parse(self, path: str) -> ml_collections.ConfigDict:
    made = code_files.call(path, 'get_config', '--config')
    if not isinstance(made, ml_collections.ConfigDict):
      raise errors.UsageError(
        f'get_config() of {path} must return a ConfigDict, as '
        f'overlap.config.study() gives it, got {type(made).__name__}.'
      )
    return made.lock()


def _define_config(values: flags.FlagValues, argv: list[str]) -> None:
  config_flags.DEFINE_config_file(
    'config', None,
    'the config file, FILE.py or FILE.py:ARGUMENT; any field can be set by '
    '--config.FIELD=VALUE',
    flag_values=values, sys_argv=argv,
  )  # fmt: skip
  values['config'].parser = _ConfigParser()


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
    UsageError: --config.FIELD names no field, or no place of a list; the text
      lists those there are.
  """
  values = flags.FlagValues()
  words = [word for word in argv if not word.startswith('--config.')]
  _define_config(values, words)
  values(words, known_only=True)
  for word in argv[1:]:
    if not word.startswith('--config.'):
      continue
    node, where = values['config'].value, 'config'
    for field in word.partition('=')[0].split('.')[1:]:
      if not isinstance(node, ml_collections.ConfigDict):
        break
      name, bracket, place = field.partition('[')
      lookup.check(f'field of {where}', name, node.keys())
      where, node = f'{where}.{name}', node.get(name)
      if bracket:
        _check_place(where, place.rstrip(']'), node)


def _check_place(where: str, place: str, value: Any) -> None:
  listed = isinstance(value, (list, tuple))
  number = int(place) if re.fullmatch(r'-?\d{1,9}', place) else None
  if not listed or number is None or not -len(value) <= number < len(value):
    raise errors.UsageError(
      f'--{where}[PLACE] must be a place of {value!r}, got {place}.'
    )


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
    DataError: it is something else than a folder.
  """
  given = values['workdir'].value
  if not given or '\0' in given:
    got = repr(given) if given else 'nothing'
    raise errors.UsageError(f'--workdir must name a folder, got {got}.')
  if '://' not in given:
    try:
      reason = '' if os.path.isdir(given) else _why_not(given)
    except OSError as e:
      reason = e.strerror or str(e)
    if reason:
      raise errors.DataError(
        f'--workdir must be a folder, got {given}: {reason}.'
      )
  return epath.Path(given)


def _why_not(path: str) -> str:
  """Why something is no folder; '' where it is absent and may be made."""
  try:
    os.stat(path)
  except FileNotFoundError:
    return ''
  return 'it is another thing'


def open_study(values: flags.FlagValues, *, dry_run: bool = False) -> Any:
  """The study that --config and --workdir name, checked; nothing is written.

  Args:
    values: the flags.
    dry_run: give a `preview.Preview`, which leaves the workdir as it is.

  Raises:
    UsageError: see `config.resolve`, `specs.check` and `choose_config`.
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
  study_workdir.check_place(path)
  chosen = study_workdir.choose_config(path, resolved, resume=resume)
  return study.Study(chosen, path, replace=resume == 'update')
