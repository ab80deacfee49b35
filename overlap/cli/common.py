"""The flags that several commands share, and what they open."""

import ast
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import ml_collections
from absl import flags
from etils import epath
from ml_collections import config_flags

from overlap import claims, code_files, config, errors, lookup


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
  define_wait(values)


def define_wait(values: flags.FlagValues) -> None:
  """Defines --wait."""
  flags.DEFINE_boolean(
    'wait', True,
    'wait for another run that makes the same in this workdir; --nowait gives '
    'up, and says which it is',
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
          f'--config must name a config file, got {path!r}, which is none. '
          f'{code_files.nearest(path)}'.rstrip()
        )


# What a field's value must be, by the type of its default.
_VALUES: dict[type, tuple[flags.ArgumentParser, str]] = {
  bool: (flags.BooleanParser(), 'true or false'),
  int: (flags.IntegerParser(), 'a whole number'),
  float: (flags.FloatParser(), 'a number'),
}


def check_overrides(argv: list[str]) -> None:
  """Looks for a flag that sets what the config does not have, or can't hold.

  ml_collections refuses such a flag without saying where the field would be,
  which there are, or what it may be; this is called after it has.

  Args:
    argv: the program's name and its flags, a readable --config among them.

  Raises:
    UsageError: --config.FIELD names no field, or no place of a list, and the
      text lists those there are; or its value is of another type.
  """
  values = flags.FlagValues()
  words = [word for word in argv if not word.startswith('--config.')]
  _define_config(values, words)
  values(words, known_only=True)
  for word, following in zip(argv, [*argv[1:], '']):
    if not word.startswith('--config.'):
      continue
    path, equals, value = word.partition('=')
    node, where = values['config'].value, 'config'
    for field in path.split('.')[1:]:
      if not isinstance(node, ml_collections.ConfigDict):
        break
      name, bracket, place = field.partition('[')
      lookup.check(f'field of {where}', name, node.keys())
      where, node = f'{where}.{name}', node.get(name)
      if bracket:
        _check_place(where, place.rstrip(']'), node)
    if path == f'--{where}':
      # Of a truth, the flag alone says it.
      alone = not equals and isinstance(node, bool)
      _check_value(where, 'true' if alone else value or following, node)


def _check_value(where: str, value: str, node: Any) -> None:
  if isinstance(node, ml_collections.ConfigDict):
    if not _is_dict(value):
      first = 'name' if 'name' in node else 'FIELD'
      raise errors.UsageError(
        f'--{where} must be set by its fields, as in --{where}.{first}=..., '
        f'got {value!r}. Fields: {", ".join(node.keys()) or "none"}.'
      )
  elif type(node) in _VALUES:
    parser, rule = _VALUES[type(node)]
    try:
      parser.parse(value)
    except (TypeError, ValueError) as e:
      raise errors.UsageError(
        f'--{where} must be {rule}, got {value!r}.'
      ) from e


def _is_dict(value: str) -> bool:
  try:
    return isinstance(ast.literal_eval(value), dict)
  except (SyntaxError, ValueError, MemoryError, RecursionError):
    return False


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


@contextlib.contextmanager
def open_study(
  values: flags.FlagValues, stages: Sequence[str], model: str | None = None
) -> Iterator[Any]:
  """The study that --config and --workdir name, checked.

  Within it, no other run makes what these stages make. The folder is bound to
  the config when something is written, by `Study.begin`.

  Args:
    values: the flags.
    stages: that will be run.
    model: the one that they are run for; None for all.

  Raises:
    UsageError: see `config.resolve`, `specs.check` and `choose_config`.
    DataError: see `check_place` and `claims.held`.
  """
  path, resolved = _checked(values)
  from overlap import parallel
  from overlap.study import leftovers, study
  from overlap.study import workdir as study_workdir

  study_workdir.check_place(path)
  names = study_workdir.claimed(resolved, stages, model)
  with claim(values, path, names):
    resume = values['resume'].value
    chosen = study_workdir.choose_config(path, resolved, resume=resume)
    if parallel.is_primary():
      leftovers.remove(path)
    yield study.Study(chosen, path, replace=resume == 'update')


def preview_study(values: flags.FlagValues) -> Any:
  """`open_study` as a `preview.Preview`; the workdir stays as it is."""
  path, resolved = _checked(values)
  from overlap.study import preview
  from overlap.study import workdir as study_workdir

  resume = values['resume'].value
  chosen = study_workdir.choose_config(path, resolved, resume=resume)
  return preview.Preview(chosen, path, replace=resume == 'update')


def claim(
  values: flags.FlagValues, path: epath.Path, names: Sequence[str]
) -> contextlib.AbstractContextManager[None]:
  """`claims.held` for all processes of a run, by its primary."""
  import numpy as np

  from overlap import parallel

  return claims.held(
    path,
    names,
    wait=values['wait'].value,
    primary=parallel.is_primary(),
    agree=lambda state: int(parallel.broadcast(np.array(state, np.int32))),
  )


def _checked(values: flags.FlagValues) -> tuple[epath.Path, dict[str, Any]]:
  """The workdir and the study's config, before the folder is looked at."""
  path = workdir(values)
  if values['config'].value is None:
    raise errors.UsageError(
      '--config must name a config file, got nothing: try '
      '--config=configs/quickstart.py.'
    )
  resolved = config.resolve(values['config'].value)

  # Not at the top: these import JAX, which a misspelt flag need not wait for.
  from overlap import parallel
  from overlap.study import results, specs, thumbnails

  parallel.initialize(
    values['coordinator'].value,
    values['num_processes'].value,
    values['process_id'].value,
    values['model_groups'].value,
  )
  specs.check(resolved)
  results.check(resolved)
  thumbnails.check(resolved)
  return path, resolved
