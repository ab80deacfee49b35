"""The pass over all blocks: choice of backend, resumption, and sums."""

from collections.abc import Sequence
from typing import Protocol

import jax
import numpy as np

from overlap.analyses.allpairs import device, reference, threads
from overlap.analyses.allpairs.blocks import Block, Logits, Source
from overlap.analyses.allpairs.resume import Checkpoint
from overlap.core import lookup, progress
from overlap.distributed import processes


class Counter(Protocol):
  """A backend for the pairs of some models."""

  def __init__(
    self, pairs: np.ndarray, models: int, methods: list[str]
  ) -> None: ...

  def count(
    self, block: Block, labels: np.ndarray, correct: np.ndarray | None
  ) -> np.ndarray: ...


# Default memory for blocks, in MiB.
MEMORY_MB = 1024

BACKENDS: dict[str, type[Counter]] = {
  'numba': threads.Counter,
  'xla': device.Counter,
  'numpy': reference.Counter,
}


def count(
  models: Sequence[Logits] | np.ndarray,
  labels: np.ndarray,
  pairs: np.ndarray,
  *,
  methods: Sequence[str],
  correct: np.ndarray | None = None,
  temperatures: Sequence[np.ndarray | None] | None = None,
  memory_mb: int = MEMORY_MB,
  backend: str | None = None,
  checkpoint: Checkpoint | None = None,
) -> np.ndarray:
  """Counts what pairs get right; see `ensembles.pair_ensembles`.

  Each process counts its own blocks. The counts are summed over processes, so
  all processes return the same.

  Returns:
    Counts, int64 `[methods, 5, pairs]`, the fields of
    `ensembles.EnsembleCounts`.
  """
  if backend is None:
    backend = 'numba' if jax.default_backend() == 'cpu' else 'xla'
  lookup.check_choice('back end for pairs', backend, BACKENDS)
  used, places = np.unique(pairs, return_inverse=True)
  source = Source(
    models,
    used,
    examples=len(labels),
    temperatures=temperatures,
    memory_mb=memory_mb,
  )
  counter = BACKENDS[backend](places.reshape(-1, 2), len(used), list(methods))
  counts = np.zeros((len(methods), 5, len(pairs)), np.int64)
  steps = source.steps[processes.process_index() :: processes.process_count()]
  done = 0
  if checkpoint is not None:
    plan = [list(methods), [(step.start, step.stop) for step in steps]]
    arrays = [labels, pairs, *(() if correct is None else [correct])]
    if temperatures is not None:
      arrays += [t for t in (temperatures[m] for m in used) if t is not None]
    done = checkpoint.load(plan, arrays, counts)
  for block in progress.track(
    source.blocks(steps[done:]),
    total=len(steps), what='pairs', unit='block', done=done,
  ):  # fmt: skip
    rows = block.rows
    right = None if correct is None else np.asarray(correct)[used, rows]
    counts += counter.count(block, labels[rows], right)
    done += 1
    if checkpoint is not None:
      checkpoint.save(done, counts)
  return processes.sum_over_processes(counts)
