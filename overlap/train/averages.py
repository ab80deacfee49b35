"""An exponential moving average of the weights, which ends as the model.

Polyak and Juditsky, 'Acceleration of Stochastic Approximation by Averaging'
(1992), with the weights of Szegedy et al. (2016). Running statistics are
averaged as the parameters are, so that they belong to them.
"""

from typing import Any

import jax
import jax.numpy as jnp


def of(params: Any, batch_stats: Any, decay: float) -> Any:
  """What is averaged; {} where nothing is, at a decay of 0."""
  return {'params': params, 'batch_stats': batch_stats} if decay else {}


def update(average: Any, new: Any, decay: float, step: jax.Array) -> Any:
  """The average after a step.

  Args:
    average: the one before, with leaves as `new` has them.
    new: the values after the step.
    decay: the most that the average keeps of itself. It keeps less in the
      first steps, (1 + step) / (10 + step), or it would be all beginning.
    step: steps done before this one.
  """
  done = step.astype(jnp.float32)
  kept = jnp.minimum(decay, (1 + done) / (10 + done))
  return jax.tree.map(
    lambda old, value: old * kept + value * (1 - kept), average, new
  )
