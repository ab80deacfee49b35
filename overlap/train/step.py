"""Training step, compiled once and run on all devices."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from overlap.distributed import meshes
from overlap.train import accumulate, averages
from overlap.train.state import AveragedState, TrainState


class Aux(NamedTuple):
  """Auxiliary outputs of a loss.

  Attributes:
    batch_stats: new running statistics.
    metrics: scalars for the log.
  """

  batch_stats: Any
  metrics: dict[str, jax.Array]


# (params, batch_stats, constants, batch, key) -> (loss [], Aux)
Loss = Callable[..., tuple[jax.Array, Aux]]


@dataclasses.dataclass(frozen=True)
class Scheduled:
  """Loss that depends on the step.

  Attributes:
    at: function of the traced step, int32 [], that returns the `Loss`.
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
  """Takes one optimiser step on `loss`.

  Args:
    state: state before the step; donated.
    constants: untrained arrays of the loss (such as a teacher's variables),
      passed as arguments so that they are not compiled in as constants.
    batch: batch with 'image' uint8 `[B, H, W, C]` and 'label' int32 `[B]`,
      sharded by example.
    seed: seed of the run; the key of the step is `fold_in(key(seed), step)`.
    loss: loss function, `Loss` or `Scheduled`.
    optimizer: optax transformation.
    ema_decay: decay of the average of the weights; see `averages.update`.
    accumulate_steps: number of parts per batch; see `accumulate`.
    sharding: sharding of the state before and after the step, a name from
      `meshes.SHARDINGS`.

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
  # Reduce-scatter: of sharded parameters no device needs all gradients.
  grads = meshes.constrain(grads, sharding)
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
  return meshes.constrain(after, sharding), metrics


def create_state(
  params: Any,
  batch_stats: Any,
  optimizer: optax.GradientTransformation,
  ema_decay: float = 0.0,
) -> TrainState:
  """Returns the initial state; an `AveragedState` if `ema_decay` > 0."""
  state = TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=batch_stats,
    opt_state=optimizer.init(params),
  )
  return averages.begin(state) if ema_decay else state
