"""Processes of one run, and groups of them that work concurrently.

Within `in_groups`, all functions refer to the processes of this process's
group: the first one is primary, and arrays are gathered, summed or sharded
among the members only.
"""

import contextlib
import functools
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from overlap.core import errors
from overlap.distributed import peers, sockets

# Seconds that processes wait for each other to start. After 300 JAX ends them
# with a stack trace; this ends them a little earlier with a message.
_JOIN_SECONDS = 290


class Group(NamedTuple):
  """Processes that work together.

  Attributes:
    number: index of the group, from 0.
    start: index of its first process.
    size: number of its processes.
  """

  number: int
  start: int
  size: int


_model_groups = 1
_group: Group | None = None


def initialize(
  coordinator: str,
  num_processes: int,
  process_id: int,
  model_groups: int = 1,
) -> None:
  """Joins the processes of one run; does nothing for a single process.

  Args:
    coordinator: HOST:PORT of process 0; 'auto' if a cluster (a TPU pod, SLURM,
      Open MPI, Kubernetes) tells each process its index; '' for one process.
    num_processes: number of processes, with HOST:PORT.
    process_id: index of this process, with HOST:PORT.
    model_groups: number of groups into which `in_groups` divides them.

  Raises:
    UsageError: 'auto' is given without a cluster or together with numbers, or
      the numbers do not fit together.
    DataError: the other processes can't be reached.
  """
  global _model_groups
  if coordinator == 'auto':
    if (num_processes, process_id) != (1, 0):
      raise errors.UsageError(
        '--coordinator=auto finds --num_processes and --process_id by itself, '
        f'got {num_processes} and {process_id}: leave them out.'
      )
    _join()
  elif not 0 <= process_id < num_processes:
    raise errors.UsageError(
      '--process_id must be at least 0 and below --num_processes, got '
      f'{process_id} and {num_processes}.'
    )
  elif coordinator:
    _check_address(coordinator)
    _join(
      coordinator_address=coordinator,
      num_processes=num_processes,
      process_id=process_id,
    )
  elif num_processes > 1:
    raise errors.UsageError(
      f"--num_processes={num_processes} needs --coordinator=HOST:PORT, got ''."
    )
  count = jax.process_count() if coordinator else 1
  if model_groups < 1 or count % model_groups:
    raise errors.UsageError(
      f'--model_groups must divide the number of processes ({count}), got '
      f'{model_groups}.'
    )
  _model_groups = model_groups


def _check_address(coordinator: str) -> None:
  # JAX would end the process for an invalid address.
  host, _, port = coordinator.rpartition(':')
  if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
    raise errors.UsageError(
      "--coordinator must be HOST:PORT or 'auto', a port being in 1..65535, "
      f'got {coordinator!r}.'
    )


def _join(**told: Any) -> None:
  """Joins JAX's processes, and connects them for failure detection."""
  # SIGTERM should end a process as usual; JAX would take it as the notice of a
  # preemption and go on.
  with contextlib.suppress(AttributeError):
    jax.config.update('jax_enable_preemption_service', False)
  where = told.get('coordinator_address', '')
  host = where.rpartition(':')[0].strip('[]')
  if host:
    told |= _listening(where, host, told['process_id'])
  logging.info('joining the other processes')
  with peers.deadline(
    _JOIN_SECONDS,
    f'the processes of this run did not all join {where or "the first"} '
    f'within {_JOIN_SECONDS} s: start every one of them, with the same '
    '--coordinator and --num_processes.',
  ):
    try:
      jax.distributed.initialize(**told)
    except ValueError as e:
      if told:
        raise
      raise errors.UsageError(
        '--coordinator=auto needs a cluster that tells each process what it '
        f'is (a TPU pod, SLURM, ...), and none was found: {e} Give HOST:PORT, '
        '--num_processes and --process_id instead.'
      ) from e
    except RuntimeError as e:
      raise errors.DataError(
        f'The processes of a run must be able to join {where}: '
        f'{str(e).splitlines()[0]}'
      ) from e
    if jax.process_count() > 1:
      # Communicate once while all processes are here: JAX allows 30 seconds for
      # opening connections, and later some processes may be busy for longer.
      peers.meet(
        jax.process_index(), jax.process_count(), broadcast_bytes, host
      )


def _listening(where: str, host: str, process_id: int) -> dict[str, str]:
  """Makes JAX listen on the requested address if it is this machine's.

  By default it listens on all addresses, and communication between CPUs uses
  the address of the host's name, which may be unreachable for others.

  Returns:
    Further arguments of `jax.distributed.initialize`.
  """
  own = host if process_id == 0 else sockets.own_address(host)
  if process_id == 0 and not sockets.is_own(host):
    logging.warning(
      '%s is no address of this machine: listening on all of its addresses',
      host,
    )
    return {}
  with contextlib.suppress(AttributeError, ImportError):
    from jax._src.lib import _jax

    # JAX has no option for it.
    make = _jax.make_gloo_tcp_collectives
    _jax.make_gloo_tcp_collectives = functools.partial(make, hostname=own)
  return {'coordinator_bind_address': where} if process_id == 0 else {}


def model_groups() -> int:
  """Returns the number of groups that `in_groups` makes."""
  return _model_groups


@contextlib.contextmanager
def in_groups() -> Iterator[Group]:
  """Context manager in which each group of processes works independently.

  The processes of the run synchronise before and after it.
  """
  global _group
  size = jax.process_count() // _model_groups
  number = jax.process_index() // size
  group = Group(number, number * size, size)
  if _model_groups == 1:
    yield group
    return
  barrier('before the groups')
  _group = group
  try:
    barrier('a group')  # Opens the group's connections while all are here.
    yield group
  finally:
    _group = None
  barrier('after the groups')


def group() -> Group:
  """Returns the processes that work together: all, or those of a group."""
  return _group or Group(0, 0, jax.process_count())


def is_primary() -> bool:
  """Returns whether this process writes what only one process writes."""
  return process_index() == 0


def process_index() -> int:
  """Returns the index of this process among those that work together."""
  return jax.process_index() - group().start


def process_count() -> int:
  """Returns the number of processes that work together."""
  return group().size


def devices() -> list[jax.Device]:
  """Returns the devices of the processes that work together."""
  own = group()
  members = range(own.start, own.start + own.size)
  return [d for d in jax.devices() if d.process_index in members]


def own_rows(count: int) -> tuple[int, int]:
  """Returns this process's equal share `(start, stop)` of `count` rows."""
  index, processes = process_index(), process_count()
  return index * count // processes, (index + 1) * count // processes


def own_batch(size: int) -> int:
  """This process's part of a batch over all devices, rounded up.

  Each device then computes as many examples at a time as it would beside as
  many devices of one process, and rounds alike.
  """
  return -(-size // process_count())


def barrier(name: str) -> None:
  """Waits for all processes to reach the barrier of this name."""
  if process_count() > 1:
    names = gather(np.asarray(zlib.crc32(name.encode()), np.uint32))
    if len(np.unique(names)) > 1:
      raise AssertionError(f'Not every process is at the barrier {name!r}.')


def broadcast(tree: Any) -> Any:
  """Returns the primary process's arrays, on every process."""
  if process_count() == 1:
    return tree
  return jax.tree.map(lambda leaf: gather(np.asarray(leaf))[0], tree)


def broadcast_bytes(content: bytes) -> bytes:
  """Returns the primary process's bytes, of any length, on every process."""
  # The length is sent as bytes, since JAX may truncate an int64.
  header = np.frombuffer(len(content).to_bytes(8, 'little'), np.uint8)
  size = int.from_bytes(broadcast(header).tobytes(), 'little')
  padded = np.zeros(size, np.uint8)
  if is_primary():
    padded[:] = np.frombuffer(content, np.uint8)
  return broadcast(padded).tobytes()


def gather(values: np.ndarray) -> np.ndarray:
  """All-gathers equally shaped arrays: `[processes, ...]` on each process."""
  by_process = sorted(devices(), key=lambda d: (d.process_index, d.id))
  mesh = Mesh(
    np.array(by_process).reshape(process_count(), -1),
    ('processes', 'local'),
    axis_types=(AxisType.Auto,) * 2,
  )
  spread = jax.make_array_from_process_local_data(
    NamedSharding(mesh, PartitionSpec('processes')),
    np.asarray(values)[np.newaxis],
    (process_count(), *values.shape),
  )
  return whole(spread)


def whole(values: jax.Array) -> np.ndarray:
  """All-gathers an array sharded over processes: in full on each process."""
  assert isinstance(values.sharding, NamedSharding)
  sharding = NamedSharding(values.sharding.mesh, PartitionSpec())
  gathered = jax.jit(_same, out_shardings=sharding)(values)
  return np.asarray(gathered.addressable_data(0))


def _same(values: jax.Array) -> jax.Array:
  return values


def gather_rows(rows: np.ndarray) -> np.ndarray:
  """All-gathers rows `[n_i, ...]`, in the order of the processes."""
  if process_count() == 1:
    return rows
  counts = gather(np.asarray(len(rows), np.int32))
  padded = np.zeros((int(counts.max()), *rows.shape[1:]), rows.dtype)
  padded[: len(rows)] = rows
  return np.concatenate([g[:n] for g, n in zip(gather(padded), counts)])


def gather_exact(rows: np.ndarray) -> np.ndarray:
  """All-gathers rows of float64 `[n_i, ...]`, which JAX would round."""
  if process_count() == 1:
    return rows
  words = np.ascontiguousarray(rows, np.float64).view(np.int32)
  return np.ascontiguousarray(gather_rows(words)).view(np.float64)


def sum_over_processes(values: np.ndarray) -> np.ndarray:
  """Sums int64 arrays of one shape over the processes, on each process."""
  if process_count() == 1:
    return values
  # As int32 halves: without 64-bit types JAX would truncate them.
  halves = np.ascontiguousarray(values, np.int64).reshape(-1).view(np.int32)
  summed = gather(halves).view(np.int64).sum(axis=0)
  return summed.reshape(values.shape)
