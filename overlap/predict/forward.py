"""Inference over the examples of a split: logits and features, in order."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from overlap.data import augment, pipeline
from overlap.data.examples import Examples
from overlap.distributed import meshes


class Input(NamedTuple):
  """Input format of a model: size and normalisation of images.

  Attributes:
    size: side of the square images.
    channels: number of channels, 1 or 3.
    mean: mean of images in [0, 1], one value or one per channel.
    std: standard deviation of images in [0, 1], one value or one per channel.
  """

  size: int
  channels: int
  mean: tuple[float, ...]
  std: tuple[float, ...]

  def shape(self, batch_size: int = 1) -> tuple[int, int, int, int]:
    """Shape of a batch of input images."""
    return batch_size, self.size, self.size, self.channels


class Outputs(NamedTuple):
  """Outputs for rows `[start, start + b)` of a split.

  Attributes:
    start: first row.
    labels: labels, int32 `[b]`.
    logits: logits, float32 `[b, classes]`.
    features: pre-logit features, float32 `[b, D]`.
  """

  start: int
  labels: np.ndarray
  logits: np.ndarray
  features: np.ndarray


# Cached, so that a function is compiled once for all splits and seeds.
@functools.cache
def forward_function(
  model: nn.Module, model_input: Input
) -> Callable[[Any, jax.Array], dict[str, jax.Array]]:
  """Returns `(variables, uint8 images [b, H, W, C]) -> logits, features`."""

  def forward(variables, images):
    logits, features = model.apply(
      variables,
      augment.preprocess(images, **model_input._asdict()),
      train=False,
    )
    return {'logits': logits, 'features': features}

  return forward


def run_forward(
  forward: Callable[[Any, jax.Array], dict[str, jax.Array]],
  variables: Any,
  examples: Examples,
  *,
  batch_size: int,
  num_threads: int = 2,
  start: int = 0,
  stop: int | None = None,
) -> Iterator[Outputs]:
  """Yields the outputs for rows `[start, stop)` in order, each row once.

  Args:
    forward: function from `forward_function`.
    variables: the model's params and batch_stats.
    examples: examples of the split.
    batch_size: examples per call, over this process's devices.
    num_threads: number of threads that read images ahead.
    start: first row.
    stop: row after the last; None for the end.
  """
  labels: list[np.ndarray] = []

  def images() -> Iterator[np.ndarray]:
    for batch in pipeline.eval_batches(
      examples,
      batch_size=batch_size,
      start=start,
      stop=stop,
      num_threads=num_threads,
    ):
      labels.append(batch['label'])
      yield batch['image']

  row = start
  for outputs in meshes.map_batches(
    forward, variables, images(), batch_size=batch_size
  ):
    yield Outputs(row, labels.pop(0), outputs['logits'], outputs['features'])
    row += len(outputs['logits'])
