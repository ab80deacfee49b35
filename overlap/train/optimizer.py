"""Optimisers from optax, with warm-up and a learning-rate schedule.

LARS: You et al., 'Large Batch Training of Convolutional Networks' (2017);
LAMB: You et al., 'Large Batch Optimization for Deep Learning' (ICLR 2020).
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from overlap.core import errors, lookup
from overlap.train import schedules

OPTIMIZERS = ('sgd', 'adamw', 'rmsprop', 'lars', 'lamb')
# Options of 'rmsprop' as for EfficientNet (Tan and Le 2019).
_RMSPROP = {'decay': 0.9, 'eps': 1e-3, 'initial_scale': 1.0}


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
  schedule: str = 'cosine',
  milestones: tuple[float, ...] = (),
  decay_factor: float = 0.1,
  nesterov: bool = True,
  decay_all: bool = False,
  bounds: tuple[tuple[str, float], ...] = (),
) -> optax.GradientTransformation:
  """Builds an optimiser.

  Args:
    name: 'sgd' (with momentum and L2 regularisation, as for ResNets), 'adamw'
      (decoupled weight decay, as for ViTs), 'rmsprop' (with momentum and L2
      regularisation, as for Inception and EfficientNets), 'lars' or 'lamb'
      (large-batch versions of the first two, with a rate for each parameter
      array; LARS uses the common rate for biases and normalisation).
    learning_rate: learning rate at the end of the warm-up.
    warmup_steps: number of steps of linear growth from 0.
    total_steps: number of steps of the schedule.
    weight_decay: weight decay, by default of kernels only.
    momentum: momentum of 'sgd', 'rmsprop' and 'lars'.
    clip_norm: maximal global norm of the gradient; 0 for no clipping.
    schedule: name of the learning-rate schedule, see `schedules.build`.
    milestones: milestones of the schedule 'step', see `schedules.build`.
    decay_factor: factor of the schedule 'step', see `schedules.build`.
    nesterov: whether the momentum is Nesterov's.
    decay_all: whether to decay all parameters, including biases.
    bounds: names of top-level parameters and their upper bounds, enforced after
      each step.

  Raises:
    UsageError: the name is unknown, or the schedule is invalid.
  """
  lookup.check_choice('optimizer', name, OPTIMIZERS)
  rate = schedules.build(
    schedule,
    learning_rate=learning_rate,
    warmup_steps=warmup_steps,
    total_steps=total_steps,
    milestones=milestones,
    decay_factor=decay_factor,
  )
  decayed = True if decay_all else is_kernel
  common: dict[str, Any] = {'weight_decay': weight_decay}
  moving = {'momentum': momentum, 'nesterov': nesterov}
  if name == 'sgd':
    steps = [
      optax.add_decayed_weights(weight_decay, mask=decayed),
      optax.sgd(rate, **moving),
    ]
  elif name == 'rmsprop':
    steps = [
      optax.add_decayed_weights(weight_decay, mask=decayed),
      optax.rmsprop(rate, **_RMSPROP, **moving),
    ]
  elif name == 'adamw':
    steps = [optax.adamw(rate, mask=decayed, **common)]
  elif name == 'lars':
    masks = {'weight_decay_mask': decayed, 'trust_ratio_mask': is_kernel}
    steps = [optax.lars(rate, **common, **moving, **masks)]
  else:
    steps = [optax.lamb(rate, mask=decayed, **common)]
  if clip_norm:
    steps.insert(0, optax.clip_by_global_norm(clip_norm))
  if bounds:
    steps.append(_bounded(bounds))
  return optax.chain(*steps)


def check_settings(at: str, settings: Mapping[str, Any]) -> None:
  """Checks the fields of `config.train` that `build` and the loop take.

  Args:
    at: path of the fields in error messages.
    settings: the fields.

  Raises:
    UsageError: the optimiser or schedule is unknown, or milestones or a decay
      are invalid.
  """
  lookup.check_choice(f'optimizer (in {at})', settings['optimizer'], OPTIMIZERS)
  lookup.check_choice(
    f'schedule (in {at})',
    settings.get('schedule', 'cosine'),
    schedules.SCHEDULES,
  )
  schedules.check_milestones(
    settings.get('schedule', 'cosine'), tuple(settings.get('milestones', ()))
  )
  decay = settings.get('ema_decay', 0.0)
  if not 0 <= decay < 1:
    raise errors.UsageError(f'{at}.ema_decay must be in [0, 1), got {decay}.')


def is_kernel(params: Any) -> Any:
  """Returns for each parameter array whether weight decay applies to it."""
  return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _bounded(
  bounds: tuple[tuple[str, float], ...],
) -> optax.GradientTransformation:
  """Clips updates so that parameters do not exceed their upper bounds."""

  def update(updates: Any, state: Any, params: Any) -> tuple[Any, Any]:
    cut = dict(updates)
    for name, greatest in bounds:
      cut[name] = jnp.minimum(updates[name], greatest - params[name])
    return cut, state

  return optax.GradientTransformation(lambda _: optax.EmptyState(), update)
