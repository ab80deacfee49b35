"""The flags that several commands share, and what they open."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import ml_collections
from absl import flags
from etils import epath

from overlap.cli import flag_kinds
from overlap.cli import overrides as overrides_lib
from overlap.config import schema
from overlap.core import errors, files, locks, python_file


def define_workdir(values: flags.FlagValues) -> None:
  """Defines --workdir."""
  flag_kinds.define_path(
    'workdir', None, 'the folder of the study, local or gs://',
    flag_values=values,
  )  # fmt: skip


def define_study(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the flags of every command that runs stages of a study.

  Raises:
    UsageError: `argv` names a config file that does not exist, or sets fields
      of none.
  """
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
  """Runs a config file and sets fields; every fault is one line."""

  def __init__(self, overrides: Sequence[overrides_lib.Override]):
    self._overrides = overrides

  def parse(self, path: str) -> ml_collections.ConfigDict:
    path = files.local_path(path)
    made = python_file.call(path, 'get_config', '--config')
    if not isinstance(made, ml_collections.ConfigDict):
      raise errors.UsageError(
        f'get_config() of {path} must return a ConfigDict, as '
        f'overlap.config.schema.study() gives it, got {type(made).__name__}.'
      )
    overrides_lib.apply(made.lock(), self._overrides)
    return made


def _define_config(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines --config; takes the flags that set its fields from `argv`."""
  overrides = overrides_lib.take(argv)
  given = _config_given(argv)
  if overrides and not given:
    raise errors.UsageError(
      f'--config.{overrides[0].path} must set a field of a config, and none is '
      'named: give --config=FILE.py too.'
    )
  flags.DEFINE(
    _ConfigParser(overrides), 'config', None,
    'the config file, FILE.py or FILE.py:ARGUMENT; any field can be set by '
    '--config.FIELD=VALUE, one of several values by VALUE,VALUE',
    flag_values=values,
  )  # fmt: skip


def _config_given(argv: Sequence[str]) -> bool:
  """Returns whether --config is among the words; its file must exist."""
  given = False
  # absl tells of a missing value late, and runs all configs of several.
  for word, following in zip(argv, [*argv[1:], '']):
    name, equals, value = word.partition('=')
    if name in ('--config', '-config'):
      given = True
      path = files.local_path(value if equals else following)
      path = path.partition(':')[0]
      if not os.path.isfile(path):
        raise errors.UsageError(
          f'--config must name a config file, got {path!r}, which is none. '
          f'{python_file.nearest(path)}'.rstrip()
        )
  return given


def define_model(values: flags.FlagValues) -> None:
  """Defines --model."""
  flags.DEFINE_string(
    'model', None, 'one model of the study; all if not given',
    flag_values=values,
  )  # fmt: skip


def workdir(values: flags.FlagValues) -> epath.Path:
  """The folder that --workdir names.

  Raises:
    UsageError: it was not given, or is of a scheme that can't be read.
    DataError: it is something else than a folder.
  """
  given = values['workdir'].value
  if not given or '\0' in given or not _is_utf8(given):
    got = repr(given) if given else 'nothing'
    raise errors.UsageError(
      f'--workdir must name a folder, in UTF-8, got {got}.'
    )
  files.check_scheme('--workdir', given)
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


def _is_utf8(path: str) -> bool:
  """Returns whether a path is in UTF-8, as TensorStore needs it."""
  try:
    path.encode()
  except UnicodeEncodeError:
    return False
  return True


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
    stages: stages to run.
    model: the one that they are run for; None for all.

  Raises:
    UsageError: see `schema.resolve`, `specs.check_specs` and `choose_config`.
    DataError: see `check_place` and `locks.workdir_lock`.
  """
  path, resolved = _checked(values)
  from overlap.distributed import processes
  from overlap.study import study
  from overlap.workdir import cleanup, layout

  layout.check_place(path)
  names = layout.claimed(resolved, stages, model)
  with claim(values, path, names):
    resume = values['resume'].value
    chosen = layout.choose_config(path, resolved, resume=resume)
    if processes.is_primary():
      cleanup.remove(path)
    yield study.Study(chosen, path, replace=resume == 'update')


def preview_study(values: flags.FlagValues) -> Any:
  """`open_study` as a `preview.Preview`; the workdir stays as it is."""
  path, resolved = _checked(values)
  from overlap.study import preview
  from overlap.workdir import layout

  resume = values['resume'].value
  chosen = layout.choose_config(path, resolved, resume=resume)
  return preview.Preview(chosen, path, replace=resume == 'update')


def claim(
  values: flags.FlagValues, path: epath.Path, names: Sequence[str]
) -> contextlib.AbstractContextManager[None]:
  """`locks.workdir_lock` for all processes of a run, by its primary."""
  import numpy as np

  from overlap.distributed import processes

  return locks.workdir_lock(
    path,
    names,
    wait=values['wait'].value,
    primary=processes.is_primary(),
    agree=lambda state: int(processes.broadcast(np.array(state, np.int32))),
  )


def _checked(values: flags.FlagValues) -> tuple[epath.Path, dict[str, Any]]:
  """The workdir and the study's config, before the folder is looked at."""
  path = workdir(values)
  if values['config'].value is None:
    raise errors.UsageError(
      '--config must name a config file, got nothing: try '
      '--config=configs/quickstart.py.'
    )
  resolved = schema.resolve(values['config'].value)

  # Not at the top: these import JAX, which a misspelt flag need not wait for.
  from overlap.distributed import processes
  from overlap.stages import analyse, thumbnails
  from overlap.study import specs

  processes.initialize(
    values['coordinator'].value,
    values['num_processes'].value,
    values['process_id'].value,
    values['model_groups'].value,
  )
  specs.check_specs(resolved)
  analyse.check_analyses(resolved)
  thumbnails.check_thumbnails(resolved)
  return path, resolved
