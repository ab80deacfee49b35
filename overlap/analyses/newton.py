"""The search for the best 1/T, of several folds that share every pass.

As a function of b = 1/T the NLL is convex, so its slope rises: the sign at one
b tells each fold on which side its minimum lies. A pass over the examples at
one b gives every fold the first four derivatives there, and with them a fold
whose minimum is near knows it but for an error of the fourth order in the
distance: folds that differ little need no passes of their own. An end of the
bracket is tried only where a step points beyond it.

Written for `xp`, NumPy or jax.numpy, inside of jit and outside.
"""

from typing import Any, NamedTuple

Array = Any
# The bracket of T. Zero-shot heads, whose logits are cosines, need 0.01.
LOWEST, HIGHEST = 1e-3, 1e3
_LEAST, _MOST = 1 / HIGHEST, 1 / LOWEST
MAX_PASSES = 128
# How far from a pass, in log b, a fold still trusts its derivatives.
_NEAR = 0.5


class Search(NamedTuple):
  """Where the search stands; each field but `passes` is `[folds]`.

  Attributes:
    b: 1/T to try next; in the end, the best.
    low: the best is not below this.
    high: nor above this.
    falls: whether the NLL was seen to fall with b.
    rises: whether it was seen to rise.
    fades: whether it was seen to have neither slope nor curvature.
    step: by how much `b` changed last, in its logarithm.
    nll: the mean NLL, in nats.
    grad: its derivative in log T.
    steps: how many passes the fold took.
    done: whether it needs no more.
    bound: whether it ended without a minimum within the bracket.
    passes: how many passes there were.
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
  """The mean NLL around b: its derivatives there, the i-th times b^i."""

  nll: Array
  first: Array
  second: Array
  third: Array
  fourth: Array

  def rise(self, r: Array) -> Array:
    """How much higher the NLL is at `b (1 + r)`."""
    inner = self.second / 2 + r * (self.third / 6 + r * self.fourth / 24)
    return r * (self.first + r * inner)

  def slope(self, r: Array) -> Array:
    """The derivative in log b there."""
    inner = self.second + r * (self.third / 2 + r * self.fourth / 6)
    return (1 + r) * (self.first + r * inner)

  def minimum(self, xp: Any) -> tuple[Array, Array]:
    """Its r, by reversing the series, and the error; inf where it is far."""
    second = xp.where(self.second > 0, self.second, 1.0)
    one = -self.first / second
    bend, twist = self.third / (2 * second), self.fourth / (6 * second)
    two = -bend * one**2
    three = (2 * bend**2 - twist) * one**3
    sizes = [xp.abs(term) for term in (one, two, three)]
    least = xp.where(sizes[0] > 0, sizes[0], 1.0)
    # By how much each term is smaller than the one before.
    ratio = xp.maximum(sizes[1] / least, xp.sqrt(sizes[2] / least))
    near = (self.second > 0) & (sizes[0] < _NEAR) & (ratio < _NEAR)
    error = sizes[2] * xp.maximum(sizes[0], ratio)
    return one + two + three, xp.where(near, error, xp.inf)


def begin(xp: Any, start: Array, folds: int) -> Search:
  """The search before its first pass, which is at b = `start`."""
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
  """Whether another pass is needed, and allowed."""
  return xp.any(~search.done) & (search.passes < MAX_PASSES)


def point(xp: Any, search: Search) -> Array:
  """The b of the next pass: the median of what the folds ask for."""
  wanted = xp.sort(xp.where(search.done, xp.inf, search.b))
  return wanted[((~search.done).sum() - 1) // 2]


def advance(
  xp: Any, search: Search, at: Array, sums: Array, tolerance: float
) -> Search:
  """The search after a pass.

  Args:
    xp: the arrays' namespace.
    search: before it.
    at: b of the pass.
    sums: `[6, folds]`, see `softmax.cumulant_sums`.
    tolerance: of b, relative.
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
  # Of a pass far from where a fold looks, it takes no more than the sign.
  far = xp.abs(xp.log(at / search.b)) > _NEAR
  far = far & (search.b > seen.low) & (search.b < seen.high)
  b = xp.where(far, search.b, b)
  b = xp.where(ended, end, xp.where(found, at * (1 + r), b))
  # A loss that had faded out before the hot end was looked at stays out.
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
  """Shrinks the brackets and notes what was seen."""
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
  """Which folds have no minimum within the bracket, and their b."""
  first = taylor.first
  hottest, coldest = at <= _LEAST, at >= _MOST
  flat = nothing | (hottest & (first == 0) & seen.fades)
  # It falls, and to the coldest end or until nothing is left of it.
  cold = seen.falls & (seen.fades | (coldest & (first <= 0))) & ~flat
  hot = hottest & (first >= 0) & ~flat & ~cold
  return flat | cold | hot, xp.where(flat, 1.0, xp.where(cold, _MOST, _LEAST))


def _found(seen: Search, b: Array, error: Array, tolerance: float) -> Array:
  # Rounding may have put an end of the bracket on the wrong side.
  low = (b >= seen.low * (1 - tolerance)) & (b >= _LEAST)
  high = (b <= seen.high * (1 + tolerance)) & (b <= _MOST)
  return (error <= tolerance) & low & high


def _propose(
  xp: Any, seen: Search, at: Array, taylor: _Taylor, r: Array
) -> Array:
  """Where to look next: a step where it is safe, else an end or the middle.

  Args:
    xp: the arrays' namespace.
    seen: with the brackets after this pass.
    at: b of the pass.
    taylor: what it found.
    r: the minimum by the series; NaN where that is far.
  """
  first, second = taylor.first, taylor.second
  falling = first < 0
  curved = xp.where(second > 0, second, 1.0)
  # Newton's step overshoots least in b where the NLL falls with b, and in
  # log b where it rises.
  bound = xp.log(_MOST / _LEAST)
  up = xp.log1p(xp.where(falling & (second > 0), -first / curved, xp.inf))
  down = -first / xp.where(falling, 1.0, second + xp.where(first > 0, first, 1))
  step = xp.where(falling, up, down)
  step = xp.where(xp.isnan(r), xp.clip(step, -bound, bound), xp.log1p(r))
  b = xp.clip(at * xp.exp(step), seen.low, seen.high)
  untried = ((b >= _MOST) & ~seen.rises) | ((b <= _LEAST) & ~seen.falls)
  safe = ((b > seen.low) & (b < seen.high)) | untried
  # Steps that don't halve would crawl or cycle.
  safe = safe & (xp.abs(xp.log(b / seen.b)) < 0.5 * seen.step)
  middle = xp.sqrt(seen.low * seen.high)
  other = xp.where(falling & ~seen.rises, _MOST, middle)
  other = xp.where((first > 0) & ~seen.falls, _LEAST, other)
  # Without any slope the hot end tells whether there is one anywhere.
  other = xp.where(seen.fades, _LEAST, other)
  return xp.where(safe & ~seen.fades, b, other)
