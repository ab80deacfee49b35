"""A study's folder: which config made it, what is done, what it cost."""

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap import (
  config,
  errors,
  files,
  lookup,
  parallel,
  plurals,
  provenance,
  sealed,
)
from overlap.store import arrays
from overlap.study import timings

# What the stages analyse and report make, as a claim names it.
TABLES = 'tables'
RESUME = ('same', 'update', 'original')
AGAIN = (
  'delete it, and `overlap study` with the config of this study writes it again'
)


def bind(path: epath.PathLike, chosen: Mapping[str, Any]) -> None:
  """Writes config.json, unless it is there; before any result is written.

  Args:
    path: the folder; made where it is absent.
    chosen: config from `choose_config`.

  Raises:
    DataError: the folder can't be written.
  """
  path = epath.Path(path)
  # One process looks for all: to another it may be there by now.
  if parallel.broadcast(np.array(is_bound(path, chosen))):
    check_writable(path)
    return
  if parallel.is_primary():
    sealed.write(
      path / 'config.json',
      {
        'config': chosen,
        'config_hash': files.digest(chosen),
        'versions': provenance.versions(),
        'device': provenance.device(),
        'git_revision': provenance.git_revision(),
        'created': now(),
      },
    )
  parallel.barrier('config.json')


def is_bound(path: epath.Path, chosen: Mapping[str, Any]) -> bool:
  """Returns whether config.json is there, and holds what `bind` would write.

  Raises:
    DataError: it is damaged.
  """
  there = (path / 'config.json').exists() and _holds_results(path)
  return there and read_config(path) == chosen


def choose_config(
  path: epath.PathLike, resolved: Mapping[str, Any], *, resume: str
) -> dict[str, Any]:
  """The config to work with in a folder, nothing of which is changed.

  Args:
    path: the folder; may be absent.
    resolved: the study's config.
    resume: where the folder was made by a config with other fields: 'same'
      refuses, 'update' goes on with the new one (what its changes touch is
      made again), 'original' goes on with the old one.

  Raises:
    UsageError: the configs differ under 'same', or an unknown `resume`.
    DataError: the folder's config.json is damaged.
  """
  lookup.check('way to resume (--resume)', resume, RESUME)
  path = epath.Path(path)
  file = path / 'config.json'
  if not (file.exists() and _holds_results(path)):
    return dict(resolved)
  old = read_config(path)
  changed = config.differences(old, resolved)
  if changed and resume == 'same':
    raise errors.UsageError(
      f'{path} was made by another config and is left as it is; '
      f'{plurals.counted(len(changed), "field")} '
      f'{plurals.verb(len(changed), "differs", "differ")}: '
      f'{"; ".join(changed[:5])}'
      f'{"; ..." if len(changed) > 5 else ""}. Choices: --resume=update '
      '(keep what is unchanged, make the rest again), --resume=original '
      '(go on with the config it was made by), or another --workdir.'
    )
  if changed and resume == 'original':
    logging.info('going on with the config of %s', file)
    return old
  return dict(resolved)


def check_place(path: epath.PathLike) -> None:
  """Looks whether a folder could be made or written, and writes nothing.

  Raises:
    DataError: it could not.
  """
  if not arrays.is_local(path):
    return
  place = os.path.abspath(path)
  while not os.path.lexists(place):
    place = os.path.dirname(place)
  if not os.path.isdir(place):
    reason = f'{place} is no folder'
  elif not os.access(place, os.W_OK | os.X_OK):
    reason = f'{place} is not'
  else:
    return
  raise errors.DataError(f'{path} must be writable, got: {reason}.')


def claimed(
  resolved: Mapping[str, Any], stages: Sequence[str], model: str | None
) -> list[str]:
  """Returns what stages of a study make, as `claims.held` takes it.

  Args:
    resolved: the study's config.
    stages: stages to run.
    model: the one that they are run for; None for all.
  """
  names = set()
  if {'train', 'predict'} & set(stages):
    chosen = resolved['models'] if model is None else [model]
    names |= {f'model/{name}' for name in chosen}
  if {'analyse', 'report'} & set(stages):
    names.add(TABLES)
  return sorted(names)


def _holds_results(path: epath.Path) -> bool:
  """Returns whether the workdir holds results that depend on the config."""
  return any((path / folder).exists() for folder in ('models', 'predictions'))


def check_writable(path: epath.PathLike) -> None:
  """Raises DataError unless files can be made in `path`."""
  probe = epath.Path(path) / f'.probe{parallel.process_index()}'
  files.write_bytes(probe, b'')
  # Of two runs in one folder, another may have been quicker.
  probe.unlink(missing_ok=True)


def read_config(path: epath.PathLike) -> dict[str, Any]:
  """The config a folder was made by.

  Raises:
    DataError: it was made by none, or config.json is damaged.
  """
  return _read(epath.Path(path) / 'config.json')['config']


def _read(file: epath.Path) -> dict[str, Any]:
  """Returns the contents of config.json.

  Raises:
    DataError: it is damaged, or holds no config.
  """
  held = sealed.read(file, AGAIN)
  if not isinstance(held.get('config'), dict):
    raise errors.DataError(f'{file} must hold a config, got none: {AGAIN}.')
  return held


def model_folder(path: epath.PathLike, name: str) -> epath.Path:
  """Returns the folder of a model's checkpoint and model.json."""
  return epath.Path(path) / 'models' / files.encode_name(name)


def add_timing(
  path: epath.PathLike,
  stage: str,
  model: str | None,
  seconds: float,
  *,
  split: str | None = None,
) -> None:
  """Notes in the workdir what a stage took, and the most memory until then."""
  if not parallel.is_primary():
    return
  timings.add(
    path,
    {
      'stage': stage,
      'model': model,
      'split': split,
      'seconds': round(seconds, 3),
      'finished': now(),
      'peak_memory_bytes': provenance.peak_memory_bytes(),
    },
  )


def now() -> str:
  """The time in UTC, to the second."""
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
