"""Orbax checkpoints: of a run under way, and of the model it ends with."""

import contextlib
import logging as std_logging
from collections.abc import Iterator
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath

from overlap import errors


def _is_for_users(record: std_logging.LogRecord) -> bool:
  """Whether a line of the log is not Orbax's talk to itself.

  It tells of every file it touches; what a run says of its checkpoints is the
  loop's to say. And what it raises it has logged before, stack and all.
  """
  if 'orbax' not in record.pathname:
    return True
  return record.levelno >= std_logging.WARNING and not record.exc_info


for _name in ('absl', 'orbax'):
  std_logging.getLogger(_name).addFilter(_is_for_users)


# What Orbax and TensorStore raise where a file system fails.
_FAULTS = (OSError, ValueError, RuntimeError, LookupError)


@contextlib.contextmanager
def _reported(rule: str, advice: str) -> Iterator[None]:
  """Turns what Orbax raises into one line.

  Raises:
    DataError: something within raised.
  """
  try:
    yield
  except _FAULTS as e:
    reason = str(e).strip().partition('\n')[0].partition(' [')[0].rstrip('.')
    raise errors.DataError(f'{rule}, got: {reason}: {advice}.') from e


def _writing(path: epath.PathLike) -> contextlib.AbstractContextManager[None]:
  return _reported(
    f'A checkpoint must be written to {path}',
    'see to the space and the rights there; the same command goes on from the '
    'one before',
  )


class RunCheckpoints:
  """The checkpoints of a run under way; the last one is kept.

  All of its methods raise a DataError where the file system is at fault.
  """

  def __init__(self, folder: epath.PathLike):
    """Opens a folder, which is made where it is absent."""
    self._folder = epath.Path(folder).absolute()
    with _writing(self._folder):
      self._manager = ocp.CheckpointManager(
        self._folder,
        options=ocp.CheckpointManagerOptions(max_to_keep=1, create=True),
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
    with _reported(
      f'The checkpoint of step {step} in {self._folder} must be readable',
      'delete that folder to begin this training anew',
    ):
      return self._manager.restore(
        step, args=ocp.args.StandardRestore(template)
      )

  def save(self, step: int, state: Any) -> None:
    """Saves asynchronously; a killed save leaves the one before.

    The state is copied to the host before this returns: the next step may take
    its memory.
    """
    with _writing(self._folder):
      self._manager.save(step, args=ocp.args.StandardSave(state))

  def wait(self) -> None:
    """Waits for what is being written."""
    with _writing(self._folder):
      self._manager.wait_until_finished()

  def close(self) -> None:
    """Waits, and ends the threads."""
    self.wait()
    with _writing(self._folder):
      self._manager.close()


def save_variables(path: epath.PathLike, variables: Any) -> None:
  """Writes a model's variables, whole or not at all, over an older copy.

  Raises:
    DataError: the place can't be written.
  """
  path = epath.Path(path).absolute()
  with _writing(path), ocp.StandardCheckpointer() as checkpointer:
    checkpointer.save(path, variables, force=True)


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
    with ocp.StandardCheckpointer() as checkpointer:
      return jax.device_get(checkpointer.restore(path, abstract))
  except (ValueError, OSError, KeyError) as e:
    reason = str(e).strip().split('\n')[0]
    raise errors.DataError(
      f'The checkpoint at {path} must be whole and of this model; train the '
      f'model again by deleting {path.parent}: {reason}'
    ) from e
