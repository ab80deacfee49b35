"""Orbax checkpoints: of a run under way, and of the model it ends with."""

import functools
import hashlib
import logging as std_logging
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from overlap import errors, files, parallel, sealed
from overlap.models.checkpoints import orbax_folder, trees

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
  """The checkpoints of a run under way; the last one is kept.

  Beside them, `checkpoints.json` has the digest of each: Orbax has none.
  """

  def __init__(self, folder: epath.PathLike):
    self._folder = epath.Path(folder).absolute()
    if parallel.is_primary():
      self._folder.mkdir(parents=True, exist_ok=True)
    parallel.barrier(f'folder {self._folder}')
    options = _options(alone=False)
    together = options.get('multiprocessing_options')
    handler = together and ocp.StandardCheckpointHandler(
      multiprocessing_options=together
    )
    self._manager = ocp.CheckpointManager(
      self._folder,
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

    Raises:
      DataError: it is damaged, or of another model.
    """
    step = self._manager.latest_step()
    if step is None:
      return None
    run = self._folder.parent
    again = (
      f'The checkpoint of step {step} in {self._folder} must be as it was '
      f'saved: delete {run}, and it is trained from the beginning'
    )
    try:
      with orbax_folder.quiet():
        state = self._manager.restore(
          step, args=ocp.args.StandardRestore(template)
        )
      wanted = self._digests().get(str(step))
    except errors.DataError:
      raise
    # Orbax and TensorStore raise classes from many places.
    except Exception as e:
      reason = str(e).strip().split('\n')[0] or type(e).__name__
      raise errors.DataError(f'{again}: {reason}') from e
    if parallel.process_count() == 1 and wanted not in (
      None,
      _state_digest(state),
    ):
      raise errors.DataError(f'{again}: its numbers are others.')
    return state

  def save(self, step: int, state: Any) -> None:
    """Saves asynchronously; a killed save leaves the one before.

    The state is copied to the host before this returns: the next step may take
    its memory.
    """
    # Of several processes none has all of a state that is spread over them.
    if parallel.process_count() == 1:
      # The one before counts until this one is through.
      self.wait()
      last = self._manager.latest_step()
      held = self._digests().get(str(last))
      known = {} if held is None else {str(last): held}
      sealed.write(
        self._notes, {'sha256': known | {str(step): _state_digest(state)}}
      )
    if parallel.model_groups() > 1:
      state = parallel.as_shared(state)
    self._manager.save(step, args=ocp.args.StandardSave(state))

  @property
  def _notes(self) -> epath.Path:
    return self._folder.parent / 'checkpoints.json'

  def _digests(self) -> dict[str, str]:
    """Digests by step; none where a program of before they were wrote."""
    if not self._notes.exists():
      return {}
    run = self._folder.parent
    again = f'delete {run}, and it is trained from the beginning'
    return sealed.read(self._notes, again).get('sha256', {})

  def wait(self) -> None:
    """Waits for what is being written."""
    self._manager.wait_until_finished()

  def close(self) -> None:
    """Waits, and ends the threads."""
    self.wait()
    self._manager.close()


def _state_digest(state: Any) -> str:
  leaves, _ = jax.tree_util.tree_flatten_with_path(state)
  return digest(
    {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
  )


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


def named(variables: Any) -> dict[str, np.ndarray]:
  """The arrays of a tree by name, such as 'params/head/kernel'."""
  found = trees.named(variables, trees.find(variables))
  return {name: np.asarray(leaf) for name, leaf in found.items()}


def digest(arrays: Mapping[str, np.ndarray]) -> str:
  """SHA-256 of arrays, their types, shapes and names, in any order."""
  sums = {name: files.array_digest(value) for name, value in arrays.items()}
  return hashlib.sha256(files.canonical_json(sums).encode()).hexdigest()


def load_variables(
  path: epath.PathLike, template: Any, *, sha256: str | None = None
) -> Any:
  """Reads variables saved by `save_variables`, as NumPy arrays.

  Args:
    path: the checkpoint.
    template: the same tree with `jax.ShapeDtypeStruct` leaves.
    sha256: their `digest` when they were saved, where it is known.

  Raises:
    DataError: there is none, its leaves are not the template's, or they are
      not as they were saved.
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
  # Orbax and TensorStore raise classes from many places.
  except Exception as e:
    reason = str(e).strip().split('\n')[0] or type(e).__name__
    raise errors.DataError(f'{again}: {reason}') from e
  if sha256 not in (None, digest(named(variables))):
    raise errors.DataError(f'{again}: its numbers are not those saved.')
  return variables
