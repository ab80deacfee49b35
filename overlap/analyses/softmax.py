"""Passes over logits on a CPU, compiled by Numba, each reading them once.

The exponential is inlined as a polynomial and a shift of the exponent's bits,
because a call per element would prevent vectorisation. A thread pool processes
blocks, and their sums are added in the order of the blocks, so that results do
not depend on the number of threads.
"""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import numba
import numpy as np

# Logits that a thread processes at a time.
_BLOCK = 2**20
# Sums may be reordered; NaN and infinity keep their meaning.
_FLAGS = {'reassoc', 'contract', 'nsz', 'arcp'}
# Bound of a loss, in nats, so that sums stay finite.
FAR = 1e30
TERMS = 6

_PLUS_INF, _MINUS_INF = 0x7F800000, -0x7F800001  # See `ordered`.
_LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first with few digits, for an exact remainder.
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
  """Compiles at the first call, with a cache on disk if possible."""
  compiled = functools.partial(numba.njit, nogil=True, fastmath=_FLAGS)
  try:
    return compiled(cache=True)(function)
  except RuntimeError:  # The cache folder is not writable.
    return compiled()(function)


def cumulant_sums(
  logits: np.ndarray, labels: np.ndarray, weights: np.ndarray, inverse: float
) -> np.ndarray:
  """Sums over examples of the NLL and its derivatives at one temperature.

  With `u = (z - max z) b`, `b = 1 / T`, and `k_i` the i-th cumulant of u under
  `softmax(u)`, an example with label y has

    nll = log sum exp(u) - u_y,    b nll' = k_1 - u_y,    b^i nll^(i) = k_i

  (derivatives in b). Rows with NaN or +inf, with a label of -inf or with an
  invalid label are ignored.

  Args:
    logits: logits, float32 `[examples, classes]`, C-contiguous.
    labels: class indices, int32 `[examples]`.
    weights: weights, float64 `[examples, folds]`, C-contiguous.
    inverse: value of b.

  Returns:
    Sums, float64 `[6, folds]`: the weights, the NLL, and its first to fourth
    derivative times `b^i`.
  """
  total, classes = logits.shape
  blocks = _row_blocks(total, classes)
  sums = np.zeros((len(blocks), weights.shape[1], TERMS))
  bits = logits.view(np.int32)

  def add(index: int) -> None:
    rows = blocks[index]
    _add_cumulants(
      logits[rows], bits[rows], labels[rows], weights[rows],
      np.float32(inverse), sums[index],
    )  # fmt: skip

  if classes:
    each(add, len(blocks))
  return sums.sum(axis=0).T


def losses(
  logits: np.ndarray,
  labels: np.ndarray,
  temperatures: Sequence[np.ndarray | float],
) -> tuple[np.ndarray, np.ndarray]:
  """Computes NLLs and confidences at several temperatures in one pass.

  Args:
    logits: logits `[examples, classes]`.
    labels: class indices `[examples]`.
    temperatures: temperatures, each a number or `[examples]`.

  Returns:
    NLLs, in nats, and confidences, float64 `[temperatures, examples]` each,
    accurate to float64. The NLL is inf if the label has -inf; both are NaN in
    rows with NaN or +inf.
  """
  total, classes = logits.shape
  inverse = np.stack(
    [np.broadcast_to(1 / np.asarray(t, float), total) for t in temperatures]
  )
  nll, confidence = np.empty_like(inverse), np.empty_like(inverse)
  blocks = _row_blocks(total, classes)

  def fill(index: int) -> None:
    rows = blocks[index]
    block = np.ascontiguousarray(logits[rows])
    block = block.astype(np.result_type(block, np.float32), copy=False)
    highest = block.max(axis=1).astype(np.float64)
    chosen = block[np.arange(len(block)), labels[rows]]
    sums = np.empty((len(inverse), len(block)))
    _add_exponentials(
      block, highest, np.ascontiguousarray(inverse[:, rows]), sums
    )
    # Infinity minus infinity is NaN, as intended.
    with np.errstate(invalid='ignore'):
      nll[:, rows] = np.log(sums) - (chosen - highest) * inverse[:, rows]
    confidence[:, rows] = 1 / sums

  each(fill, len(blocks))
  return nll, confidence


def _row_blocks(total: int, classes: int) -> list[slice]:
  step = max(1, _BLOCK // max(1, classes))
  return [slice(start, start + step) for start in range(0, total, step)]


def each(function: Callable[[int], None], count: int) -> None:
  if count > 1:
    list(pool().map(function, range(count)))
  elif count:
    function(0)


@functools.cache
def pool() -> futures.ThreadPoolExecutor:
  allowed = hasattr(os, 'sched_getaffinity')  # Linux.
  cores = len(os.sched_getaffinity(0)) if allowed else os.cpu_count() or 1
  return futures.ThreadPoolExecutor(cores, thread_name_prefix='softmax')


@numba.njit(inline='always')
def ordered(bits):
  """Maps float32 bits to integers in the order of the floats."""
  # Explicit int32: Numba's int64 results would need twice the registers.
  below = np.int32(np.int32(bits >> np.int32(31)) & np.int32(0x7FFFFFFF))
  return np.int32(bits ^ below)


@numba.njit(inline='always')
def _exp32(u):
  """exp(u) for u <= 0 with relative error 2e-7; exactly 0 from -88 down."""
  t = max(u * np.float32(_LOG2_E), np.float32(-127))
  whole = np.floor(t + np.float32(0.5))
  f = t - whole
  p = np.float32(1.5403530393e-4)
  p = p * f + np.float32(1.3333558146e-3)
  p = p * f + np.float32(9.6181291076e-3)
  p = p * f + np.float32(5.5504108665e-2)
  p = p * f + np.float32(2.4022650696e-1)
  p = p * f + np.float32(6.9314718056e-1)
  p = p * f + np.float32(1)
  power = (np.int32(whole) + np.int32(127)) << np.int32(23)
  return p * np.int32(power).view(np.float32)


@numba.njit(inline='always')
def exp64(u):
  """exp(u) for u <= 0 with relative error 1e-15; exactly 0 from -709 down."""
  u = max(u, -720.0)
  whole = max(np.floor(u * _LOG2_E + 0.5), -1023.0)
  f = (u - whole * _LN2_HIGH) - whole * _LN2_LOW
  # 1 / i! for i = 12 ... 0.
  p = 2.08767569878681e-09
  p = p * f + 2.505210838544172e-08
  p = p * f + 2.755731922398589e-07
  p = p * f + 2.7557319223985893e-06
  p = p * f + 2.48015873015873e-05
  p = p * f + 0.0001984126984126984
  p = p * f + 0.001388888888888889
  p = p * f + 0.008333333333333333
  p = p * f + 0.041666666666666664
  p = p * f + 0.16666666666666666
  p = p * f + 0.5
  p = p * f + 1.0
  p = p * f + 1.0
  power = (np.int64(whole) + np.int64(1023)) << np.int64(52)
  return p * np.int64(power).view(np.float64)


@_jit
def _add_exponentials(logits, highest, inverse, sums):
  """Fills `sums [temperatures, rows]` with `sum_c exp((z_c - max z) / T)`."""
  for row in range(logits.shape[0]):
    for k in range(inverse.shape[0]):
      b, top, total = inverse[k, row], highest[row], 0.0
      for c in range(logits.shape[1]):
        total += exp64((np.float64(logits[row, c]) - top) * b)
      sums[k, row] = total


@_jit
def _add_cumulants(logits, bits, labels, weights, inverse, sums):
  """Adds the rows' terms to `sums [folds, 6]`; see `cumulant_sums`."""
  classes = logits.shape[1]
  for row in range(logits.shape[0]):
    label = labels[row]
    if label < 0 or label >= classes:
      continue
    # As integers, NaN is beyond infinity on either side.
    highest = ordered(bits[row, 0])
    lowest = highest
    for c in range(classes):
      value = ordered(bits[row, c])
      highest = max(highest, value)
      lowest = min(lowest, value)
    chosen = ordered(bits[row, label])
    if highest >= _PLUS_INF or lowest < _MINUS_INF or chosen <= _MINUS_INF:
      continue
    top = np.int32(ordered(np.int32(highest))).view(np.float32)
    s0 = s1 = s2 = s3 = s4 = np.float32(0)
    for c in range(classes):
      # exp(-1000) is 0, and the bound avoids 0 times infinity.
      u = max((logits[row, c] - top) * inverse, np.float32(-1000))
      p = _exp32(u)
      s0 += p
      p = p * u
      s1 += p
      p = p * u
      s2 += p
      p = p * u
      s3 += p
      p = p * u
      s4 += p
    total = np.float64(s0)
    m1, m2, m3, m4 = s1 / total, s2 / total, s3 / total, s4 / total
    u_label = (np.float64(logits[row, label]) - np.float64(top)) * inverse
    u_label = max(u_label, -FAR)
    nll = np.log(total) - u_label
    first = m1 - u_label
    variance = max(m2 - m1 * m1, 0.0)
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    fourth = m4 - 4 * m1 * m3 - 3 * m2**2 + 12 * m1**2 * m2 - 6 * m1**4
    for fold in range(weights.shape[1]):
      weight = weights[row, fold]
      sums[fold, 0] += weight
      sums[fold, 1] += weight * nll
      sums[fold, 2] += weight * first
      sums[fold, 3] += weight * variance
      sums[fold, 4] += weight * third
      sums[fold, 5] += weight * fourth
