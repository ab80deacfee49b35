"""Optimisers from optax, with warm-up and a schedule.

LARS: You et al., 'Large Batch Training of Convolutional Networks' (2017);
LAMB: You et al., 'Large Batch Optimization for Deep Learning' (ICLR 2020).
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from overlap import errors, lookup
from overlap.train import schedules

OPTIMIZERS = ('sgd', 'adamw', 'rmsprop', 'lars', 'lamb')
# Of 'rmsprop', as EfficientNet is trained (Tan and Le 2019).
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
    name: 'sgd' (with momentum, L2 added to the gradient, as ResNets are
      trained), 'adamw' (decoupled weight decay, as ViTs are), 'rmsprop' (with
      momentum, L2 added to the gradient, as Inception and EfficientNets are),
      'lars' or 'lamb' (counterparts of the first two for large batches, with a
      rate for each parameter array; LARS leaves biases and normalisation at
      the common rate).
    learning_rate: learning rate at the end of the warm-up.
    warmup_steps: number of steps of linear growth from 0.
    total_steps: number of steps of the schedule.
    weight_decay: weight decay, on kernels only, never on biases and
      normalisation.
    momentum: momentum of 'sgd', 'rmsprop' and 'lars'.
    clip_norm: the gradient's greatest global norm; 0 for no bound.
    schedule: see `schedules.build`, as for the next two.
    milestones: milestones of the schedule 'step'.
    decay_factor: factor of the schedule 'step'.
    nesterov: whether that momentum is Nesterov's.
    decay_all: weight decay on all parameters after all, biases included.
    bounds: names of parameters at the top of the tree, and values that they
      do not exceed after a step.

  Raises:
    UsageError: an unknown name, or a schedule that can't be.
  """
  lookup.check('optimizer', name, OPTIMIZERS)
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
    at: what error texts call the place of the fields.
    settings: the fields.

  Raises:
    UsageError: no such optimiser or schedule, milestones or a decay that
      can't be.
  """
  lookup.check(f'optimizer (in {at})', settings['optimizer'], OPTIMIZERS)
  lookup.check(
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
  """For each parameter array whether weight decay is meant for it."""
  return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _bounded(
  bounds: tuple[tuple[str, float], ...],
) -> optax.GradientTransformation:
  """Cuts updates so that some parameters do not exceed their bounds."""

  def update(updates: Any, state: Any, params: Any) -> tuple[Any, Any]:
    cut = dict(updates)
    for name, greatest in bounds:
      cut[name] = jnp.minimum(updates[name], greatest - params[name])
    return cut, state

  return optax.GradientTransformation(lambda _: optax.EmptyState(), update)
