"""Arrays and computations on the devices of several processes.

Training is `jax.jit` over a mesh of all their devices: the batch is sharded by
example and the training state is replicated or fully sharded, so statistics
and negatives are those of the global batch. Prediction is `jax.pmap` over this
process's devices: each process works through its own rows.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from overlap.core import errors
from overlap.distributed import processes

# Shardings of the training state: replicated on all devices, or each leaf
# sharded along its largest divisible axis ('fully sharded data parallel').
SHARDINGS = ('replicated', 'fsdp')

# Batches in flight on the devices: the next one is sent while the last one
# computes, and no more, so that memory does not grow.
_IN_FLIGHT = 2


def mesh() -> Mesh:
  """Returns the mesh of all devices of all processes along an axis 'data'."""
  return _mesh(processes.group())


@functools.cache
def _mesh(group: processes.Group) -> Mesh:
  everywhere = group.size == jax.process_count()
  devices = None if everywhere else processes.devices()
  count = jax.device_count() if devices is None else len(devices)
  return jax.make_mesh(
    (count,), ('data',), axis_types=(AxisType.Auto,), devices=devices
  )


def device_count() -> int:
  """Returns the number of devices of the processes that work together."""
  return mesh().size


def use_cpu_devices(count: int) -> None:
  """Divides the CPU into so many devices; nothing to do once JAX is at work."""
  with contextlib.suppress(RuntimeError):
    jax.config.update('jax_num_cpu_devices', count)


def check_batch_size(batch_size: int, *, parts: int = 1) -> None:
  """Checks that all devices get equally many examples.

  Args:
    batch_size: number of examples over all devices.
    parts: number of parts per batch (gradient accumulation).

  Raises:
    UsageError: the batch is not divisible.
  """
  if parts < 1:
    raise errors.UsageError(
      f'accumulate_steps must be at least 1, got {parts}.'
    )
  if batch_size < 1 or batch_size % (device_count() * parts):
    times = f' times accumulate_steps={parts}' if parts > 1 else ''
    raise errors.UsageError(
      'A training batch must be a multiple of the number of devices '
      f'({device_count()}){times}, got batch_size={batch_size}.'
    )


def shardings(tree: Any, kind: str = 'replicated') -> Any:
  """Returns the sharding of each leaf of the training state on the mesh.

  Args:
    tree: tree of arrays or `jax.ShapeDtypeStruct`.
    kind: name from `SHARDINGS`.
  """
  whole = NamedSharding(mesh(), PartitionSpec())

  def cut(leaf: Any) -> NamedSharding:
    lengths = [n if n % mesh().size == 0 else 0 for n in leaf.shape]
    if not any(lengths):
      return whole
    axes: list[str | None] = [None] * len(lengths)
    axes[int(np.argmax(lengths))] = 'data'
    return NamedSharding(mesh(), PartitionSpec(*axes))

  return jax.tree.map(cut if kind == 'fsdp' else lambda _: whole, tree)


def place(tree: Any, kind: str = 'replicated') -> Any:
  """Places arrays that every process has in full as `shardings` says."""
  if processes.process_count() == 1:
    # A copy, never an alias: steps donate their inputs.
    return jax.device_put(tree, shardings(tree, kind), may_alias=False)

  def put(leaf: Any, sharding: NamedSharding) -> jax.Array:
    whole = np.asarray(leaf)
    return jax.make_array_from_callback(
      whole.shape, sharding, lambda index: np.array(whole[index])
    )

  tree = jax.tree.map(lambda leaf: np.asarray(leaf), tree)
  return jax.tree.map(put, tree, shardings(tree, kind))


def replicate(tree: Any) -> Any:
  """Replicates a pytree on all devices of the mesh, for a jitted step."""
  return place(tree)


def constrain(tree: Any, kind: str = 'replicated') -> Any:
  """Constrains a tree within `jit` to its `shardings`."""
  return jax.lax.with_sharding_constraint(tree, shardings(tree, kind))


def abstract(function: Callable[..., Any], *args: Any, kind: str) -> Any:
  """Returns the result of `build` as shapes with shardings."""
  shapes = jax.eval_shape(function, *args)
  return jax.tree.map(
    lambda leaf, sharding: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=sharding
    ),
    shapes,
    shardings(shapes, kind),
  )


def build(function: Callable[..., Any], *args: Any, kind: str) -> Any:
  """Builds a sharded tree from host arrays, never in full on one device.

  Args:
    function: function of `args` that returns the training state.
    *args: trees that every process has in full.
    kind: name from `SHARDINGS`, for the arguments and for the result.
  """
  places = shardings(jax.eval_shape(function, *args), kind)
  made = jax.jit(
    function, out_shardings=places, donate_argnums=tuple(range(len(args)))
  )
  return made(*place(args, kind))


def fetch(tree: Any) -> Any:
  """Returns a tree on the mesh as full NumPy arrays, on every process."""
  if processes.process_count() == 1:
    return jax.device_get(tree)

  # Leaf by leaf: a sharded tree may not fit on one device.
  def gather(leaf: jax.Array) -> np.ndarray:
    if leaf.is_fully_replicated:
      return np.asarray(leaf)
    return processes.whole(leaf)

  return jax.tree.map(gather, tree)


def as_shared(tree: Any) -> Any:
  """Presents this process's arrays as one of two replicas.

  The other replica, on another process's devices, is never read. Orbax needs
  this, as it does not save arrays on the devices of a single process.

  Args:
    tree: tree of arrays on devices; arrays on several processes stay as they
      are.
  """
  return jax.tree.map(_as_shared, tree)


def _as_shared(leaf: jax.Array) -> jax.Array:
  if not leaf.is_fully_addressable:
    return leaf
  spec = PartitionSpec()
  own: list[jax.Device] = list(leaf.devices())
  if isinstance(leaf.sharding, NamedSharding):
    spec, own = leaf.sharding.spec, list(leaf.sharding.mesh.devices.flat)
  others = [d for d in jax.devices() if d.process_index != jax.process_index()]
  copies = Mesh(
    np.array([own, others[: len(own)]]),
    ('copies', 'data'),
    axis_types=(AxisType.Auto,) * 2,
  )
  return jax.make_array_from_single_device_arrays(
    leaf.shape,
    NamedSharding(copies, spec),
    [shard.data for shard in leaf.addressable_shards],
  )


def shard(batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
  """Shards this process's part of a batch over its devices, by example."""
  sharding = NamedSharding(mesh(), PartitionSpec('data'))
  return {
    name: jax.make_array_from_process_local_data(sharding, values)
    for name, values in batch.items()
  }


def shard_columns(tree: Any) -> Any:
  """Shards arrays `[..., n]` over all devices along their last axis.

  Args:
    tree: columns of this process, those of its first device first; all
      processes have equally many, see `padded_columns`.
  """

  def spread(leaf: np.ndarray) -> jax.Array:
    sharding = NamedSharding(mesh(), _last_axis(leaf))
    return jax.make_array_from_process_local_data(sharding, leaf)

  return jax.tree.map(spread, tree)


def local_parts(count: int) -> list[slice]:
  """Divides this process's rows among its devices, in their order.

  Rows that the processes share by `own_rows` lie on the same devices as those
  of one process with as many devices, where all processes have equally many.

  Args:
    count: number of rows that this process has.
  """
  devices = jax.local_device_count()
  bounds = [index * count // devices for index in range(devices + 1)]
  return [slice(*pair) for pair in itertools.pairwise(bounds)]


def padded_columns(counts: Sequence[int]) -> int:
  """Returns the number of columns to pad to, common to all processes.

  Args:
    counts: number of columns that each device of this process has.
  """
  most = processes.gather_rows(np.asarray([max(counts)]))
  return int(most.max()) * jax.local_device_count()


def sum_in_order(parts: Iterable[np.ndarray]) -> np.ndarray:
  """Sums float64 arrays over all devices, in the order of the devices.

  The sum is rounded in the same way however many processes have the devices.

  Args:
    parts: arrays of one shape, one for each device of this process.
  """
  if processes.process_count() > 1:
    parts = processes.gather_exact(np.stack(list(parts)))
  return functools.reduce(np.add, parts)


def jit_summed(function: Callable[..., Any], **options: Any) -> Any:
  """Compiles a function of sharded arrays with replicated results.

  Sums over examples become sums over the devices of all processes.

  Args:
    function: function of arrays from `shard_columns` and `replicate`.
    **options: options of `jax.jit`.
  """
  return jax.jit(
    function, out_shardings=NamedSharding(mesh(), PartitionSpec()), **options
  )


def sum_over_columns(
  function: Callable[..., Any], whole: Any, spread: Any
) -> Any:
  """Within `jit`: sums what a function makes of each device's columns.

  On CPUs in the order of the devices, so that the sum is rounded in the same
  way however many processes have them: the collectives within a process and
  between processes add in different orders.

  Args:
    function: `(whole, spread) -> sums`, a tree.
    whole: arrays that every device has.
    spread: a tree of arrays as `shard_columns` spreads them.
  """
  if mesh().size == 1:
    return function(whole, spread)
  ordered = mesh().devices.flat[0].platform == 'cpu'

  def add(leaf: jax.Array) -> jax.Array:
    if not ordered:
      return jax.lax.psum(leaf, 'data')
    return functools.reduce(jnp.add, jax.lax.all_gather(leaf, 'data'))

  def each(whole: Any, spread: Any) -> Any:
    return jax.tree.map(add, function(whole, spread))

  return jax.shard_map(
    each,
    mesh=mesh(),
    in_specs=(PartitionSpec(), jax.tree.map(_last_axis, spread)),
    out_specs=PartitionSpec(),
    check_vma=False,
  )(whole, spread)


def _last_axis(leaf: Any) -> PartitionSpec:
  return PartitionSpec(*(None,) * (leaf.ndim - 1), 'data')


def map_batches(
  function: Callable[..., dict[str, jax.Array]],
  constants: Any,
  batches: Iterable[np.ndarray],
  *,
  batch_size: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Applies a function to batches of examples on all local devices.

  Args:
    function: function `(constants, batch [b, ...]) -> {name: [b, ...]}`, which
      is pmapped; an example's result must not depend on the rest of the batch.
    constants: pytree (the model's variables), sent to the devices once.
    batches: arrays `[n, ...]` with n <= batch_size; shorter ones are padded
      with copies of their first example.
    batch_size: examples per call, rounded up to a multiple of the devices.

  Yields:
    For each batch, in order, arrays of exactly its n rows, without padding.
  """
  from flax import jax_utils  # Analyses, which load this module, need no Flax.

  devices = jax.local_device_count()
  per_device = -(-batch_size // devices)
  apply = _pmapped(function)
  constants = jax_utils.replicate(constants)
  pending: list[tuple[dict[str, jax.Array], int]] = []
  for batch in batches:
    count = len(batch)
    if count < devices * per_device:
      padding = np.repeat(batch[:1], devices * per_device - count, axis=0)
      batch = np.concatenate([batch, padding])
    sharded = batch.reshape(devices, per_device, *batch.shape[1:])
    pending.append((apply(constants, sharded), count))
    if len(pending) >= _IN_FLIGHT:
      yield _unpad(*pending.pop(0))
  for outputs, count in pending:
    yield _unpad(outputs, count)


def sum_over_devices(
  function: Callable[..., Any],
  constants: Any,
  rows: dict[str, np.ndarray],
  *,
  size: int,
) -> np.ndarray:
  """Sums a function's results over the local devices' parts of the rows.

  Args:
    function: function `(constants, rows {name: [n, ...]}, valid [n]) -> sums`,
      to which invalid rows must add nothing; it is compiled.
    constants: pytree of arrays, the same on each device.
    rows: arrays `[rows, ...]` by name.
    size: minimal number of rows to pad to, with zeros; the number is also
      rounded up to a multiple of the devices.
  """
  devices = jax.local_device_count()
  total = len(next(iter(rows.values())))
  padding = max(size, total) - total
  padding += -(total + padding) % devices
  filled = {
    name: np.concatenate(
      [values, np.zeros((padding, *values.shape[1:]), values.dtype)]
    )
    if padding
    else values
    for name, values in rows.items()
  }
  valid = np.arange(total + padding) < total
  return np.asarray(_summed(function)(constants, filled, valid))


@functools.lru_cache(maxsize=32)
def _summed(function: Callable[..., Any]) -> Callable[..., Any]:
  def each(constants: Any, rows: Any, valid: jax.Array) -> Any:
    return jax.lax.psum(function(constants, rows, valid), 'data')

  everywhere, parts = PartitionSpec(), PartitionSpec('data')
  return jax.jit(
    jax.shard_map(
      each,
      mesh=Mesh(np.array(jax.local_devices()), ('data',)),
      in_specs=(everywhere, parts, parts),
      out_specs=everywhere,
    )
  )


def float64() -> contextlib.AbstractContextManager[Any]:
  """Context manager that enables JAX's 64-bit types."""
  return jax.enable_x64(True)


@functools.lru_cache(maxsize=256)
def _pmapped(function: Callable[..., Any]) -> Callable[..., Any]:
  # With several processes, only over local devices: each process calls it as
  # often as its own rows need.
  several = jax.process_count() > 1
  return jax.pmap(function, devices=jax.local_devices() if several else None)


def _unpad(outputs: dict[str, jax.Array], count: int) -> dict[str, np.ndarray]:
  return {
    name: np.asarray(values).reshape(-1, *values.shape[2:])[:count]
    for name, values in outputs.items()
  }
