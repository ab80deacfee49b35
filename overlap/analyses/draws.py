"""Random joint tables, drawn by compiled loops, each from its own key.

The generator is xoshiro256++ (Blackman and Vigna 2021), whose state is the key.
Binomial counts are drawn by inversion if their expectation is small, and
otherwise by transformed rejection (BTRS, Hörmann 1993), at a cost independent
of their size. Both are exact, without normal or Poisson approximation.
"""

import math

import numpy as np

from overlap.core.jit import jit_cpu

# For smaller expected counts, inversion is as fast as rejection; rejection
# requires at least this expectation.
_FEW = 10.0


@jit_cpu
def tables(keys, examples, totals, rights, result):
  """Draws joint tables with given numbers of examples.

  Args:
    keys: generator states, uint64 `[pairs, 4]`, not all 0; overwritten.
    examples: number of examples of each table, int64 `[pairs]`.
    totals: cell weights in proportion to probabilities, float64 `[pairs, 4]`.
    rights: part of each cell that is right, float64 `[pairs, 4]`.
    result: output, int64 `[8, pairs, resamples]`: counts of the four cells,
      which do not depend on `rights`, and how many of each are right.
  """
  for pair in range(result.shape[1]):
    state, total, right = keys[pair], totals[pair], rights[pair]
    whole = total.sum()
    for draw in range(result.shape[2]):
      left, of = examples[pair], whole
      for cell in range(3):
        # Share of this cell in the total of this and later cells.
        share = total[cell] / of if of > 0.0 else 0.0
        count = binomial(state, left, share)
        result[cell, pair, draw] = count
        left -= count
        of -= total[cell]
      result[3, pair, draw] = left
    for cell in range(4):
      share = right[cell] / total[cell] if total[cell] > 0.0 else 0.0
      for draw in range(result.shape[2]):
        result[4 + cell, pair, draw] = binomial(
          state, result[cell, pair, draw], share
        )


@jit_cpu
def binomial(state, trials, share):
  """Draws a binomial count of successes.

  Args:
    state: generator state, uint64 `[4]`, advanced in place.
    trials: number of trials, int, 0 or more.
    share: probability of success, float within [0, 1].
  """
  if trials == 0 or share <= 0.0:
    return 0
  if share >= 1.0:
    return trials
  if share > 0.5:
    return trials - _binomial(state, trials, 1.0 - share)
  return _binomial(state, trials, share)


@jit_cpu
def _binomial(state, trials, share):
  if trials * share < _FEW:
    return _by_inversion(state, trials, share)
  return _by_rejection(state, trials, share)


@jit_cpu
def _by_inversion(state, trials, share):
  """Inversion: counts up until the cumulative probability exceeds a uniform."""
  odds = share / (1.0 - share)
  first = math.exp(trials * math.log1p(-share))
  while True:
    left, density = _uniform(state), first
    for count in range(trials + 1):
      if left <= density:
        return count
      left -= density
      density *= odds * (trials - count) / (count + 1)
      if density < 1e-300:
        break
    # Rounding left a remainder above the total: once in 10**14 draws.


@jit_cpu
def _by_rejection(state, trials, share):
  """BTRS of Hörmann (1993) in his notation; `share` is at most 1/2."""
  n, p = float(trials), share
  spread = math.sqrt(n * p * (1.0 - p))
  b = 1.15 + 2.53 * spread
  a = -0.0873 + 0.0248 * b + 0.01 * p
  c = n * p + 0.5
  v_r = 0.92 - 4.2 / b
  while True:
    u, v = _uniform(state) - 0.5, _uniform(state)
    us = 0.5 - abs(u)
    k = math.floor((2.0 * a / us + b) * u + c)
    if us >= 0.07 and v <= v_r:
      return int(k)
    if k < 0.0 or k > n:
      continue
    alpha = (2.83 + 5.1 / b) * spread
    m = math.floor((n + 1.0) * p)
    if math.log(v * alpha / (a / (us * us) + b)) <= _log_ratio(n, p, m, k):
      return int(k)


@jit_cpu
def _log_ratio(n, p, m, k):
  """Logarithm of P(k) / P(m), by Stirling's formula with its remainder."""
  odds = p / (1.0 - p)
  return (
    (m + 0.5) * math.log((m + 1.0) / (odds * (n - m + 1.0)))
    + (n + 1.0) * math.log((n - m + 1.0) / (n - k + 1.0))
    + (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
    + _tail(m) + _tail(n - m) - _tail(k) - _tail(n - k)
  )  # fmt: skip


@jit_cpu
def _tail(k):
  """Remainder of log k! to `(k + 1/2) log(k + 1) - (k + 1) + log(2 pi)/2`."""
  if k < 10.0:
    return (
      math.lgamma(k + 1.0)
      - (k + 0.5) * math.log(k + 1.0) + (k + 1.0) - 0.9189385332046727
    )  # fmt: skip
  x = k + 1.0
  square = x * x
  return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / x


@jit_cpu
def _uniform(state):
  """Returns a float strictly between 0 and 1 from 53 random bits."""
  word = state[0] + state[3]
  word = _rotated(word, 23) + state[0]
  shifted = state[1] << np.uint64(17)
  state[2] ^= state[0]
  state[3] ^= state[1]
  state[1] ^= state[2]
  state[0] ^= state[3]
  state[2] ^= shifted
  state[3] = _rotated(state[3], 45)
  return (float(word >> np.uint64(11)) + 0.5) * 2.0**-53


@jit_cpu
def _rotated(word, by):
  return (word << np.uint64(by)) | (word >> np.uint64(64 - by))
