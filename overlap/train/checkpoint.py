"""Orbax checkpoints of runs in progress and of trained models."""

import contextlib
import functools
import logging as std_logging
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from overlap.core import checksums, errors, files
from overlap.distributed import meshes, processes
from overlap.models.checkpoints import orbax_folder, trees


def _is_for_users(record: std_logging.LogRecord) -> bool:
  """Returns whether a log record is not one of Orbax's internal messages.

  Orbax logs every file it touches, and every exception with its stack before
  raising it; the training loop logs what users need to know.
  """
  if 'orbax' not in record.pathname:
    return True
  # A group's own type handler is registered on purpose.
  expected = record.exc_info or 'Type handler registry' in str(record.msg)
  return record.levelno >= std_logging.WARNING and not expected


for _name in ('absl', 'orbax'):
  std_logging.getLogger(_name).addFilter(_is_for_users)


# Saves end in a thread at any time, so `orbax_folder.quiet` is not enough.
sys.unraisablehook = orbax_folder.but_late(sys.unraisablehook)

# Name under which Orbax saves the state within a step's folder.
_ITEM = 'default'


@contextlib.contextmanager
def _reported(rule: str, advice: str) -> Iterator[None]:
  """Turns exceptions of Orbax into a DataError of one line.

  Raises:
    DataError: the block raised an exception.
  """
  try:
    yield
  except errors.OverlapError:
    raise
  # Orbax and TensorStore raise many classes of exceptions.
  except Exception as e:
    reason = str(e).strip().partition('\n')[0].partition(' [')[0].rstrip('.')
    raise errors.DataError(f'{rule}, got: {reason}: {advice}.') from e


def _writing(path: epath.PathLike) -> contextlib.AbstractContextManager[None]:
  return _reported(
    f'A checkpoint must be written to {path}',
    f'{files.ADVICE}; the same command goes on from the one before',
  )


def _options(
  *, alone: bool, when_written: Callable[[], None] | None = None
) -> dict[str, Any]:
  """Options that make Orbax wait for the processes of the group only.

  Args:
    alone: whether this process saves or restores by itself.
    when_written: callback, called in Orbax's thread when a checkpoint's files
      are written.
  """
  groups = processes.model_groups() > 1
  options: dict[str, Any] = {}
  if when_written or groups:
    # Processes signal created folders to each other under operation numbers
    # that would collide between groups that save at the same time.
    options['async_options'] = ocp.options.AsyncOptions(
      post_finalization_callback=when_written,
      create_directories_asynchronously=not groups,
    )
  if groups:
    group = processes.group()
    first, size = group.start, group.size
    _write_from(first)
    if alone:
      first, size = jax.process_index(), 1
    options['multiprocessing_options'] = ocp.options.MultiprocessingOptions(
      primary_host=first,
      active_processes=set(range(first, first + size)),
      barrier_sync_key_prefix=f'processes{first}',
    )
  return options


@functools.lru_cache(maxsize=1)
def _write_from(process: int) -> None:
  """Makes Orbax write each array from one process, by default process 0."""
  handler = ocp.type_handlers.ArrayHandler(
    primary_host=process,
    # Otherwise replicas in other groups would be asked to write a part.
    use_replica_parallel=False,
    enable_write_sharding_file=False,
  )
  ocp.type_handlers.register_type_handler(jax.Array, handler, override=True)


class RunCheckpoints:
  """Checkpoints of a run in progress; only the last one is kept.

  `checkpoints.json` beside them has a digest of the last one's files, computed
  while training goes on; there is none on Cloud Storage, which verifies its
  objects itself. All methods raise a DataError if the file system fails.
  """

  def __init__(self, folder: epath.PathLike):
    """Opens the folder, creating it if absent."""
    self._folder = epath.Path(folder).absolute()
    self._saving = 0
    with _writing(self._folder):
      if processes.is_primary():
        self._folder.mkdir(parents=True, exist_ok=True)
    processes.barrier(f'folder {self._folder}')
    options = _options(alone=False, when_written=self._note)
    together = options.get('multiprocessing_options')
    handler = together and ocp.StandardCheckpointHandler(
      multiprocessing_options=together
    )
    with _writing(self._folder):
      self._manager = ocp.CheckpointManager(
        self._folder,
        item_handlers=handler,
        options=ocp.CheckpointManagerOptions(
          max_to_keep=1, create=False, **options
        ),
      )

  def restore(self, template: Any) -> Any | None:
    """Restores the last checkpoint; None if there is none.

    Args:
      template: `jax.ShapeDtypeStruct` leaves with the shardings to restore to,
        which may differ from those at saving.

    Raises:
      DataError: the checkpoint is damaged, or of another model.
    """
    step = self._manager.latest_step()
    if step is None:
      return None
    run = self._folder.parent
    advice = f'delete {run}, and it is trained from the beginning'
    rule = f'The checkpoint of step {step} in {self._folder} must be as saved'
    with _reported(rule, advice):
      wanted = self._digests(advice).get(str(step))
      made = self._folder / str(step) / _ITEM
      if wanted is not None and wanted != _files_digest(made):
        raise ValueError('other files')
      with orbax_folder.quiet():
        return self._manager.restore(
          step, args=ocp.args.StandardRestore(template)
        )

  def save(self, step: int, state: Any) -> None:
    """Saves asynchronously; if the save is killed, the previous one remains.

    The state is copied to the host before this returns, since the next step
    donates it.
    """
    if processes.model_groups() > 1:
      state = meshes.as_shared(state)
    with _writing(self._folder):
      # The previous save, with its digest, must finish before this one starts.
      self._manager.wait_until_finished()
      self._saving = step
      self._manager.save(step, args=ocp.args.StandardSave(state))

  def _note(self) -> None:
    """Records the files' digest; Orbax calls it before finalizing the step."""
    if '://' in os.fspath(self._folder) or not processes.is_primary():
      return
    step = str(self._saving)
    for made in (self._folder / step, *self._folder.glob(f'{step}.*')):
      if made.exists():
        self._keep(step, _files_digest(made / _ITEM))

  def _keep(self, step: str, made: str) -> None:
    last = str(self._manager.latest_step())
    known = self._digests('').get(last)
    sums = {step: made} if known is None else {last: known, step: made}
    checksums.write_json(self._notes, {'sha256': sums})

  @property
  def _notes(self) -> epath.Path:
    return self._folder.parent / 'checkpoints.json'

  def _digests(self, again: str) -> dict[str, str]:
    """Returns digests by step; {} for runs of older versions without any."""
    if not self._notes.exists():
      return {}
    return checksums.read_json(self._notes, again).get('sha256', {})

  def wait(self) -> None:
    """Waits for the save in progress."""
    with _writing(self._folder):
      self._manager.wait_until_finished()

  def close(self) -> None:
    """Waits for the save in progress and stops the threads."""
    self.wait()
    with _writing(self._folder):
      self._manager.close()


def _files_digest(folder: epath.Path) -> str:
  """SHA-256 of the names and contents of all files below a local folder."""
  return files.json_digest(
    {
      file.relative_to(folder).as_posix(): files.file_digest(file)
      for file in sorted(pathlib.Path(folder).rglob('*'))
      if file.is_file()
    }
  )


def save_variables(path: epath.PathLike, variables: Any) -> None:
  """Writes a model's variables atomically, replacing an older copy.

  Raises:
    DataError: the path can't be written.
  """
  path = epath.Path(path).absolute()
  options = _options(alone=True)
  if options:
    # Orbax writes host arrays from process 0 only.
    variables = jax.device_put(variables, jax.local_devices()[0])
    variables = meshes.as_shared(variables)
  if not options or processes.is_primary():
    with _writing(path), ocp.StandardCheckpointer(**options) as checkpointer:
      checkpointer.save(path, variables, force=True)


def named(variables: Any) -> dict[str, np.ndarray]:
  """Returns the leaves of a tree by name, such as 'params/head/kernel'."""
  found = trees.named(variables, trees.find(variables))
  return {name: np.asarray(leaf) for name, leaf in found.items()}


def digest(arrays: Mapping[str, np.ndarray]) -> str:
  """SHA-256 of the arrays' names, types, shapes and values, in any order."""
  return files.json_digest(
    {name: files.array_digest(value) for name, value in arrays.items()}
  )


def load_variables(
  path: epath.PathLike, template: Any, *, sha256: str | None = None
) -> Any:
  """Reads variables saved by `save_variables`, as NumPy arrays.

  Args:
    path: path of the checkpoint.
    template: the same tree with `jax.ShapeDtypeStruct` leaves.
    sha256: `digest` of the variables when saved; None if unknown.

  Raises:
    DataError: the checkpoint is missing, its leaves differ from the template,
      or the digest differs.
  """
  path = epath.Path(path).absolute()
  if not path.is_dir():
    raise errors.DataError(f'A checkpoint must be at {path}, and is not.')
  sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  abstract = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=sharding
    ),
    template,
  )
  again = (
    f'The checkpoint at {path} must be whole and of this model; train '
    f'{files.decode_name(path.parent.name)!r} again by deleting {path.parent}'
  )
  try:
    with (
      orbax_folder.quiet(),
      ocp.StandardCheckpointer(**_options(alone=True)) as checkpointer,
    ):
      variables = jax.device_get(checkpointer.restore(path, abstract))
  # Orbax and TensorStore raise many classes of exceptions.
  except Exception as e:
    reason = str(e).strip().split('\n')[0] or type(e).__name__
    raise errors.DataError(f'{again}: {reason}') from e
  if sha256 not in (None, digest(named(variables))):
    raise errors.DataError(f'{again}: its numbers are not those saved.')
  return variables
