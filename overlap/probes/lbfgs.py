"""L-BFGS for convex losses as a state machine, one evaluation per step.

The caller evaluates the loss at `trial(state)` and passes value and gradient
to `advance`: in a compiled loop over features in memory, or in a loop that
reads them in blocks. The code is for one problem; under `jax.vmap` several
problems share their evaluations, each with a step length of its own.

The direction is the two-loop recursion of L-BFGS (Nocedal and Wright,
'Numerical Optimization', 2nd ed., algorithms 7.4 and 7.5), with a diagonal
initial inverse Hessian whose scale is that of their equation 7.20.

The line search brackets a step and interpolates, as their algorithms 3.5 and
3.6 do, but from slopes alone: near the optimum float32 can't resolve
differences of losses, while the slope keeps its sign. For a convex function
the sign of the slope tells on which side of the minimum a point lies.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Number of curvature pairs.
MEMORY = 10
# Bounds of the slope at an accepted step, relative to the initial slope: above
# the first (curvature condition), and not rising faster than the second.
_FALLING, _RISING = 0.9, 0.5
# Relative increase of the loss that is attributed to float32 rounding.
_SLACK = 1e-6
# Maximal number of evaluations along one direction.
_TRIALS = 20
# Maximal number of consecutive steps without a lower loss or a smaller
# gradient: beyond it the precision of float32 is exhausted.
_PATIENCE = 30
# Number of steps before the model of the curvature is trusted.
_LEAST_STEPS = 2
# Safety factor on the decrease predicted by L-BFGS. The prediction is too
# small by a factor of 3 to 200 while the directions of least curvature are
# unexplored, and by more without a penalty.
_CAUTION = 1000.0
# Steps after which the diagonal initial inverse Hessian is updated.
_RENEWED = (8, 32, 128)
_TINY = float(jnp.finfo(jnp.float32).tiny)


class State(NamedTuple):
  """State of the solver, for N coordinates and m curvature pairs.

  Attributes:
    point: last accepted point, `[N]`.
    value: loss at `point`.
    grad: gradient at `point`, `[N]`.
    direction: search direction, `[N]`.
    slope: `grad @ direction`, negative.
    length: next step length to try, relative to `direction`.
    low: lower end of the line-search bracket, the longest step length at which
      the loss still falls.
    low_slope: slope at `low`.
    high: upper end of the bracket, the shortest step length at which the loss
      rises; infinite before one is known.
    high_slope: slope at `high`.
    trials: number of evaluations along this direction.
    moves: steps of the curvature pairs, a ring buffer `[m, N]`.
    changes: gradient changes of the curvature pairs, `[m, N]`.
    weights: 1 / (move @ change) of each pair, `[m]`.
    pairs: number of pairs stored since the ring buffer was last emptied.
    metric: diagonal of the initial inverse Hessian, `[N]`, before scaling.
    scale: scaling of the initial inverse Hessian.
    steps: number of accepted steps.
    evaluations: number of evaluations.
    least_value: lowest loss so far.
    least_norm: smallest gradient norm so far.
    idle: steps since `least_value` or `least_norm` last improved.
    excess: estimated excess of the loss over its minimum: the smaller of the
      caller's upper bound and a cautious prediction from L-BFGS.
    converged: whether `excess` is within the tolerance.
    done: whether the solver has stopped, converged or stuck.
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
  """Returns the state before the first evaluation, at `point` `[N]`."""
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
  """Returns the point `[N]` to evaluate next."""
  return state.point + state.length * state.direction


def advance(
  state: State,
  value: jax.Array,
  grad: jax.Array,
  bound: jax.Array,
  metric: jax.Array,
  tolerance: jax.Array,
) -> State:
  """Updates the state with the loss and its gradient at the trial point.

  Args:
    state: state of the solver; returned unchanged if `done`.
    value: loss at `trial(state)`.
    grad: gradient at `trial(state)`, `[N]`.
    bound: upper bound on the excess of the loss over its minimum; infinite if
      unknown.
    metric: approximate inverse curvature along each coordinate, `[N]`. Used at
      the start and after a few more steps only, since a different one at every
      step would be inconsistent with the stored curvature pairs.
    tolerance: relative excess of the loss at which the solver has converged.
  """
  first = state.steps < 0
  slope = grad @ state.direction
  finite = jnp.isfinite(value) & jnp.isfinite(slope)
  risen = value > state.value + _SLACK * jnp.abs(state.value)
  falls, rises = slope < _FALLING * state.slope, slope > -_RISING * state.slope
  # Rounding alone can make the loss of a short step seem to rise: believe it
  # only where the slope agrees.
  good = finite & ~falls & ~rises & ~(risen & (slope > 0))
  accept = (first | good) & ~state.done
  counted = state._replace(evaluations=state.evaluations + ~state.done)
  stepped = _accepted(
    counted, value, grad, bound, metric, first, accept, tolerance
  )
  searched = _rejected(counted, slope, finite)
  # `_accepted` writes the ring buffer in place, and leaves it unchanged where
  # the step is not accepted; a `jnp.where` would copy it.
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
  """Returns the state after accepting the trial, with a new direction."""
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
  # Rounding can spoil the pairs: then use the scaled steepest descent.
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
  """Returns the state at the start of a line search along `direction`."""
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
  """Stores a curvature pair in the ring buffer if it is useful."""
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
  """Returns the L-BFGS direction by the two-loop recursion (algorithm 7.4)."""
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
  """Returns the state with the next step length to try.

  Interpolates by the secant of the slopes within the bracket, or extrapolates
  beyond the longest step as long as there is no upper end.
  """
  length = state.length
  falls = finite & (slope < 0)
  low = jnp.where(falls, length, state.low)
  low_slope = jnp.where(falls, slope, state.low_slope)
  high = jnp.where(falls, state.high, length)
  # Where the loss is not finite, assume a slope as steep as at `low`.
  rising = jnp.where(finite, slope, -state.low_slope)
  high_slope = jnp.where(falls, state.high_slope, rising)
  trials = state.trials + 1
  failed = trials >= _TRIALS
  # After too many trials, restart along the scaled steepest descent without
  # curvature pairs; if that fails too, stop.
  plain = -state.scale * state.metric * state.grad
  fresh = _searching(state, plain, plain @ state.grad)
  bracketed = jnp.isfinite(high)
  width = jnp.where(bracketed, high - low, 1.0)
  part = low_slope / jnp.minimum(low_slope - high_slope, -_TINY)
  inside = low + width * jnp.clip(part, 0.1, 0.9)
  # No upper end yet: extrapolate the secant of the last two slopes.
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
