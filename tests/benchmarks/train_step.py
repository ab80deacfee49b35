"""The training loop against its bare jitted step, in milliseconds a step.

  python tests/benchmarks/train_step.py

Both sides take the same steps of one model from the same state on the same
batches, interleaved, and must end with the same losses. The bare side has all
batches on the device beforehand and does nothing but call the step; ours reads
through the pipeline, sends each batch, checks every loss and logs. The ratio is
that of the least times over rounds. The bare loop is the faster of one that
sends all its steps ahead and one that waits for each: on CPUs, steps that are
queued fight for the cores. There the model is a small ViT, whose step a few
milliseconds long leaves little to hide behind; a checkpoint of 100 MB shows for
how long the loop is held by its writing.

On an accelerator images/s and the share of the chip's peak follow for ResNet-50
and ViT-B/16 in bfloat16 at 224x224, with random images in memory.
"""

import argparse
import contextlib
import functools
import itertools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd

from overlap import models
from overlap.data import pipeline
from overlap.data.examples import ArrayExamples
from overlap.distributed import meshes
from overlap.predict.forward import Input
from overlap.train import checkpoint, loop, optimizer, step, supervised

LARGE = {
  'resnet50': ('resnet', {}),
  'vit_b16': ('vit', {}),
}


def random_examples(count: int, size: int, channels: int) -> ArrayExamples:
  rng = np.random.default_rng(0)
  return ArrayExamples(
    dataset='random',
    split='train',
    ids=np.array([f'train/{i:07d}' for i in range(count)]),
    class_names=tuple(f'{i}' for i in range(10)),
    images=rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8),
    labels=rng.integers(0, 10, count).astype(np.int32),
  )


class Side:
  """One model's training, by the loop and bare."""

  def __init__(
    self, model: Any, examples: ArrayExamples, batch: int, steps: int
  ):
    self.examples, self.batch, self.steps = examples, batch, steps
    size, channels = examples.image_size, examples.channels
    model_input = Input(size, channels, (0.5,), (0.25,))
    variables = jax.jit(functools.partial(model.init, train=False))(
      jax.random.key(0), np.zeros(model_input.shape(), np.float32)
    )
    variables = jax.device_get(variables)
    self.params = variables['params']
    self.batch_stats = variables.get('batch_stats', {})
    self.loss = supervised.make_loss(
      model, model_input, policy='flip', label_smoothing=0.0
    )
    self.optimizer = optimizer.build(
      'sgd', learning_rate=0.01, warmup_steps=0, total_steps=steps,
      weight_decay=1e-4,
    )  # fmt: skip

  def batches(self, start: int) -> Iterator[dict[str, np.ndarray]]:
    return pipeline.batches(
      self.examples,
      batch_size=self.batch,
      seed=0,
      start_step=start,
      total_steps=self.steps,
    )

  def ours(self) -> tuple[float, float, dict[str, float]]:
    """Seconds of all steps after the first, the last loss, the last rates."""
    times: list[float] = []

    def timed(start: int) -> Iterator[dict[str, np.ndarray]]:
      for batch in self.batches(start):
        times.append(time.perf_counter())
        yield batch

    with tempfile.TemporaryDirectory() as folder:
      # The end of the loop is that of the last step's line in the log.
      loop.fit(
        name='ours',
        params=self.params,
        batch_stats=self.batch_stats,
        constants=(),
        loss=self.loss,
        optimizer=self.optimizer,
        batches_from=timed,
        total_steps=self.steps,
        seed=0,
        folder=folder,
        log_every_steps=self.steps // 2,
        checkpoint_every_steps=self.steps,
        write_scalars=lambda *_: times.append(time.perf_counter()),
      )
      rows = pd.read_csv(pathlib.Path(folder) / 'metrics.csv')
    last = rows.iloc[-1].to_dict()
    return times[-1] - times[1], last['loss'], last

  def bare(self, *, wait: bool) -> tuple[float, float]:
    """Likewise, with the batches on the device beforehand.

    Args:
      wait: for each step before the next is sent.
    """
    state = meshes.build(
      functools.partial(step.create_state, optimizer=self.optimizer),
      self.params, self.batch_stats, kind='replicated',
    )  # fmt: skip
    sent = [meshes.shard(batch) for batch in self.batches(0)]
    jax.block_until_ready(sent)
    seed = jax.device_put(np.uint32(0))
    take = functools.partial(
      step.train_step, constants=(), seed=seed,
      loss=self.loss, optimizer=self.optimizer,
    )  # fmt: skip
    state, metrics = take(state, batch=sent[0])
    jax.block_until_ready(metrics)
    start = time.perf_counter()
    for batch in itertools.islice(sent, 1, None):
      state, metrics = take(state, batch=batch)
      if wait:
        jax.block_until_ready(metrics)
    jax.block_until_ready(metrics)
    return time.perf_counter() - start, float(metrics['loss'])

  def compare(self, rounds: int) -> tuple[float, float, dict[str, float]]:
    """Seconds a step, ours and bare, and our last rates."""
    ours, bare = [], []
    rates: dict[str, float] = {}
    for number in range(rounds + 1):
      free_seconds, want = self.bare(wait=False)
      seconds, got, rates = self.ours()
      waiting_seconds, again = self.bare(wait=True)
      np.testing.assert_allclose([got, again], want, rtol=1e-5)
      if number:  # The first round compiles.
        ours.append(seconds)
        bare += [free_seconds, waiting_seconds]
    self.ratio = min(ours) / min(bare)
    return min(ours) / (self.steps - 1), min(bare) / (self.steps - 1), rates


def checkpoint_times(megabytes: int) -> tuple[float, float]:
  """Seconds that `save` holds its caller, and until all is written."""
  rows = megabytes * 2**20 // 4 // 1024
  state = meshes.replicate({'w': np.ones((rows, 1024), np.float32)})
  held, whole = [], []
  with tempfile.TemporaryDirectory() as folder:
    checkpoints = checkpoint.RunCheckpoints(folder)
    with contextlib.closing(checkpoints):
      for number in range(4):
        start = time.perf_counter()
        checkpoints.save(number, state)
        held.append(time.perf_counter() - start)
        checkpoints.wait()
        whole.append(time.perf_counter() - start)
  return statistics.median(held), statistics.median(whole)


def large(name: str, batch: int, steps: int, rounds: int) -> None:
  family, options = LARGE[name]
  model = models.build(
    family, num_classes=1000, dtype=jax.numpy.bfloat16, **options
  )
  side = Side(model, random_examples(2 * batch, 224, 3), batch, steps)
  ours, bare, rates = side.compare(rounds)
  share = rates.get('flops_utilisation')
  print(
    f'{name}, batch {batch}, bfloat16: ours {batch / ours:.0f} images/s, bare '
    f'{batch / bare:.0f}, input wait {100 * rates["input_wait"]:.1f} %, '
    + (f'{100 * share:.1f} % of the peak' if share else 'peak unknown')
    + f', ratio {side.ratio:.3f}'
  )


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--batch', type=int, default=128)
  parser.add_argument('--steps', type=int, default=100)
  parser.add_argument('--rounds', type=int, default=7)
  parser.add_argument('--megabytes', type=int, default=100)
  parser.add_argument('--large_batch', type=int, default=256)
  args = parser.parse_args()
  print(f'device: {jax.devices()[0].device_kind}')
  model = models.build(
    'vit', num_classes=10, patch_size=7, hidden_size=64, depth=2, num_heads=2
  )
  examples = random_examples(4096, 28, 1)
  side = Side(model, examples, args.batch, args.steps)
  ours, bare, rates = side.compare(args.rounds)
  print(
    f'small ViT, batch {args.batch}, {args.steps} steps, least of '
    f'{args.rounds}: ours {1e3 * ours:.2f} ms a step, bare {1e3 * bare:.2f} '
    f'ms, input wait {100 * rates["input_wait"]:.1f} %'
  )
  held, whole = checkpoint_times(args.megabytes)
  print(
    f'a checkpoint of {args.megabytes} MB holds the loop for {1e3 * held:.0f} '
    f'ms, and is written after {1e3 * whole:.0f} ms'
  )
  if jax.default_backend() != 'cpu':
    for name in LARGE:
      large(name, args.large_batch, min(args.steps, 40), min(args.rounds, 3))
  print(f'train_step ratio={side.ratio:.3f}')


if __name__ == '__main__':
  main()
