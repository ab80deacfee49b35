"""One training step, compiled once and run on all devices."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from overlap import parallel
from overlap.train import accumulate, averages
from overlap.train.state import AveragedState, TrainState


class Aux(NamedTuple):
  """Auxiliary outputs of a loss.

  Attributes:
    batch_stats: the new running statistics.
    metrics: scalars for the log.
  """

  batch_stats: Any
  metrics: dict[str, jax.Array]


# (params, batch_stats, constants, batch, key) -> (loss [], Aux)
Loss = Callable[..., tuple[jax.Array, Aux]]


@dataclasses.dataclass(frozen=True)
class Scheduled:
  """A loss that is another at every step.

  Attributes:
    at: gives the loss of a step, an int32 [] that is traced.
  """

  at: Callable[[jax.Array], Loss]


@functools.partial(
  jax.jit,
  static_argnames=(
    'loss',
    'optimizer',
    'ema_decay',
    'accumulate_steps',
    'sharding',
  ),
  donate_argnames='state',
)
def train_step(
  state: TrainState,
  constants: Any,
  batch: dict[str, jax.Array],
  seed: jax.Array,
  *,
  loss: Loss | Scheduled,
  optimizer: optax.GradientTransformation,
  ema_decay: float = 0.0,
  accumulate_steps: int = 1,
  sharding: str = 'replicated',
) -> tuple[TrainState, dict[str, jax.Array]]:
  """Takes one step down the gradient of `loss`.

  Args:
    state: donated; use what is returned.
    constants: arrays the loss needs that are not trained (a teacher's
      variables), never closed over, which would compile them in.
    batch: 'image' uint8 `[B, H, W, C]` and 'label' int32 `[B]`, sharded by
      example.
    seed: seed of the run; the step's own key is `fold_in(key(seed), step)`.
    loss: loss function, `Loss` or `Scheduled`.
    optimizer: the optax transformation.
    ema_decay: decay of the average of the weights; see `averages.update`.
    accumulate_steps: parts that the batch is computed in; see `accumulate`.
    sharding: name from `parallel.SHARDINGS`; how the state is spread, and
      stays.

  Returns:
    The new state, and the metrics with 'loss' and 'grad_norm'.
  """
  if isinstance(loss, Scheduled):
    loss = loss.at(state.step)
  (value, aux), grads = accumulate.value_and_grad(loss, accumulate_steps)(
    state.params,
    state.batch_stats,
    constants,
    batch,
    jax.random.fold_in(jax.random.key(seed), state.step),
  )
  # Summed where they are used: of sharded parameters no device has them all.
  grads = parallel.constrain(grads, sharding)
  updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  metrics = aux.metrics | {
    'loss': value,
    'grad_norm': optax.tree.norm(grads),
  }
  after = dataclasses.replace(
    state,
    step=state.step + 1,
    params=params,
    batch_stats=aux.batch_stats,
    opt_state=opt_state,
  )
  if isinstance(after, AveragedState):
    after = averages.update(after, ema_decay)
  return parallel.constrain(after, sharding), metrics


def create_state(
  params: Any,
  batch_stats: Any,
  optimizer: optax.GradientTransformation,
  ema_decay: float = 0.0,
) -> TrainState:
  """The state before the first step; an `AveragedState` at a decay above 0."""
  state = TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=batch_stats,
    opt_state=optimizer.init(params),
  )
  return averages.begin(state) if ema_decay else state
