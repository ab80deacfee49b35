"""The temperature of least negative log-likelihood, found without fail.

As a function of 1/T the NLL is convex, so its derivative in log T changes
sign at most once: Newton's method within a bracket that every step shrinks
finds that place or shows that it is beyond the bracket's ends.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# The bracket. Zero-shot heads, whose logits are cosines, need 0.01.
LOWEST, HIGHEST = 1e-3, 1e3
_TOLERANCE = 1e-5  # In log T: above the rounding of sums in float32.
_MAX_STEPS = 64
# Logits of a block: several such arrays stay in a processor's cache.
_BLOCK = 2**18
# Losses are cut off here, in nats, so that their sum stays finite.
_FAR = 1e30


class Fit(NamedTuple):
  """A fitted temperature; every field is a scalar, or `[folds]`.

  Attributes:
    temperature: within [1e-3, 1e3], never NaN.
    nll: the mean negative log-likelihood there, in nats; 0 without examples.
    grad: its derivative in log T.
    steps: how many Newton or bisection steps were taken.
    converged: whether a minimum was found within the bracket.
    bound_hit: whether there is none: the NLL falls up to an end of the
      bracket, which is then the temperature, or is the same at all
      temperatures, and the temperature is 1.
  """

  temperature: Any
  nll: Any
  grad: Any
  steps: Any
  converged: Any
  bound_hit: Any


class _Search(NamedTuple):
  """Where the search stands, each field `[folds]`; `x` is log T."""

  x: jax.Array
  low: jax.Array
  high: jax.Array
  step: jax.Array
  values: jax.Array  # [3, folds]: the NLL, its first and second derivative.
  steps: jax.Array
  done: jax.Array


def fit_folds(
  logits: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Fit:
  """Fits one temperature for each row of weights, all in one go.

  Args:
    logits: `[examples, classes]`. A class with -inf is ruled out. Rows with
      NaN or +inf, and rows whose label has -inf (no temperature makes their
      loss finite), are left out, as are labels that are no class.
    labels: `[examples]` class indices.
    weights: `[folds, examples]`, at least 0.

  Returns:
    `Fit` of `[folds]` arrays.
  """
  blocks = _blocks(
    np.asarray(logits, np.float32),
    np.asarray(labels, np.int32),
    np.asarray(weights, np.float32),
  )
  return Fit(*map(np.asarray, _solve(*blocks)))


def _blocks(
  logits: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Cuts the examples into blocks, padded with examples of weight 0.

  Returns:
    `[blocks, rows, classes]`, `[blocks, rows]`, `[blocks, folds, rows]`.
  """
  total, classes = logits.shape
  rows = max(1, _BLOCK // max(1, classes))
  # Few shapes, so that few are compiled.
  rows = min(rows, 1 << max(0, total - 1).bit_length())
  missing = -total % rows if total else rows
  if missing:
    logits = np.pad(logits, ((0, missing), (0, 0)))
    labels = np.pad(labels, (0, missing))
    weights = np.pad(weights, ((0, 0), (0, missing)))
  folds = len(weights)
  return (
    logits.reshape(-1, rows, classes),
    labels.reshape(-1, rows),
    weights.reshape(folds, -1, rows).swapaxes(0, 1),
  )


@jax.jit
def _solve(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> Fit:
  low, high = np.log(LOWEST), np.log(HIGHEST)

  def evaluate(x: jax.Array) -> jax.Array:
    return _evaluate(x, logits, labels, weights)

  folds = weights.shape[1]
  # The rows are the same for all folds where the temperature is.
  starts = jnp.array([low, high, 0.0])[:, jnp.newaxis]
  at_low, at_high, at_one = jax.lax.map(evaluate, starts)
  # Bounds first: whether there is anything to search for.
  flat = (at_low[1] == 0) & (at_high[1] == 0)
  below = (at_low[1] >= 0) & ~flat
  above = (at_high[1] <= 0) & ~flat & ~below
  begin = _Search(
    x=jnp.zeros(folds),
    low=jnp.full((folds,), low),
    high=jnp.full((folds,), high),
    step=jnp.full((folds,), high - low),
    values=at_one,
    steps=jnp.zeros(folds, jnp.int32),
    done=flat | below | above,
  )
  end = jax.lax.while_loop(
    lambda s: jnp.any(~s.done & (s.steps < _MAX_STEPS)),
    lambda s: _advance(s, evaluate),
    begin,
  )
  found = jnp.where(below, at_low, jnp.where(above, at_high, end.values))
  x = jnp.where(below, low, jnp.where(above, high, end.x))
  bound_hit = flat | below | above
  return Fit(
    temperature=jnp.clip(jnp.exp(x), LOWEST, HIGHEST),
    nll=found[0],
    grad=found[1],
    steps=end.steps,
    converged=end.done & ~bound_hit,
    bound_hit=bound_hit,
  )


def _advance(
  search: _Search, evaluate: Callable[[jax.Array], jax.Array]
) -> _Search:
  """One step: Newton's where it is safe, bisection elsewhere."""
  _, first, second = search.values
  low = jnp.where(first > 0, search.low, search.x)
  high = jnp.where(first > 0, search.x, search.high)
  newton = search.x - first / jnp.where(second > 0, second, 1.0)
  size = jnp.abs(newton - search.x)
  # Steps that don't halve would crawl or cycle. A tiny one is the last, and
  # may leave a bracket whose end rounding has put on the wrong side.
  safe = (newton > low) & (newton < high) & (size < 0.5 * jnp.abs(search.step))
  safe = (second > 0) & (safe | (size <= _TOLERANCE))
  x = jnp.where(safe, newton, 0.5 * (low + high))
  step = x - search.x
  active = ~search.done

  def keep(new: jax.Array, old: jax.Array) -> jax.Array:
    return jnp.where(active, new, old)

  x = keep(x, search.x)
  values = jnp.where(active[jnp.newaxis], evaluate(x), search.values)
  done = (jnp.abs(step) <= _TOLERANCE) | (values[1] == 0)
  return _Search(
    x=x,
    low=keep(low, search.low),
    high=keep(high, search.high),
    step=keep(step, search.step),
    values=values,
    steps=search.steps + active,
    done=search.done | done,
  )


def _evaluate(
  x: jax.Array, logits: jax.Array, labels: jax.Array, weights: jax.Array
) -> jax.Array:
  """The mean NLL at T = exp(x) and its derivatives in x, `[3, folds]`.

  Args:
    x: `[folds]`, or `[1]` for all folds.
    logits: `[blocks, rows, classes]`.
    labels: `[blocks, rows]`.
    weights: `[blocks, folds, rows]`.
  """

  def add(carry, block):
    sums, lost = carry
    logits, labels, weights = block
    rows, usable = _rows(x, logits, labels)
    weights = jnp.where(usable[jnp.newaxis], weights, 0.0)[jnp.newaxis]
    rows = jnp.concatenate([rows, jnp.ones_like(rows[:1])])
    # Kahan's sum: what rounding takes off is put back with the next block.
    term = (rows * weights).sum(axis=-1) - lost
    new = sums + term
    return (new, (new - sums) - term), None

  start = jnp.zeros((4, weights.shape[1]))
  (sums, _), _ = jax.lax.scan(add, (start, start), (logits, labels, weights))
  return sums[:3] / jnp.where(sums[3:] > 0, sums[3:], 1.0)


def _rows(
  x: jax.Array, logits: jax.Array, labels: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The NLL of each example and its derivatives in x.

  With `u = (z - max z) / T`, `p = softmax(u)` and `y` the label's index,

    nll = log sum exp(u) - u_y,    nll' = u_y - E_p[u],
    nll'' = Var_p[u] + E_p[u] - u_y.

  Args:
    x: `[folds]`, log T.
    logits: `[rows, classes]`.
    labels: `[rows]`.

  Returns:
    `[3, folds, rows]`, and which rows count, bool `[rows]`.
  """
  classes = logits.shape[1]
  highest = logits.max(axis=1)
  inside = (labels >= 0) & (labels < classes)
  index = jnp.clip(labels, 0, classes - 1)[:, jnp.newaxis]
  chosen = jnp.take_along_axis(logits, index, axis=1)[:, 0]
  usable = inside & jnp.isfinite(highest) & jnp.isfinite(chosen)
  logits = jnp.where(
    usable[:, jnp.newaxis], logits - highest[:, jnp.newaxis], 0.0
  )
  chosen = jnp.where(usable, chosen - highest, 0.0)
  inverse = jnp.exp(-x)
  u = logits[jnp.newaxis] * inverse[:, jnp.newaxis, jnp.newaxis]
  u_label = jnp.maximum(chosen[jnp.newaxis] * inverse[:, jnp.newaxis], -_FAR)
  p = jnp.exp(u)
  # Not 0 times infinity, for classes that are ruled out.
  u = jnp.where(p > 0, u, 0.0)
  total = p.sum(axis=-1)
  mean = (p * u).sum(axis=-1) / total
  variance = jnp.maximum((p * u * u).sum(axis=-1) / total - mean * mean, 0.0)
  first = u_label - mean
  return jnp.stack([jnp.log(total) - u_label, first, variance - first]), usable
