"""Concurrent solution of many strengths with warm starts.

A slot holds the problem of one strength, and all slots share each pass over
the features. A slot that is done takes the next strength of the list and
starts at the point of the slot with the most recent strength, since solutions
of neighbouring strengths are close. No slot waits for the slowest of a batch.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from overlap.probes import lbfgs

Array = Any  # NumPy or JAX array.


class Setting(NamedTuple):
  """Constants of a path of S strengths.

  Attributes:
    l2: strengths in the order in which they are solved, `[S, g]`, one per
      problem.
    variances: variances of the features along their principal axes, `[d]`.
    rates: second derivative of the loss with respect to each logit at the
      class frequencies, `[k]`.
    tolerance: tolerance of the relative excess of a loss over its minimum.
    max_steps: maximal number of L-BFGS steps.
  """

  l2: Array
  variances: Array
  rates: Array
  tolerance: Array
  max_steps: Array


class Solutions(NamedTuple):
  """Solutions for S strengths with g problems each: 1, or one per class.

  Attributes:
    params: parameters `[S, k, d + 1]`, biases last.
    loss: losses `[S, g]`.
    grad_norm: norms of the gradients, `[S, g]`.
    excess: upper bounds on the excess of the losses, `[S, g]`.
    steps: numbers of L-BFGS steps, `[S, g]`.
    evaluations: numbers of evaluations, `[S, g]`.
    converged: whether each problem converged, `[S, g]`.
  """

  params: jax.Array
  loss: jax.Array
  grad_norm: jax.Array
  excess: jax.Array
  steps: jax.Array
  evaluations: jax.Array
  converged: jax.Array


class Slots(NamedTuple):
  """State of p slots of g problems each.

  Attributes:
    states: L-BFGS states; each leaf is `[p, g, ...]`.
    held: index of the strength of each slot, `[p]`; S or more for none.
    taken: number of strengths assigned so far.
    passes: number of passes over the features.
    solutions: solutions of the strengths that are done.
  """

  states: lbfgs.State
  held: jax.Array
  taken: jax.Array
  passes: jax.Array
  solutions: Solutions


def begin(setting: Setting, first: jax.Array, *, slots: int) -> Slots:
  """Assigns the first strengths to the slots.

  Args:
    setting: constants of the path.
    first: starting point, `[k, d + 1]`.
    slots: number of slots.
  """
  count, groups = setting.l2.shape
  index = jnp.arange(slots)
  points = jnp.repeat(first[None], slots, axis=0).reshape(slots, groups, -1)
  numbers = jnp.zeros((count, groups), jnp.float32)
  counts = jnp.zeros((count, groups), jnp.int32)
  return Slots(
    states=jax.vmap(jax.vmap(lbfgs.start))(points),
    held=index,
    taken=jnp.asarray(min(slots, count)),
    passes=jnp.zeros((), jnp.int32),
    solutions=Solutions(
      jnp.zeros((count, *first.shape)), numbers, numbers, numbers, counts,
      counts, jnp.zeros((count, groups), bool),
    ),
  )  # fmt: skip


def unfinished(now: Slots, setting: Setting) -> jax.Array:
  """Returns whether any slot still has a strength to solve."""
  return jnp.any(now.held < len(setting.l2))


def trials(now: Slots, setting: Setting) -> tuple[jax.Array, jax.Array]:
  """Returns parameters `[p, k, d + 1]` to evaluate and `l2` `[p, g]`."""
  points = jax.vmap(jax.vmap(lbfgs.trial))(now.states)
  return _as_params(points, setting), _strengths(setting, now.held)


def advance(
  now: Slots,
  setting: Setting,
  values: jax.Array,
  grads: jax.Array,
  bends: jax.Array,
) -> Slots:
  """Updates the slots with the evaluations at the trial points.

  Args:
    now: state of the slots.
    setting: constants of the path.
    values: losses `[p, g]`.
    grads: gradients `[p, k, d + 1]`.
    bends: traces of the Hessians with respect to the logits, `[p, g]`.
  """
  flat = now.states.grad.shape
  bounds = _bounds(setting, now.held, values, grads)
  metrics = _metrics(setting, now.held, bends).reshape(flat)
  axes = (0, 0, 0, 0, 0, None)
  step = jax.vmap(jax.vmap(lbfgs.advance, axes), axes)
  states = step(
    now.states, values, grads.reshape(flat), bounds, metrics, setting.tolerance
  )
  stopped = states.done | (states.steps >= setting.max_steps)
  states = states._replace(done=stopped)
  now = now._replace(states=states, passes=now.passes + 1)
  ended = jnp.all(stopped, axis=1) & (now.held < len(setting.l2))
  return jax.lax.cond(
    jnp.any(ended), _refill, lambda now, *_: now, now, setting, ended
  )


def _refill(now: Slots, setting: Setting, ended: jax.Array) -> Slots:
  """Stores finished solutions and assigns the next strengths to the slots."""
  params = _as_params(now.states.point, setting)
  count = len(setting.l2)
  solutions = _stored(now, jnp.where(ended, now.held, count), params)
  index = jnp.where(ended, now.taken + jnp.cumsum(ended) - 1, now.held)
  newest = jnp.argmax(jnp.where(now.held < count, now.held, -1))
  points = jnp.broadcast_to(
    now.states.point[newest][None], now.states.point.shape
  )
  fresh = jax.vmap(jax.vmap(lambda p: lbfgs.start(p, 1)))(points)

  def choose(name: str) -> jax.Array:
    old = getattr(now.states, name)
    if name in ('moves', 'changes', 'weights'):
      return old  # Unused as long as `pairs` is 0.
    chosen = ended.reshape(-1, *(1,) * (old.ndim - 1))
    return jnp.where(chosen, getattr(fresh, name), old)

  return now._replace(
    states=lbfgs.State(*map(choose, lbfgs.State._fields)),
    held=index,
    taken=now.taken + jnp.sum(ended),
    solutions=solutions,
  )


def _as_params(points: jax.Array, setting: Setting) -> jax.Array:
  """Reshapes `[p, g, N]` to `[p, k, d + 1]`."""
  return points.reshape(len(points), -1, len(setting.variances) + 1)


def _stored(now: Slots, places: jax.Array, params: jax.Array) -> Solutions:
  """Stores the slots' solutions at the indices `places`; S stores nothing."""
  states = now.states
  new = Solutions(
    params=params,
    loss=states.value,
    grad_norm=jnp.linalg.norm(states.grad, axis=2),
    excess=states.excess,
    steps=states.steps,
    evaluations=states.evaluations,
    converged=states.converged,
  )
  return jax.tree.map(
    lambda old, some: old.at[places].set(some, mode='drop'),
    now.solutions,
    new,
  )


def _bounds(
  setting: Setting, index: jax.Array, values: jax.Array, grads: jax.Array
) -> jax.Array:
  """Returns upper bounds on the excess of losses `[p, g]` over their minima.

  The penalty makes the loss strongly convex in the kernel, so its excess is at
  most |gradient|^2 / (2 l2). This is exact where the data are fitted so well
  that the penalty is all the curvature there is. The biases have no penalty;
  their curvature is taken as that at the class frequencies, reduced in
  proportion to the loss.
  """
  squares = jnp.square(grads).reshape(*values.shape, -1, grads.shape[2])
  kernel = jnp.sum(squares[..., :-1], axis=(2, 3))
  rates = setting.rates.reshape(1, values.shape[1], -1)
  bias = jnp.sum(squares[..., -1] / rates, axis=2)
  bias = bias / jnp.clip(values, 1e-30, 1)
  l2 = _strengths(setting, index)
  return kernel / (2 * jnp.maximum(l2, 1e-30)) + bias / 2


def _strengths(setting: Setting, index: jax.Array) -> jax.Array:
  """Returns the strength of each slot; the last one for an empty slot."""
  return setting.l2[jnp.minimum(index, len(setting.l2) - 1)]


def _metrics(setting: Setting, index: jax.Array, bends: jax.Array) -> jax.Array:
  """Returns the approximate inverse diagonal Hessian, `[p, k, d + 1]`.

  The Hessian's diagonal is approximated by the variance of the features along
  each principal axis times the curvature with respect to the logits at the
  class frequencies, rescaled to the present total curvature, plus the penalty
  (for kernels only).
  """
  groups = bends.shape[1]
  rates = setting.rates.reshape(groups, -1)
  share = bends / jnp.sum(rates, axis=1)[None]
  rates = (rates[None] * share[:, :, None]).reshape(len(bends), -1)[:, :, None]
  l2 = _strengths(setting, index)
  l2 = jnp.repeat(l2, rates.shape[1] // groups, axis=1)[:, :, None]
  kernel = rates * setting.variances[None, None] + l2
  # Without a penalty, an axis of zero variance has zero curvature.
  floor = jnp.max(kernel, axis=2, keepdims=True) * 1e-9
  kernel = jnp.maximum(jnp.maximum(kernel, floor), 1e-30)
  return 1 / jnp.concatenate([kernel, jnp.maximum(rates, 1e-30)], axis=2)


def found(now: Slots) -> dict[str, Any]:
  """Returns the solutions and the number of passes, for the host."""
  return now.solutions._asdict() | {'passes': now.passes}
