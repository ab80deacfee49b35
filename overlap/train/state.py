"""State that a training run carries from step to step."""

from typing import Any

import flax
import jax
import optax


@flax.struct.dataclass
class TrainState:
  """Complete state of a run, as checkpointed.

  Attributes:
    step: number of steps done, int32 `[]`.
    params: trained parameters.
    batch_stats: running statistics of batch norm, {} if there are none.
    opt_state: state of the optimiser.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  opt_state: optax.OptState


@flax.struct.dataclass
class AveragedState(TrainState):
  """State of a run whose result is an average of the weights over the steps.

  Attributes:
    average: average of {'params', 'batch_stats'}, see `averages`.
  """

  average: Any
