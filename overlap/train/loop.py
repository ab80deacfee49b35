"""The training loop: steps, log, checkpoints, resume."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import optax
import pandas as pd
from absl import logging
from etils import epath

from overlap import errors, files, parallel, progress
from overlap.train import checkpoint, step
from overlap.train.state import AveragedState, TrainState

# step -> an iterator of batches, the first being that of this step.
BatchesFrom = Callable[[int], Iterator[dict[str, np.ndarray]]]


def fit(
  *,
  name: str,
  params: Any,
  batch_stats: Any,
  constants: Any,
  loss: step.Loss,
  optimizer: optax.GradientTransformation,
  batches_from: BatchesFrom,
  total_steps: int,
  seed: int,
  folder: epath.PathLike,
  log_every_steps: int,
  checkpoint_every_steps: int,
  ema_decay: float = 0.0,
  accumulate_steps: int = 1,
  write_scalars: Callable[[int, dict[str, float]], None] | None = None,
) -> dict[str, Any]:
  """Trains for `total_steps`, resuming from the last checkpoint in `folder`.

  A run that was killed and resumed ends with the same bits as one that was
  not: batches and keys are functions of the step.

  Args:
    name: what the log calls the run.
    params: the initial parameters.
    batch_stats: the initial statistics.
    constants: see `step.train_step`.
    loss: likewise.
    optimizer: likewise.
    batches_from: gives the batches from a step on.
    total_steps: steps in all.
    seed: of the run's randomness (augmentation, dropout).
    folder: of checkpoints and metrics.csv.
    log_every_steps: steps between lines in the log.
    checkpoint_every_steps: steps between checkpoints.
    ema_decay: of an average of the weights, which is then what is returned; 0
      for those of the last step.
    accumulate_steps: see `step.train_step`.
    write_scalars: also gets each logged step's metrics (for TensorBoard).

  Returns:
    {'params', 'batch_stats'} on the host.

  Raises:
    DataError: the loss is no longer finite; names the step. Nothing is saved
      after that step.
  """
  folder = epath.Path(folder)
  checkpoints = checkpoint.RunCheckpoints(folder / 'checkpoints')
  with contextlib.closing(checkpoints):
    state = parallel.replicate(
      step.create_state(params, batch_stats, optimizer, ema_decay)
    )
    state = checkpoints.restore(state)
    start = int(state.step)
    if start:
      logging.info('%s: resumed at step %d of %d', name, start, total_steps)
    history = _History(
      name, folder / 'metrics.csv', start, total_steps, write_scalars
    )
    constants = parallel.replicate(constants)
    batches = progress.track(
      batches_from(start), total=total_steps, what=name, unit='step', done=start
    )
    for number, batch in enumerate(batches, start + 1):
      state, metrics = step.train_step(
        state,
        constants,
        parallel.shard(batch),
        np.uint32(seed),
        loss=loss,
        optimizer=optimizer,
        ema_decay=ema_decay,
        accumulate_steps=accumulate_steps,
      )
      history.add(number, metrics)
      last = number == total_steps
      checkpointed = last or number % checkpoint_every_steps == 0
      if checkpointed or number % log_every_steps == 0:
        history.flush()
      if checkpointed:
        history.save()
        checkpoints.save(number, state)
  return _variables(state)


def _variables(state: TrainState) -> dict[str, Any]:
  if isinstance(state, AveragedState):
    return jax.device_get(state.average)
  return jax.device_get(
    {'params': state.params, 'batch_stats': state.batch_stats}
  )


class _History:
  """Metrics of the run: checked for every step, logged for some."""

  def __init__(self, name, path, start, total_steps, write_scalars):
    self._name, self._path, self._total = name, path, total_steps
    self._write_scalars = write_scalars
    self._pending: list[tuple[int, dict[str, jax.Array]]] = []
    self._rows: list[dict[str, float]] = []
    if start and path.exists():
      rows = pd.read_csv(path)
      self._rows = rows[rows['step'] <= start].to_dict('records')

  def add(self, number: int, metrics: dict[str, jax.Array]) -> None:
    """Keeps a step's metrics on the device, without waiting for them."""
    self._pending.append((number, metrics))

  def flush(self) -> None:
    """Fetches what is kept; raises at the first loss that is not finite."""
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
    self._rows.append({'step': number} | row)
    if self._write_scalars:
      self._write_scalars(number, row)
    logging.info(
      '%s: step %d of %d, %s', self._name, number, self._total,
      ', '.join(f'{key} {value:.4g}' for key, value in row.items()),
    )  # fmt: skip

  def save(self) -> None:
    """Writes metrics.csv."""
    if parallel.is_primary():
      files.write_text(self._path, pd.DataFrame(self._rows).to_csv(index=False))
