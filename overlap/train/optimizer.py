"""Optimisers with warm-up and a cosine schedule, from optax."""

import functools
from typing import Any

import jax
import optax

from overlap import errors, lookup

OPTIMIZERS = ('sgd', 'adamw')


# Cached, so that models that differ in their seed share a compiled step.
@functools.cache
def build(
  name: str,
  *,
  learning_rate: float,
  warmup_steps: int,
  total_steps: int,
  weight_decay: float,
  momentum: float = 0.9,
  clip_norm: float = 0.0,
) -> optax.GradientTransformation:
  """Builds an optimiser.

  Args:
    name: 'sgd' (Nesterov momentum, L2 added to the gradient, as ResNets are
      trained) or 'adamw' (decoupled weight decay, as ViTs are).
    learning_rate: at the end of the warm-up.
    warmup_steps: of linear growth from 0.
    total_steps: the cosine reaches 0 there.
    weight_decay: on kernels only, never on biases and normalisation.
    momentum: of 'sgd'.
    clip_norm: the gradient's greatest global norm; 0 for no bound.

  Raises:
    UsageError: an unknown name, or a schedule that ends before it begins.
  """
  lookup.check('optimizer', name, OPTIMIZERS)
  if not 0 <= warmup_steps < total_steps:
    raise errors.UsageError(
      'warmup_steps must be at least 0 and below total_steps, got '
      f'warmup_steps={warmup_steps} and total_steps={total_steps}.'
    )
  schedule = optax.warmup_cosine_decay_schedule(
    init_value=0.0 if warmup_steps else learning_rate,
    peak_value=learning_rate,
    warmup_steps=warmup_steps,
    decay_steps=total_steps,
  )
  if name == 'sgd':
    steps = [
      optax.add_decayed_weights(weight_decay, mask=_is_kernel),
      optax.sgd(schedule, momentum=momentum, nesterov=True),
    ]
  else:
    steps = [optax.adamw(schedule, weight_decay=weight_decay, mask=_is_kernel)]
  if clip_norm:
    steps.insert(0, optax.clip_by_global_norm(clip_norm))
  return optax.chain(*steps)


def _is_kernel(params: Any) -> Any:
  return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
