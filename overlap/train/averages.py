"""An exponential moving average of the weights, which ends as the model.

Polyak and Juditsky, 'Acceleration of Stochastic Approximation by Averaging'
(1992), with the weights of Szegedy et al. (2016). Running statistics are
averaged as the parameters are, so that they belong to them.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from overlap.train.state import AveragedState, TrainState


def begin(state: TrainState) -> AveragedState:
  """The state of a run that is averaged, before its first step."""
  # A copy, since steps donate what they are given.
  average = jax.tree.map(jnp.copy, _weights(state))
  return AveragedState(
    step=state.step,
    params=state.params,
    batch_stats=state.batch_stats,
    opt_state=state.opt_state,
    average=average,
  )


def update(state: AveragedState, decay: float) -> AveragedState:
  """Takes the weights after a step into the average.

  Args:
    state: after the step, with the average before it.
    decay: the most that the average keeps of itself. It keeps less in the
      first steps, step / (9 + step), or it would be all beginning.
  """
  done = state.step.astype(jnp.float32)
  kept = jnp.minimum(decay, done / (9 + done))
  average = jax.tree.map(
    lambda old, value: old * kept + value * (1 - kept),
    state.average,
    _weights(state),
  )
  return dataclasses.replace(state, average=average)


def _weights(state: TrainState) -> dict[str, Any]:
  return {'params': state.params, 'batch_stats': state.batch_stats}
