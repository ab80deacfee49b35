"""Training loop with logging, checkpoints and resumption."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import optax
import pandas as pd
from absl import logging
from etils import epath

from overlap.core import errors, files, progress
from overlap.distributed import meshes, processes
from overlap.train import checkpoint, step, throughput
from overlap.train.state import AveragedState, TrainState

# Function of a step that returns an iterator of batches from that step on.
BatchesFrom = Callable[[int], Iterator[dict[str, np.ndarray]]]
# Steps in flight on the devices: enough that they never wait for the host, few
# enough that their batches take little memory.
_IN_FLIGHT = 2


def fit(
  *,
  name: str,
  params: Any,
  batch_stats: Any,
  constants: Any,
  loss: step.Loss | step.Scheduled,
  optimizer: optax.GradientTransformation,
  batches_from: BatchesFrom,
  total_steps: int,
  seed: int,
  folder: epath.PathLike,
  log_every_steps: int,
  checkpoint_every_steps: int,
  ema_decay: float = 0.0,
  accumulate_steps: int = 1,
  sharding: str = 'replicated',
  write_scalars: Callable[[int, dict[str, float]], None] | None = None,
) -> dict[str, Any]:
  """Trains for `total_steps`, resuming from the last checkpoint in `folder`.

  A run that was killed and resumed gives bitwise the same result as an
  uninterrupted one: batches and keys are functions of the step. If resumed with
  another sharding or number of devices, it is the same up to rounding.

  Args:
    name: name of the run in the log.
    params: initial parameters.
    batch_stats: initial running statistics.
    constants: untrained arrays of the loss, see `step.train_step`.
    loss: loss function, see `step.train_step`.
    optimizer: optax transformation, see `step.train_step`.
    batches_from: function of a step that returns the batches from it on.
    total_steps: total number of steps.
    seed: seed of the run's randomness (augmentation, dropout).
    folder: folder of checkpoints and metrics.csv.
    log_every_steps: steps between lines in the log.
    checkpoint_every_steps: steps between checkpoints.
    ema_decay: decay of the average of the weights, which is then returned; 0
      to return the weights of the last step.
    accumulate_steps: number of parts per batch, see `step.train_step`.
    sharding: sharding of the state, a name from `meshes.SHARDINGS`.
    write_scalars: function called with (step, metrics) at each logged step (for
      TensorBoard); None for none.

  Returns:
    {'params', 'batch_stats'} on the host.

  Raises:
    DataError: the loss is not finite; the message gives the step. Nothing is
      saved after that step.
  """
  folder = epath.Path(folder)
  checkpoints = checkpoint.RunCheckpoints(folder / 'checkpoints')
  with contextlib.closing(checkpoints):
    create = functools.partial(
      step.create_state, optimizer=optimizer, ema_decay=ema_decay
    )
    state = checkpoints.restore(
      meshes.abstract(create, params, batch_stats, kind=sharding)
    ) or meshes.build(create, params, batch_stats, kind=sharding)
    start = int(state.step)
    if start:
      logging.info('%s: resumed at step %d of %d', name, start, total_steps)
    take_step = functools.partial(
      step.train_step,
      constants=meshes.replicate(constants),
      seed=np.uint32(seed),
      loss=loss,
      optimizer=optimizer,
      ema_decay=ema_decay,
      accumulate_steps=accumulate_steps,
      sharding=sharding,
    )
    meter = throughput.Meter()
    history = _History(
      name, folder / 'metrics.csv', start, total_steps, write_scalars, meter
    )
    batches = progress.track(
      meter.watch(batches_from(start)),
      total=total_steps, what=name, unit='step', done=start,
    )  # fmt: skip
    for number, batch in enumerate(batches, start + 1):
      sent = meshes.shard(batch)
      state, metrics = take_step(state, batch=sent)
      history.add(number, metrics)
      if number == start + 1:
        _start_clock(meter, take_step, state, sent, metrics)
      last = number == total_steps
      checkpointed = last or number % checkpoint_every_steps == 0
      if checkpointed or number % log_every_steps == 0:
        history.flush()
      if checkpointed:
        history.save()
        checkpoints.save(number, state)
  return _variables(state)


def _start_clock(meter, take_step, state, batch, metrics) -> None:
  """Starts the throughput meter after the first step, which was compiled."""
  flops = None
  if throughput.peak(jax.devices()[0].device_kind):
    cost = take_step.func.lower(state, batch=batch, **take_step.keywords)
    flops = (cost.cost_analysis() or {}).get('flops')
  jax.block_until_ready(metrics)
  meter.begin(images=len(next(iter(batch.values()))), flops=flops)


def _variables(state: TrainState) -> dict[str, Any]:
  if isinstance(state, AveragedState):
    return meshes.fetch(state.average)
  return meshes.fetch(
    {'params': state.params, 'batch_stats': state.batch_stats}
  )


class _History:
  """Metrics of the run: checked at every step, logged at some."""

  def __init__(self, name, path, start, total_steps, write_scalars, meter):
    self._name, self._path, self._total = name, path, total_steps
    self._write_scalars = write_scalars
    self._meter = meter
    self._pending: list[tuple[int, dict[str, jax.Array]]] = []
    self._rows: list[dict[str, float]] = []
    if start and path.exists():
      rows = pd.read_csv(path)
      self._rows = rows[rows['step'] <= start].to_dict('records')

  def add(self, number: int, metrics: dict[str, jax.Array]) -> None:
    """Keeps a step's metrics on the device; waits for earlier steps."""
    self._pending.append((number, metrics))
    self._meter.count()
    if len(self._pending) > _IN_FLIGHT:
      jax.block_until_ready(self._pending[-1 - _IN_FLIGHT])

  def flush(self) -> None:
    """Logs the last metrics; raises DataError at the first non-finite loss."""
    fetched = jax.device_get(self._pending)
    self._pending = []
    for number, metrics in fetched:
      if not np.isfinite(metrics['loss']):
        raise errors.DataError(
          f'The loss of {self._name} must be finite, got {metrics["loss"]} at '
          f'step {number} of {self._total}: lower the learning rate, or set '
          'train.clip_norm.'
        )
    number, metrics = fetched[-1]
    row = {name: float(value) for name, value in sorted(metrics.items())}
    row |= self._meter.take()
    self._rows.append({'step': number} | row)
    if self._write_scalars:
      self._write_scalars(number, row)
    logging.info(
      '%s: step %d of %d, %s', self._name, number, self._total,
      ', '.join(f'{key} {_short(value)}' for key, value in row.items()),
    )  # fmt: skip

  def save(self) -> None:
    """Writes metrics.csv."""
    if processes.is_primary():
      files.write_text(self._path, pd.DataFrame(self._rows).to_csv(index=False))


def _short(value: float) -> str:
  """Formats with four digits; digits before the point are never dropped."""
  return f'{value:.0f}' if 1e3 <= abs(value) < 1e9 else f'{value:.4g}'
