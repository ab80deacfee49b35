"""Softmax probabilities that are identical in all backends.

They are computed in float64 and rounded once to float32. Rounding removes the
differences between implementations, in the last digits of an exponential and
the order of a sum, and equal probabilities stay equal.
"""

import functools

import numpy as np

from overlap.analyses.softmax import each, exp64, ordered
from overlap.core.jit import jit_cpu

# Values that a thread processes at a time.
_BLOCK = 2**20

_NOTHING = np.int32(-2139095041)  # -inf as an ordered integer.
INFINITE = np.int32(0x7F800000)


def softmax(logits: np.ndarray) -> np.ndarray:
  """Returns probabilities over the last axis, to the last digit of float32.

  Args:
    logits: logits `[..., classes]`, converted to float32.

  Returns:
    Probabilities, float32 of the same shape; NaN if a row has NaN or +inf, or
    only -inf.
  """
  shape = np.shape(logits)
  result = np.empty(shape, np.float32)
  if not result.size:
    return result
  lines = np.ascontiguousarray(logits, np.float32).reshape(-1, shape[-1])
  out = result.reshape(lines.shape)
  step = max(1, _BLOCK // shape[-1])

  def fill(index: int) -> None:
    rows = slice(index * step, (index + 1) * step)
    _softmax_lines(lines[rows], out[rows])

  each(fill, -(-len(lines) // step))
  return result


@jit_cpu
def _softmax_lines(lines, out):
  room = np.empty(lines.shape[1])
  for row in range(len(lines)):
    softmax_line(lines[row], room, out[row])


@jit_cpu
def softmax_line(line, room, out):
  """Writes probabilities to `out`; `room` is a float64 work array."""
  highest, size = extremes(line.view(np.int32))
  top = np.float64(as_float(highest))
  if size > INFINITE or abs(top) == np.inf:
    out[:] = np.nan
    return
  for c in range(len(line)):
    room[c] = exp64(np.float64(line[c]) - top)
  total = _sum(room)
  for c in range(len(line)):
    out[c] = np.float32(room[c] / total)


@functools.partial(jit_cpu, fastmath={'reassoc'})
def _sum(values):
  total = 0.0
  for c in range(len(values)):
    total += values[c]
  return total


@jit_cpu
def extremes(bits):
  """Returns the highest value and the highest magnitude of float32 bits.

  The highest value is an integer of `ordered`, -inf for an empty array. The
  magnitude exceeds `INFINITE` if there is NaN.
  """
  highest, size = _NOTHING, np.int32(0)
  # Loops over indices are vectorised; loops over values are not.
  for c in range(len(bits)):
    value = bits[c]
    size = np.int32(max(size, np.int32(value & np.int32(0x7FFFFFFF))))
    highest = np.int32(max(highest, ordered(value)))
  return highest, size


@jit_cpu
def as_float(value):
  """Returns the float32 of an integer from `ordered`."""
  return ordered(np.int32(value)).view(np.float32)
