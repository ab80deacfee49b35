"""Orbax checkpoints: of a run under way, and of the model it ends with."""

import logging as std_logging
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath

from overlap import errors, parallel

# Orbax tells of every file it touches; what a run says of its checkpoints is
# the loop's to say.
for _name in ('absl', 'orbax'):
  std_logging.getLogger(_name).addFilter(
    lambda record: (
      'orbax' not in record.pathname or record.levelno >= std_logging.WARNING
    )
  )


def _together() -> ocp.options.MultiprocessingOptions:
  """Has Orbax wait for the processes that save together, and no others."""
  if parallel.model_groups() == 1:
    return ocp.options.MultiprocessingOptions()
  group = parallel.group()
  return ocp.options.MultiprocessingOptions(
    primary_host=group.start,
    active_processes=set(range(group.start, group.start + group.size)),
    barrier_sync_key_prefix=f'group{group.number}',
  )


def _alone() -> ocp.options.AsyncOptions:
  """Keeps groups that save at the same time out of each other's way.

  Orbax would have their processes tell each other of folders that are made, by
  numbers that several groups take for their own.
  """
  return ocp.options.AsyncOptions(
    create_directories_asynchronously=parallel.model_groups() == 1
  )


def _checkpointer() -> ocp.StandardCheckpointer:
  return ocp.StandardCheckpointer(
    multiprocessing_options=_together(), async_options=_alone()
  )


class RunCheckpoints:
  """The checkpoints of a run under way; the last one is kept."""

  def __init__(self, folder: epath.PathLike):
    folder = epath.Path(folder).absolute()
    if parallel.is_primary():
      folder.mkdir(parents=True, exist_ok=True)
    parallel.barrier(f'folder {folder}')
    self._manager = ocp.CheckpointManager(
      folder,
      options=ocp.CheckpointManagerOptions(
        max_to_keep=1,
        create=False,
        multiprocessing_options=_together(),
        async_options=_alone(),
      ),
    )

  def restore(self, template: Any) -> Any | None:
    """The last checkpoint, None where there is none.

    Args:
      template: `jax.ShapeDtypeStruct` leaves whose shardings say where what is
        read goes, however it lay when it was saved.
    """
    step = self._manager.latest_step()
    if step is None:
      return None
    return self._manager.restore(step, args=ocp.args.StandardRestore(template))

  def save(self, step: int, state: Any) -> None:
    """Saves asynchronously; a killed save leaves the one before.

    The state is copied to the host before this returns: the next step may take
    its memory.
    """
    self._manager.save(step, args=ocp.args.StandardSave(state))

  def wait(self) -> None:
    """Waits for what is being written."""
    self._manager.wait_until_finished()

  def close(self) -> None:
    """Waits, and ends the threads."""
    self.wait()
    self._manager.close()


def save_variables(path: epath.PathLike, variables: Any) -> None:
  """Writes a model's variables, whole or not at all, over an older copy."""
  with _checkpointer() as checkpointer:
    checkpointer.save(epath.Path(path).absolute(), variables, force=True)


def load_variables(path: epath.PathLike, template: Any) -> Any:
  """Reads variables saved by `save_variables`, as NumPy arrays.

  Args:
    path: the checkpoint.
    template: the same tree with `jax.ShapeDtypeStruct` leaves.

  Raises:
    DataError: there is none, or its leaves are not the template's.
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
  try:
    with _checkpointer() as checkpointer:
      return jax.device_get(checkpointer.restore(path, abstract))
  except (ValueError, OSError, KeyError) as e:
    reason = str(e).strip().split('\n')[0]
    raise errors.DataError(
      f'The checkpoint at {path} must be whole and of this model; train the '
      f'model again by deleting {path.parent}: {reason}'
    ) from e
