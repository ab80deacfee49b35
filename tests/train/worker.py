"""One process of a small training run, for tests of devices and processes.

Its model is smooth: where a ReLU's argument is near 0, rounding decides which
way a gradient goes, and two right runs part by more than rounding.
"""

import argparse
import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overlap.config import schema
from overlap.data.examples import ArrayExamples
from overlap.distributed import processes
from overlap.models import layers
from overlap.study import specs
from overlap.train import trainer
from overlap.train.task import Task

EXAMPLES, HELDOUT, BATCH, STEPS = 96, 31, 16, 16


class Stopped(Exception):
  """Stands for the machine going away, when checkpoints are written."""


class Smooth(nn.Module):
  """Convolutions with batch norm, dropout, and a head."""

  num_classes: int

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False):
    for features in (8, 16):
      x = nn.swish(layers.ConvNorm(features, 3, 2)(x, train=train))
    x = jnp.mean(x, axis=(1, 2))
    x = nn.Dropout(0.2, deterministic=not train)(x)
    return layers.head(self.num_classes)(x), x


class Recorded(ArrayExamples):
  """Examples that know which of them were read."""

  def __init__(self, **options):
    self.seen: list[int] = []
    super().__init__(**options)

  def read(self, indices):
    self.seen.extend(indices.tolist())
    return super().read(indices)


def make_examples(split: str, count: int) -> Recorded:
  rng = np.random.default_rng(count)
  labels = rng.integers(0, 4, count).astype(np.int32)
  images = rng.integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)
  return Recorded(
    dataset='noise',
    split=split,
    ids=np.array([f'{split}/{i}' for i in range(count)]),
    class_names=tuple('abcd'),
    images=images,
    labels=labels,
  )


def make_task(
  folder: pathlib.Path,
  examples: Recorded,
  heldout: Recorded,
  sharding: str,
  stop_at: int,
) -> Task:
  config = schema.model('')
  config.update_from_flattened_dict(
    {
      'train.optimizer': 'adamw',
      'train.learning_rate': 3e-3,
      'train.total_steps': STEPS,
      'train.batch_size': BATCH,
      'train.augment': 'flip',
      'train.log_every_steps': 1,
      'train.checkpoint_every_steps': 4,
      'train.sharding': sharding,
    }
  )
  settings = schema._plain(config.to_dict())

  def stop(phase, step, values):
    del phase, values
    if step == stop_at:
      raise Stopped

  return Task(
    name='smooth',
    model=Smooth(4),
    model_input=specs.model_input(settings, examples),
    settings=settings,
    train=examples,
    heldout=heldout,
    folder=folder,
    num_threads=1,
    batch_size=16,
    write_scalars=stop,
  )


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--folder', type=pathlib.Path, required=True)
  parser.add_argument('--sharding', default='replicated')
  parser.add_argument('--stop_at', type=int, default=0)
  parser.add_argument('--coordinator', default='')
  parser.add_argument('--num_processes', type=int, default=1)
  parser.add_argument('--process_id', type=int, default=0)
  args = parser.parse_args()
  processes.initialize(args.coordinator, args.num_processes, args.process_id)
  examples = make_examples('train', EXAMPLES)
  heldout = make_examples('heldout', HELDOUT)
  task = make_task(args.folder, examples, heldout, args.sharding, args.stop_at)
  try:
    variables, notes = trainer.train_model(task)
  except Stopped:
    return
  seen_heldout = list(heldout.seen)
  features, labels = trainer.features(task, variables, heldout)
  leaves, _ = jax.tree.flatten(variables)
  flat = np.concatenate([np.ravel(leaf) for leaf in leaves])
  np.savez(
    args.folder / f'end{args.process_id}.npz',
    variables=flat,
    seen=np.array(examples.seen),
    seen_heldout=np.array(seen_heldout),
    accuracy=notes['heldout_accuracy'],
    features=features,
    labels=labels,
  )


if __name__ == '__main__':
  main()
