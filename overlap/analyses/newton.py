"""Newton search for the best 1/T of several folds that share every pass.

The NLL is convex in b = 1/T, so the sign of its slope at one b tells each fold
on which side its minimum is. A pass over the examples at one b computes the
first four derivatives for every fold. A fold with a nearby minimum computes it
from these with an error of fourth order in the distance, so folds that differ
little need no passes of their own. An end of the bracket is evaluated only if a
step goes beyond it.

`xp` is NumPy or jax.numpy; the functions also work inside jit.
"""

from typing import Any, NamedTuple

Array = Any
# Bracket of T. Zero-shot heads, whose logits are cosines, need 0.01.
LOWEST, HIGHEST = 1e-3, 1e3
_LEAST, _MOST = 1 / HIGHEST, 1 / LOWEST
MAX_PASSES = 128
# Trust region of the derivatives of a pass, in log b.
_NEAR = 0.5


class Search(NamedTuple):
  """State of the search; each field except `passes` is `[folds]`.

  Attributes:
    b: value of 1/T to evaluate next; at the end, the best value.
    low: lower end of the bracket of the best value.
    high: upper end of the bracket of the best value.
    falls: whether any pass had an NLL that decreases with b.
    rises: whether any pass had an NLL that increases with b.
    fades: whether any pass had neither slope nor curvature.
    step: size of the last change of `b`, in its logarithm.
    nll: mean NLL, in nats.
    grad: derivative of `nll` in log T.
    steps: number of passes of the fold.
    done: whether the fold has ended.
    bound: whether it ended without a minimum within the bracket.
    passes: number of passes of all folds.
  """

  b: Array
  low: Array
  high: Array
  falls: Array
  rises: Array
  fades: Array
  step: Array
  nll: Array
  grad: Array
  steps: Array
  done: Array
  bound: Array
  passes: Array


class _Taylor(NamedTuple):
  """Taylor coefficients of the mean NLL at b: the i-th derivative times b^i."""

  nll: Array
  first: Array
  second: Array
  third: Array
  fourth: Array

  def rise(self, r: Array) -> Array:
    """Increase of the NLL from b to `b (1 + r)`."""
    inner = self.second / 2 + r * (self.third / 6 + r * self.fourth / 24)
    return r * (self.first + r * inner)

  def slope(self, r: Array) -> Array:
    """Derivative in log b at `b (1 + r)`."""
    inner = self.second + r * (self.third / 2 + r * self.fourth / 6)
    return (1 + r) * (self.first + r * inner)

  def minimum(self, xp: Any) -> tuple[Array, Array]:
    """Computes the relative step to the minimiser by series reversion.

    Returns:
      The step, of third order, and its error estimate (inf outside the trust
      region).
    """
    second = xp.where(self.second > 0, self.second, 1.0)
    one = -self.first / second
    bend, twist = self.third / (2 * second), self.fourth / (6 * second)
    two = -bend * one**2
    three = (2 * bend**2 - twist) * one**3
    sizes = [xp.abs(term) for term in (one, two, three)]
    least = xp.where(sizes[0] > 0, sizes[0], 1.0)
    # Ratio of each term to the previous one.
    ratio = xp.maximum(sizes[1] / least, xp.sqrt(sizes[2] / least))
    near = (self.second > 0) & (sizes[0] < _NEAR) & (ratio < _NEAR)
    error = sizes[2] * xp.maximum(sizes[0], ratio)
    return one + two + three, xp.where(near, error, xp.inf)


def begin(xp: Any, start: Array, folds: int) -> Search:
  """Returns the initial state, whose first pass is at b = `start`."""
  zeros, no = xp.zeros(folds), xp.zeros(folds, bool)
  return Search(
    b=zeros + start,
    low=zeros + _LEAST,
    high=zeros + _MOST,
    falls=no,
    rises=no,
    fades=no,
    step=zeros + xp.inf,
    nll=zeros,
    grad=zeros,
    steps=xp.zeros(folds, int),
    done=no,
    bound=no,
    passes=xp.zeros((), int),
  )


def going(xp: Any, search: Search) -> Array:
  """Returns whether another pass is needed and allowed."""
  return xp.any(~search.done) & (search.passes < MAX_PASSES)


def point(xp: Any, search: Search) -> Array:
  """Returns b of the next pass: the median of the folds' next values."""
  wanted = xp.sort(xp.where(search.done, xp.inf, search.b))
  return wanted[((~search.done).sum() - 1) // 2]


def advance(
  xp: Any, search: Search, at: Array, sums: Array, tolerance: float
) -> Search:
  """Returns the state after a pass.

  Args:
    xp: namespace of the arrays, NumPy or jax.numpy.
    search: state before the pass.
    at: value of b of the pass.
    sums: sums of the pass, `[6, folds]`, see `softmax.cumulant_sums`.
    tolerance: relative tolerance of b.
  """
  weight = xp.where(sums[0] > 0, sums[0], 1.0)
  taylor = _Taylor(*(total / weight for total in sums[1:]))
  seen = _see(xp, search, at, taylor)
  ended, end = _bounds(xp, seen, at, taylor, nothing=sums[0] <= 0)
  r, error = taylor.minimum(xp)
  r_near = xp.where(error < xp.inf, r, xp.nan)
  b = _propose(xp, seen, at, taylor, r_near)
  found = _found(seen, at * (1 + r), error, tolerance)
  exhausted = seen.high <= seen.low * (1 + tolerance)
  exhausted = exhausted & (xp.abs(at / seen.low - 1) <= tolerance)
  r = xp.where(found & ~ended, r, 0.0)
  found = (found | exhausted) & ~seen.fades
  # A pass far from a fold's own b only contributes the sign of the slope.
  far = xp.abs(xp.log(at / search.b)) > _NEAR
  far = far & (search.b > seen.low) & (search.b < seen.high)
  b = xp.where(far, search.b, b)
  b = xp.where(ended, end, xp.where(found, at * (1 + r), b))
  # If slope and curvature vanished in an earlier pass, keep its NLL.
  faded = ended & search.fades
  new = seen._replace(
    b=b,
    step=xp.where(far, search.step, xp.abs(xp.log(b / search.b))),
    nll=xp.where(faded, search.nll, taylor.nll + taylor.rise(r)),
    grad=xp.where(faded, search.grad, -taylor.slope(r)),
    steps=search.steps + 1,
    done=ended | found,
    bound=ended,
  )
  kept = [xp.where(search.done, old, now) for old, now in zip(search, new)]
  return Search(*kept)._replace(passes=search.passes + 1)


def _see(xp: Any, search: Search, at: Array, taylor: _Taylor) -> Search:
  """Shrinks the brackets and records the signs of the slopes."""
  first = taylor.first
  return search._replace(
    low=xp.where(first <= 0, xp.maximum(search.low, at), search.low),
    high=xp.where(first >= 0, xp.minimum(search.high, at), search.high),
    falls=search.falls | (first < 0),
    rises=search.rises | (first > 0),
    fades=search.fades | ((first == 0) & (taylor.second == 0)),
  )


def _bounds(
  xp: Any, seen: Search, at: Array, taylor: _Taylor, nothing: Array
) -> tuple[Array, Array]:
  """Returns folds without a minimum within the bracket, and their b."""
  first = taylor.first
  hottest, coldest = at <= _LEAST, at >= _MOST
  flat = nothing | (hottest & (first == 0) & seen.fades)
  # The NLL decreases up to the cold end, or until it is constant.
  cold = seen.falls & (seen.fades | (coldest & (first <= 0))) & ~flat
  hot = hottest & (first >= 0) & ~flat & ~cold
  return flat | cold | hot, xp.where(flat, 1.0, xp.where(cold, _MOST, _LEAST))


def _found(seen: Search, b: Array, error: Array, tolerance: float) -> Array:
  # Tolerance for an end of the bracket that rounding put on the wrong side.
  low = (b >= seen.low * (1 - tolerance)) & (b >= _LEAST)
  high = (b <= seen.high * (1 + tolerance)) & (b <= _MOST)
  return (error <= tolerance) & low & high


def _propose(
  xp: Any, seen: Search, at: Array, taylor: _Taylor, r: Array
) -> Array:
  """Proposes the next b: a safe step, an end, or the middle of the bracket.

  Args:
    xp: namespace of the arrays, NumPy or jax.numpy.
    seen: state with the brackets after this pass.
    at: value of b of the pass.
    taylor: derivatives at `at`.
    r: relative step to the minimiser; NaN outside the trust region.
  """
  first, second = taylor.first, taylor.second
  falling = first < 0
  curved = xp.where(second > 0, second, 1.0)
  # Newton's step overshoots least in b where the NLL decreases with b, and in
  # log b where it increases.
  bound = xp.log(_MOST / _LEAST)
  up = xp.log1p(xp.where(falling & (second > 0), -first / curved, xp.inf))
  down = -first / xp.where(falling, 1.0, second + xp.where(first > 0, first, 1))
  step = xp.where(falling, up, down)
  step = xp.where(xp.isnan(r), xp.clip(step, -bound, bound), xp.log1p(r))
  b = xp.clip(at * xp.exp(step), seen.low, seen.high)
  untried = ((b >= _MOST) & ~seen.rises) | ((b <= _LEAST) & ~seen.falls)
  safe = ((b > seen.low) & (b < seen.high)) | untried
  # Steps that do not halve converge slowly or cycle.
  safe = safe & (xp.abs(xp.log(b / seen.b)) < 0.5 * seen.step)
  middle = xp.sqrt(seen.low * seen.high)
  other = xp.where(falling & ~seen.rises, _MOST, middle)
  other = xp.where((first > 0) & ~seen.falls, _LEAST, other)
  # Without slope, a pass at the hot end shows whether there is any.
  other = xp.where(seen.fades, _LEAST, other)
  return xp.where(safe & ~seen.fades, b, other)
