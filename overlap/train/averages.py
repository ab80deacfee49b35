"""Exponential moving average of the weights, used as the trained model.

Polyak and Juditsky, 'Acceleration of Stochastic Approximation by Averaging'
(1992), with the exponential weights of Szegedy et al. (2016). Running
statistics are averaged like the parameters, to stay consistent with them.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from overlap.train.state import AveragedState, TrainState


def begin(state: TrainState) -> AveragedState:
  """Returns the initial state of a run whose weights are averaged."""
  # A copy, since steps donate their inputs.
  average = jax.tree.map(jnp.copy, _weights(state))
  return AveragedState(
    step=state.step,
    params=state.params,
    batch_stats=state.batch_stats,
    opt_state=state.opt_state,
    average=average,
  )


def update(state: AveragedState, decay: float) -> AveragedState:
  """Updates the average with the weights after a step.

  Args:
    state: state after the step, with the average before it.
    decay: decay of the average. In the first steps it is limited to
      step / (9 + step), so that the initial weights do not dominate.
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
