"""State that a training run carries from step to step."""

from typing import Any

import flax
import jax
import optax


@flax.struct.dataclass
class TrainState:
  """A checkpoint of a run; everything else is a function of it.

  Attributes:
    step: steps done, int32 `[]`.
    params: the trained parameters.
    batch_stats: running statistics of batch norm, {} where there are none.
    opt_state: the optimiser's.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  opt_state: optax.OptState


@flax.struct.dataclass
class AveragedState(TrainState):
  """A checkpoint of a run whose result is an average over its steps.

  Attributes:
    average: {'params', 'batch_stats'}, see `averages`.
  """

  average: Any
