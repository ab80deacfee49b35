"""Work units of a sweep: one `overlap` command each."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from overlap.cli import main as cli
from overlap.config import schema, sweep_study, sweeps
from overlap.config.sweeps import Item
from overlap.core import errors, files, lookup

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SWEPT = 'configs/swept.py'
# Fields that do not change results: location of the data and reading threads.
_IMMATERIAL = ('data.data_dir', 'data.num_threads', 'transfer.data_dir')


@dataclasses.dataclass(frozen=True)
class Unit:
  """One command, which is run until it has exited with status 0 once.

  Attributes:
    name: name of its item, safe as a file name.
    words: arguments of the program.
    after: names of the units that must be done before.
    digest: hash of everything that determines its results.
  """

  name: str
  words: tuple[str, ...]
  after: tuple[str, ...] = ()
  digest: str = ''


@dataclasses.dataclass(frozen=True)
class Sweep:
  """Units, and arguments of the command that compares them; () for none."""

  units: tuple[Unit, ...]
  compare: tuple[str, ...] = ()


def make_units(
  config_path: str,
  sweep_path: str,
  workdir: str,
  *,
  further: Sequence[str] = (),
  stages: Sequence[str] = ('train', 'predict'),
) -> Sweep:
  """Returns the units of a sweep over a config, after checking all of them.

  If items are models, all units share one workdir, each for its model, so that
  one study compares them; models that they depend on (the base of variants,
  teachers) are units too. If items are fields of the whole study, each unit is
  a study in its own folder, WORKDIR/units/NAME.

  Args:
    config_path: path of the config, FILE.py or FILE.py:ARGUMENT.
    sweep_path: path of the sweep file.
    workdir: folder of the study, absolute or gs://.
    further: additional flags for every command.
    stages: stages that the units of models run.

  Raises:
    UsageError: the sweep, the config or the flags would make a command fail
      at its start.
  """
  items = sweeps.load(sweep_path)
  config_path, sweep_path = from_root(config_path), from_root(sweep_path)
  of_models = [bool(item.model) for item in items]
  if all(of_models):
    if any(item.variant_of for item in items):
      config_path = f'{_SWEPT}:{config_path}+{sweep_path}'
      items = []  # Stands for all models of that study.
    base = ('study', f'--config={config_path}', f'--workdir={workdir}')
    one = ('--stages=' + ','.join(stages), *further)
    return Sweep(_of_models(base, one, items), (*base, *further))
  if any(of_models):
    raise errors.UsageError(
      'The items of a sweep must be all of models or all of the whole study, '
      f'got {items[of_models.index(True)].name!r} and '
      f'{items[of_models.index(False)].name!r}.'
    )
  return Sweep(
    tuple(_of_study(config_path, workdir, item, further) for item in items)
  )


def from_root(path: str) -> str:
  """Returns a path relative to the project's folder if it is inside."""
  name, colon, arg = path.partition(':')
  file = pathlib.Path(name).resolve()
  if file.is_relative_to(ROOT):
    file = file.relative_to(ROOT)
  return f'{file}{colon}{arg}'


def flag(path: str, value: Any) -> str:
  """Returns the flag that sets a field: '--config.models.vit.seed=1'."""
  if isinstance(value, (list, tuple)):
    value = tuple(value)
  return f'--config.{path}={value}'


def _of_models(
  base: Sequence[str], one: Sequence[str], items: Sequence[Item]
) -> tuple[Unit, ...]:
  """Returns units of the items' models and their dependencies.

  Without items, there is a unit for each model.
  """
  resolved = _checked((*base, *one))
  every = resolved['models']
  for item in items:
    lookup.check_choice('model of this study', item.model, every)
  wanted = [item.model for item in items] or list(every)
  names = [
    name
    for name in _in_order(every, wanted)
    if every[name]['source'] != 'store'
  ]
  return tuple(
    Unit(
      sweeps.safe(name),
      (*base, *one, f'--model={name}'),
      after=tuple(
        sweeps.safe(n) for n in sweep_study.needed(every[name]) if n in names
      ),
      digest=_digest(resolved, every, name, one[0]),
    )
    for name in names
  )


def _in_order(every: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
  """Returns models and their dependencies, in topological order."""
  order: dict[str, None] = {}

  def visit(name: str) -> None:
    if name not in order and name in every:
      for before in sweep_study.needed(every[name]):
        visit(before)
      order[name] = None

  for name in wanted:
    visit(name)
  return list(order)


def _digest(
  resolved: Mapping[str, Any], every: Mapping[str, Any], name: str, stages: str
) -> str:
  parts = {n: every[n] for n in _in_order(every, [name])}
  data = {
    key: value
    for key, value in resolved['data'].items()
    if f'data.{key}' not in _IMMATERIAL
  }
  return files.digest([name, stages, parts, data])


def _of_study(
  config_path: str, workdir: str, item: Item, further: Sequence[str]
) -> Unit:
  words = (
    'study',
    f'--config={config_path}',
    f'--workdir={workdir}/units/{item.name}',
    *(flag(path, value) for path, value in item.overrides.items()),
    *further,
  )
  flat = schema.flatten(_checked(words))
  for path in _IMMATERIAL:
    flat.pop(path, None)
  return Unit(item.name, words, digest=files.digest(flat))


def _checked(words: Sequence[str]) -> dict[str, Any]:
  """Returns the config that a command would use, with the same checks."""
  with contextlib.chdir(ROOT):  # The command will run there.
    values = cli.parse(words)
  resolved = schema.resolve(values['config'].value)
  # Imported here since it imports JAX, which would delay errors in flags.
  from overlap.study import specs

  specs.check_specs(resolved)
  return resolved
