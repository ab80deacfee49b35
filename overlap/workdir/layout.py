"""Folder of a study: its config, its locks and its times."""

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap.config import schema
from overlap.core import checksums, errors, files, lookup, provenance, wording
from overlap.distributed import processes
from overlap.store import arrays
from overlap.workdir import timings

# Lock name of the results of the stages analyse and report.
TABLES = 'tables'
RESUME = ('same', 'update', 'original')
AGAIN = (
  'delete it, and `overlap study` with the config of this study writes it again'
)


def bind(path: epath.PathLike, chosen: Mapping[str, Any]) -> None:
  """Writes config.json if absent; call it before any result is written.

  Args:
    path: path of the workdir; created if absent.
    chosen: config from `choose_config`.

  Raises:
    DataError: the folder can't be written.
  """
  path = epath.Path(path)
  # One process decides for all, since others might see the file just written.
  if processes.broadcast(np.array(is_bound(path, chosen))):
    check_writable(path)
    return
  if processes.is_primary():
    checksums.write_json(
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
  processes.barrier('config.json')


def is_bound(path: epath.Path, chosen: Mapping[str, Any]) -> bool:
  """Returns whether config.json exists with the content `bind` would write.

  Raises:
    DataError: the file is damaged.
  """
  there = (path / 'config.json').exists() and _holds_results(path)
  return there and read_config(path) == chosen


def choose_config(
  path: epath.PathLike, resolved: Mapping[str, Any], *, resume: str
) -> dict[str, Any]:
  """Returns the config to use in a folder; writes nothing.

  Args:
    path: path of the workdir; may be absent.
    resolved: the study's config.
    resume: action if the folder was made by a different config: 'same' raises
      an error, 'update' uses the new one (and makes anew what depends on the
      changes), 'original' uses the old one.

  Raises:
    UsageError: the configs differ under 'same', or `resume` is unknown.
    DataError: the folder's config.json is damaged.
  """
  lookup.check_choice('way to resume (--resume)', resume, RESUME)
  path = epath.Path(path)
  file = path / 'config.json'
  if not (file.exists() and _holds_results(path)):
    return dict(resolved)
  old = read_config(path)
  changed = schema.differences(old, resolved)
  if changed and resume == 'same':
    raise errors.UsageError(
      f'{path} was made by another config and is left as it is; '
      f'{wording.counted(len(changed), "field")} '
      f'{wording.verb(len(changed), "differs", "differ")}: '
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
  """Checks that a folder could be created or written; writes nothing.

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
  """Returns the lock names of what stages make, for `locks.workdir_lock`.

  Args:
    resolved: the study's config.
    stages: stages to run.
    model: name of the only model to run them for; None for all.
  """
  names = set()
  if {'train', 'predict'} & set(stages):
    chosen = resolved['models'] if model is None else [model]
    names |= {f'model/{name}' for name in chosen}
  if {'analyse', 'report'} & set(stages):
    names.add(TABLES)
  return sorted(names)


def _holds_results(path: epath.Path) -> bool:
  """Returns whether the workdir has results that depend on the config."""
  return any((path / folder).exists() for folder in ('models', 'predictions'))


def check_writable(path: epath.PathLike) -> None:
  """Raises DataError unless files can be created in `path`."""
  probe = epath.Path(path) / f'.probe{processes.process_index()}'
  files.write_bytes(probe, b'')
  # A concurrent run may have removed it already.
  probe.unlink(missing_ok=True)


def read_config(path: epath.PathLike) -> dict[str, Any]:
  """Returns the config by which a folder was made.

  Raises:
    DataError: config.json is missing or damaged.
  """
  return _read(epath.Path(path) / 'config.json')['config']


def _read(file: epath.Path) -> dict[str, Any]:
  """Returns the contents of config.json.

  Raises:
    DataError: the file is damaged, or has no config.
  """
  held = checksums.read_json(file, AGAIN)
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
  """Records the time of a stage and the peak memory so far."""
  if not processes.is_primary():
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
  """Returns the time in UTC, to the second."""
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
