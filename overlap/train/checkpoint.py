"""Orbax checkpoints: of a run under way, and of the model it ends with."""

import functools
import logging as std_logging
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath

from overlap import errors, parallel

# Orbax tells of every file it touches; what a run says of its checkpoints is
# the loop's to say. That groups have a handler of their own is as it should be.
for _name in ('absl', 'orbax'):
  std_logging.getLogger(_name).addFilter(
    lambda record: (
      'orbax' not in record.pathname
      or (
        record.levelno >= std_logging.WARNING
        and 'Type handler registry' not in str(record.msg)
      )
    )
  )


def _options(*, alone: bool) -> dict[str, Any]:
  """Has Orbax wait for the processes that work together, and no others.

  Args:
    alone: whether this process saves or restores by itself.
  """
  if parallel.model_groups() == 1:
    return {}
  group = parallel.group()
  first, size = (jax.process_index(), 1) if alone else (group.start, group.size)
  _write_from(group.start)
  return {
    'multiprocessing_options': ocp.options.MultiprocessingOptions(
      primary_host=first,
      active_processes=set(range(first, first + size)),
      barrier_sync_key_prefix=f'processes{first}',
    ),
    # Else processes would tell each other of folders that are made, by numbers
    # that groups which save at the same time take for their own.
    'async_options': ocp.options.AsyncOptions(
      create_directories_asynchronously=False
    ),
  }


@functools.lru_cache(maxsize=1)
def _write_from(process: int) -> None:
  """Has Orbax begin each array in a process: in process 0 by default."""
  handler = ocp.type_handlers.ArrayHandler(
    primary_host=process,
    # Else copies that lie with other groups would be asked to write a part.
    use_replica_parallel=False,
    enable_write_sharding_file=False,
  )
  ocp.type_handlers.register_type_handler(jax.Array, handler, override=True)


class RunCheckpoints:
  """The checkpoints of a run under way; the last one is kept."""

  def __init__(self, folder: epath.PathLike):
    folder = epath.Path(folder).absolute()
    if parallel.is_primary():
      folder.mkdir(parents=True, exist_ok=True)
    parallel.barrier(f'folder {folder}')
    options = _options(alone=False)
    together = options.get('multiprocessing_options')
    handler = together and ocp.StandardCheckpointHandler(
      multiprocessing_options=together
    )
    self._manager = ocp.CheckpointManager(
      folder,
      item_handlers=handler,
      options=ocp.CheckpointManagerOptions(
        max_to_keep=1, create=False, **options
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
    if parallel.model_groups() > 1:
      state = parallel.as_shared(state)
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
  options = _options(alone=True)
  if options:
    # Of what lies on the host Orbax writes what process 0 has, and no other.
    variables = jax.device_put(variables, jax.local_devices()[0])
    variables = parallel.as_shared(variables)
  if not options or parallel.is_primary():
    with ocp.StandardCheckpointer(**options) as checkpointer:
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
    with ocp.StandardCheckpointer(**_options(alone=True)) as checkpointer:
      return jax.device_get(checkpointer.restore(path, abstract))
  except (ValueError, OSError, KeyError) as e:
    reason = str(e).strip().split('\n')[0]
    raise errors.DataError(
      f'The checkpoint at {path} must be whole and of this model; train the '
      f'model again by deleting {path.parent}: {reason}'
    ) from e
