"""Batches of examples by grain, whose element is a whole batch here.

A batch is a function of its step, so that a run can begin at any step and a
process reads its own part of every batch alone. Grain brings the threads and
the prefetching; one of its elements being a batch, its cost in Python is paid
once a batch and not once an example.
"""

import functools
from collections.abc import Callable, Iterator

import grain
import numpy as np

from overlap.core import errors
from overlap.data.augment.on_host import OnHost
from overlap.data.examples import Examples

Batch = dict[str, np.ndarray]
# Batches that are ready or being read, for every thread.
_BUFFER_PER_THREAD = 2


class BatchPlan:
  """Assignment of examples to the batches of all steps.

  Every epoch is a permutation of its own, and batches run across the ends of
  epochs: all are full, and every example comes once an epoch.
  """

  def __init__(self, *, num_examples: int, batch_size: int, seed: int):
    """Takes the size of the global batch.

    Raises:
      UsageError: a size below 1 or a negative seed.
    """
    for name, value, least in (
      ('The number of examples', num_examples, 1),
      ('batch_size', batch_size, 1),
      ('seed', seed, 0),
    ):
      if value < least:
        raise errors.UsageError(
          f'{name} must be at least {least}, got {value}.'
        )
    self._num_examples = num_examples
    self._batch_size = batch_size
    self._seed = seed
    # Two epochs meet in a batch, and threads may be some batches apart.
    self._permutation = functools.lru_cache(maxsize=4)(self._permute)

  def _permute(self, epoch: int) -> np.ndarray:
    # Not grain's shuffle: it takes seed + epoch, so that one run's epoch is
    # the next one's where seeds are consecutive.
    rng = np.random.default_rng((self._seed, epoch))
    return rng.permutation(self._num_examples)

  def indices(self, step: int, part: slice = slice(None)) -> np.ndarray:
    """Returns the examples of `part` of the batch of `step`, int64."""
    places = np.arange(self._batch_size)[part] + step * self._batch_size
    epochs, within = np.divmod(places, self._num_examples)
    chosen = np.empty(len(places), np.int64)
    for epoch in np.unique(epochs).tolist():
      here = epochs == epoch
      chosen[here] = self._permutation(epoch)[within[here]]
    return chosen


def batches(
  examples: Examples,
  *,
  batch_size: int,
  seed: int,
  start_step: int = 0,
  total_steps: int,
  num_threads: int = 2,
  process_index: int = 0,
  process_count: int = 1,
  on_host: OnHost | None = None,
) -> Iterator[Batch]:
  """Yields the training batches of the steps start_step .. total_steps - 1.

  Args:
    examples: what to train on.
    batch_size: global batch size, over all processes.
    seed: seed of the permutations; the same seed gives the same batches.
    start_step: the first step; nothing before it is read.
    total_steps: one past the last step.
    num_threads: number of threads that prefetch batches; 0 reads each when it
      is asked for.
    process_index: number of this process.
    process_count: processes; each gets its contiguous part of every batch.
    on_host: what is made of the original images; None for `examples`' own.
      Its draws depend on the seed, the step and the place in the global batch.

  Yields:
    {'image': uint8 [B, S, S, channels], 'label': int32 [B]}, where
    B = batch_size / process_count; [B, views, S, S, channels] where `on_host`
    makes several of an image.

  Raises:
    DataError: from reading.
    UsageError: sizes, steps or processes that don't fit together.
  """
  _check_processes(batch_size, process_index, process_count)
  if not 0 <= start_step <= total_steps:
    raise errors.UsageError(
      f'start_step must lie in 0..total_steps={total_steps}, got {start_step}.'
    )
  plan = BatchPlan(num_examples=len(examples), batch_size=batch_size, seed=seed)
  size = batch_size // process_count
  part = slice(process_index * size, (process_index + 1) * size)

  def read(step: int) -> Batch:
    indices = plan.indices(step, part)
    if on_host is None:
      return examples.fetch(indices)
    # The last number tells these draws from those of the permutations.
    rng = np.random.default_rng((seed, step, 1))
    draws = rng.random((batch_size, on_host.num_draws))[part]
    return examples.fetch_made(
      indices,
      lambda row, image: on_host.make(image, draws[row]),
      on_host.shape(examples.channels),
    )

  return _read_ahead(read, range(start_step, total_steps), num_threads)


def eval_batches(
  examples: Examples,
  *,
  batch_size: int,
  start: int = 0,
  stop: int | None = None,
  num_threads: int = 2,
) -> Iterator[Batch]:
  """Yields examples [start, stop) in order; the last batch may be smaller.

  Args:
    examples: what to evaluate on, M of them.
    batch_size: size of all batches except the last.
    start: the first example.
    stop: one past the last; None is M.
    num_threads: number of threads, see `batches`.

  Yields:
    {'image': uint8 [B, S, S, channels], 'label': int32 [B]}.

  Raises:
    DataError: from reading.
    UsageError: a batch size below 1, or a range beyond the examples.
  """
  stop = len(examples) if stop is None else stop
  if batch_size < 1 or not 0 <= start <= stop <= len(examples):
    raise errors.UsageError(
      'Evaluation needs batch_size >= 1 and 0 <= start <= stop <= '
      f'{len(examples)}, got batch_size {batch_size}, start {start}, stop '
      f'{stop}.'
    )

  def read(first: int) -> Batch:
    return examples.fetch(np.arange(first, min(first + batch_size, stop)))

  return _read_ahead(read, range(start, stop, batch_size), num_threads)


def _read_ahead(
  read: Callable[[int], Batch], items: range, num_threads: int
) -> Iterator[Batch]:
  """Returns read(item) for every item, in order, read ahead by threads."""
  if not items:
    return iter(())
  options = grain.ReadOptions(
    num_threads=num_threads,
    prefetch_buffer_size=_BUFFER_PER_THREAD * num_threads,
  )
  dataset = grain.MapDataset.range(items.start, items.stop, items.step)
  return iter(dataset.map(read).to_iter_dataset(options))


def _check_processes(
  batch_size: int, process_index: int, process_count: int
) -> None:
  if not 0 <= process_index < process_count:
    raise errors.UsageError(
      f'process_index must lie in [0, {process_count}), got {process_index}.'
    )
  if batch_size % process_count:
    raise errors.UsageError(
      f'batch_size must be a multiple of the {process_count} processes, got '
      f'{batch_size}.'
    )
