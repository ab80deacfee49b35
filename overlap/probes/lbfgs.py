"""L-BFGS for convex losses as a machine that is fed one evaluation a step.

Whoever evaluates the loss drives it: a compiled loop over features in memory,
or a loop that reads them in blocks. `advance` takes the loss and its gradient
at `trial(state)` and says where to evaluate next. It is written for a single
problem; `jax.vmap` makes it many that share their evaluations, each with a
step length of its own.

The line search looks at slopes and not at differences of losses: near the
optimum float32 has no digits left of a difference, while the slope keeps its
sign. Of a convex function the slope's sign also says on which side the
minimum lies.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Pairs of steps and changes of the gradient that are remembered.
MEMORY = 10
# Slopes, as parts of the first, between which a step is accepted: one that
# has gone far enough, and not too far.
_FALLING, _RISING = 0.9, 0.5
# The loss may seem to rise by this part of itself: rounding in float32.
_SLACK = 1e-6
# Evaluations along one direction at most.
_TRIALS = 20
# Steps without a lower loss or a smaller gradient, after which float32 has no
# more to give.
_PATIENCE = 30
# Two steps tell how much the curvature differs from the one at the start.
_LEAST_STEPS = 2
# What L-BFGS expects to gain is too little where it has not met the directions
# of least curvature: by a factor of 3 to 200, and worse without a penalty.
_CAUTION = 1000.0
# The step after which the metric is taken up again.
_RENEWED = (8, 32, 128)
_TINY = float(jnp.finfo(jnp.float32).tiny)


class State(NamedTuple):
  """State of the search; N coordinates, m curvature pairs.

  Attributes:
    point: `[N]`, the last that was accepted.
    value: the loss there.
    grad: its gradient there, `[N]`.
    direction: `[N]`, along which is searched.
    slope: `grad @ direction`, negative.
    length: length of the step to try next, as a part of `direction`.
    low: the longest step at which the loss still falls.
    low_slope: its slope there.
    high: the shortest at which it rises; infinite while there is none.
    high_slope: its slope there.
    trials: evaluations along this direction.
    moves: `[m, N]`, remembered steps, in a ring.
    changes: `[m, N]`, the changes of the gradient over them.
    weights: `[m]`, 1 / (move @ change).
    pairs: how many were put into the ring since it was last emptied.
    metric: `[N]`, of the inverse Hessian before the pairs,
    scale: and by how much it is longer than that.
    steps: how many were accepted.
    evaluations: how many there were.
    least_value: the lowest loss so far.
    least_norm: the smallest gradient so far.
    idle: steps since either of these two was beaten.
    excess: how far the loss is above its minimum: the caller's bound, or a
      cautious guess where that is less.
    converged: whether that is within the tolerance.
    done: whether nothing more happens: converged, or stuck.
  """

  point: jax.Array
  value: jax.Array
  grad: jax.Array
  direction: jax.Array
  slope: jax.Array
  length: jax.Array
  low: jax.Array
  low_slope: jax.Array
  high: jax.Array
  high_slope: jax.Array
  trials: jax.Array
  moves: jax.Array
  changes: jax.Array
  weights: jax.Array
  pairs: jax.Array
  metric: jax.Array
  scale: jax.Array
  steps: jax.Array
  evaluations: jax.Array
  least_value: jax.Array
  least_norm: jax.Array
  idle: jax.Array
  excess: jax.Array
  converged: jax.Array
  done: jax.Array


def start(point: jax.Array, memory: int = MEMORY) -> State:
  """The state before the first evaluation, which is at `point` `[N]`."""
  zero, count = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32)
  nothing = jnp.zeros_like(point)
  infinite = jnp.full((), jnp.inf, jnp.float32)
  no = jnp.zeros((), bool)
  ring = jnp.zeros((memory, *point.shape), point.dtype)
  return State(
    point=point, value=infinite, grad=nothing, direction=nothing, slope=zero,
    length=zero, low=zero, low_slope=zero, high=infinite, high_slope=zero,
    trials=count, moves=ring, changes=ring, weights=jnp.zeros(memory),
    pairs=count, metric=nothing + 1, scale=zero + 1, steps=count - 1,
    evaluations=count, least_value=infinite, least_norm=infinite, idle=count,
    excess=infinite, converged=no, done=no,
  )  # fmt: skip


def trial(state: State) -> jax.Array:
  """The point `[N]` at which the loss is wanted next."""
  return state.point + state.length * state.direction


def advance(
  state: State,
  value: jax.Array,
  grad: jax.Array,
  bound: jax.Array,
  metric: jax.Array,
  tolerance: jax.Array,
) -> State:
  """Takes the loss and its gradient at the trial, and moves on.

  Args:
    state: where the search stands; one that is done stays as it is.
    value: the loss at `trial(state)`.
    grad: its gradient there, `[N]`.
    bound: how far the loss there is above its minimum at most, as far as the
      caller knows; infinite where nothing is known.
    metric: about the inverse of the curvature there along each coordinate,
      `[N]`. It is taken up at the start and once more after a few steps: taken
      at every one, it would change too much under the remembered pairs.
    tolerance: how far the loss may be above its minimum, as a part of
      itself.
  """
  first = state.steps < 0
  slope = grad @ state.direction
  finite = jnp.isfinite(value) & jnp.isfinite(slope)
  risen = value > state.value + _SLACK * jnp.abs(state.value)
  falls, rises = slope < _FALLING * state.slope, slope > -_RISING * state.slope
  # Rounding alone can make a short step seem to rise: it counts only where
  # the slope agrees.
  good = finite & ~falls & ~rises & ~(risen & (slope > 0))
  accept = (first | good) & ~state.done
  counted = state._replace(evaluations=state.evaluations + ~state.done)
  stepped = _accepted(
    counted, value, grad, bound, metric, first, accept, tolerance
  )
  searched = _rejected(counted, slope, finite)
  # The ring is written in place by `_accepted`, which leaves it be where
  # nothing is accepted: not to be copied by a choice between two.
  ring = {
    name: getattr(stepped, name) for name in ('moves', 'changes', 'weights')
  }
  chosen = [
    jax.tree.map(
      lambda yes, no, old: jnp.where(
        accept, yes, jnp.where(state.done, old, no)
      ),
      getattr(stepped, name),
      getattr(searched, name),
      getattr(state, name),
    )
    if name not in ring
    else ring[name]
    for name in State._fields
  ]
  return State(*chosen)


def _accepted(
  state: State,
  value: jax.Array,
  grad: jax.Array,
  bound: jax.Array,
  metric: jax.Array,
  first: jax.Array,
  accept: jax.Array,
  tolerance: jax.Array,
) -> State:
  """The state after a step to the trial, with a new direction."""
  move = state.length * state.direction
  change = grad - state.grad
  product = move @ change
  steps = state.steps + 1
  renew = (steps == 0) | jnp.any(steps == jnp.asarray(_RENEWED))
  metric = jnp.where(renew, metric, state.metric)
  squared = change @ (metric * change)
  useful = ~first & (product > 0) & (squared > 0)
  state = _remember(state, move, change, product, useful & accept)
  scale = jnp.where(
    useful, product / jnp.where(squared > 0, squared, 1), state.scale
  )
  state = state._replace(
    point=state.point + move,
    value=value,
    grad=grad,
    scale=scale,
    metric=metric,
  )
  norm = jnp.sqrt(grad @ grad)
  better = (value < state.least_value) | (norm < state.least_norm)
  direction = _direction(state)
  slope = grad @ direction
  # Rounding can spoil the pairs: then down the gradient.
  descends = slope < 0
  plain = -scale * metric * grad
  direction = jnp.where(descends, direction, plain)
  slope = jnp.where(descends, slope, plain @ grad)
  guess = jnp.where(steps < _LEAST_STEPS, jnp.inf, -_CAUTION / 2 * slope)
  excess = jnp.minimum(bound, guess)
  converged = (excess <= tolerance * jnp.abs(value)) | (norm == 0)
  idle = jnp.where(better, 0, state.idle + 1)
  return _searching(state, direction, slope)._replace(
    steps=steps,
    least_value=jnp.minimum(value, state.least_value),
    least_norm=jnp.minimum(norm, state.least_norm),
    idle=idle,
    excess=excess,
    converged=converged,
    done=converged | (idle >= _PATIENCE) | ~jnp.isfinite(value),
  )


def _searching(state: State, direction: jax.Array, slope: jax.Array) -> State:
  """The state at the beginning of a search along a direction."""
  zero = jnp.zeros_like(state.low)
  return state._replace(
    direction=direction,
    slope=slope,
    length=zero + 1,
    low=zero,
    low_slope=slope,
    high=zero + jnp.inf,
    high_slope=zero,
    trials=jnp.zeros_like(state.trials),
  )


def _remember(
  state: State,
  move: jax.Array,
  change: jax.Array,
  product: jax.Array,
  useful: jax.Array,
) -> State:
  """Puts a pair into the ring, if it is useful."""
  place = state.pairs % len(state.weights)

  def put(ring: jax.Array, new: jax.Array) -> jax.Array:
    return ring.at[place].set(jnp.where(useful, new, ring[place]))

  return state._replace(
    moves=put(state.moves, move),
    changes=put(state.changes, change),
    weights=put(state.weights, 1 / jnp.where(useful, product, 1)),
    pairs=state.pairs + useful,
  )


def _direction(state: State) -> jax.Array:
  """Minus the approximate inverse Hessian times the gradient: two loops."""
  memory = len(state.weights)

  def newer_to_older(i, carry):
    rest, parts = carry
    place = (state.pairs - 1 - i) % memory
    weight = jnp.where(i < state.pairs, state.weights[place], 0)
    part = weight * (state.moves[place] @ rest)
    return rest - part * state.changes[place], parts.at[place].set(part)

  def older_to_newer(i, rest):
    place = (state.pairs + i) % memory
    weight = jnp.where(memory - i <= state.pairs, state.weights[place], 0)
    other = weight * (state.changes[place] @ rest)
    return rest + (parts[place] - other) * state.moves[place]

  rest, parts = jax.lax.fori_loop(
    0, memory, newer_to_older, (state.grad, jnp.zeros_like(state.weights))
  )
  rest = jax.lax.fori_loop(
    0, memory, older_to_newer, state.scale * state.metric * rest
  )
  return -rest


def _rejected(state: State, slope: jax.Array, finite: jax.Array) -> State:
  """The state with a shorter or a longer step to try along the direction."""
  length = state.length
  falls = finite & (slope < 0)
  low = jnp.where(falls, length, state.low)
  low_slope = jnp.where(falls, slope, state.low_slope)
  high = jnp.where(falls, state.high, length)
  # Where nothing is known, as if the slope there were as steep.
  rising = jnp.where(finite, slope, -state.low_slope)
  high_slope = jnp.where(falls, state.high_slope, rising)
  trials = state.trials + 1
  failed = trials >= _TRIALS
  # Once more down the gradient, without what was remembered; if that fails
  # too, there is nothing more to gain.
  plain = -state.scale * state.metric * state.grad
  fresh = _searching(state, plain, plain @ state.grad)
  bracketed = jnp.isfinite(high)
  width = jnp.where(bracketed, high - low, 1.0)
  part = low_slope / jnp.minimum(low_slope - high_slope, -_TINY)
  inside = low + width * jnp.clip(part, 0.1, 0.9)
  # Without a step that is too long, as far as the slopes of two point.
  gained = jnp.maximum(slope - state.low_slope, _TINY)
  ahead = length + (length - state.low) * jnp.clip(-slope / gained, 0.5, 9.0)
  again = failed & (state.pairs > 0)
  pick = lambda new, old: jnp.where(again, new, old)  # noqa: E731
  return state._replace(
    direction=pick(fresh.direction, state.direction),
    slope=pick(fresh.slope, state.slope),
    length=pick(1.0, jnp.where(bracketed, inside, ahead)),
    low=pick(fresh.low, low),
    low_slope=pick(fresh.low_slope, low_slope),
    high=pick(fresh.high, high),
    high_slope=pick(fresh.high_slope, high_slope),
    trials=pick(0, trials),
    pairs=pick(0, state.pairs),
    done=state.done | (failed & (state.pairs == 0)),
  )
