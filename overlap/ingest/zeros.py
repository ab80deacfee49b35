"""Meaning of probabilities that are exactly zero.

A zero among probabilities is what rounding, half precision or underflow has
left of a small one. Its logarithm would rule the class out, so that two models
that rule out each other's classes would leave their ensemble none. So a zero
is read as a small probability: the zeros of a row share equally what the row's
sum lacks of one, at least half a step of the file in all and at most half a
step each. The step is the unit of the last decimal place where all values of
the file are rounded to decimals, else the smallest positive value.
"""

import itertools
from typing import NamedTuple

import ml_dtypes
import numpy as np

from overlap.ingest.source import Blocks

# Rounded values may have been float32 before they were written.
_LEAST_PRECISION = 2.0**-23
# What is above is no probability, rounded as it may be.
_MOST = 2.0
# How far a multiple of the unit may be from whole for want of precision.
_NEAR = 0.1


class Zeros(NamedTuple):
  """Properties of the zeros of a file's probabilities.

  Attributes:
    number: how many probabilities are zero.
    decimals: to how many decimal places all are rounded; None if they aren't.
    log_step: logarithm of the step; 0 without a positive value.
    one_hot: whether every row has a one and zeros, and nothing else.
  """

  number: int
  decimals: int | None
  log_step: float
  one_hot: bool

  @property
  def step(self) -> float:
    """The step; 0 where it is too small for a float."""
    return float(np.exp(self.log_step))


def survey(blocks: Blocks, *, logarithms: bool) -> Zeros:
  """Reads all probabilities of a file to tell what its zeros stand for.

  Args:
    blocks: probabilities `[rows, classes]`; what is none is passed over.
    logarithms: whether the blocks are logarithms of probabilities.
  """
  number, smallest, one_hot, rows = 0, np.inf, True, 0
  places: int | None = 0
  for _, block in blocks:
    logs, values = _both(block, logarithms)
    number += int(np.count_nonzero(np.isneginf(logs)))
    positive = logs[np.isfinite(logs)]
    smallest = min(smallest, float(positive.min(initial=np.inf)))
    if places is not None:
      places = decimals(values, _precision(block, logarithms), places)
    one_hot = one_hot and _is_one_hot(values)
    rows += len(block)
  log_step = smallest if np.isfinite(smallest) else 0.0
  if places is not None:
    log_step = min(log_step, -places * float(np.log(10)))
  return Zeros(number, places, log_step, one_hot and rows > 0)


def fill(log_probabilities: np.ndarray, zeros: Zeros) -> np.ndarray:
  """Replaces minus infinity by the logarithm of what a zero stands for.

  Args:
    log_probabilities: float64 `[rows, classes]`.
    zeros: zeros of the file, from `survey`.

  Returns:
    float64 `[rows, classes]`.
  """
  absent = np.isneginf(log_probabilities)
  if not absent.any():
    return log_probabilities
  log_half = zeros.log_step - np.log(2)
  # Of sums above one, of NaN and of infinity the logarithm isn't used.
  with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
    lack = np.log(1 - np.exp(log_probabilities).sum(axis=1, keepdims=True))
    each = np.fmax(lack, log_half) - np.log(absent.sum(axis=1, keepdims=True))
  return np.where(absent, np.minimum(each, log_half), log_probabilities)


def sum_tolerance(zeros: Zeros, classes: int) -> float:
  """Returns how far rounding may move the sum of a row, at most 0.5.

  By a whole number of units, and by less than half a unit a class.
  """
  if zeros.decimals is None:
    return 0.0
  return min(0.5, (classes - 0.9) * zeros.step / 2)


def describe(zeros: Zeros) -> str:
  """The zeros and what they are read as, in words; '' without any."""
  if zeros.one_hot:
    return (
      'probabilities of 0 and 1 alone are stored as classes, which have no '
      'temperature and no ensembles'
    )
  if not zeros.number:
    return ''
  size = (
    f'half a unit of the last of {zeros.decimals} decimal places'
    if zeros.decimals is not None
    else 'half of the smallest positive value'
  )
  return (
    f'{zeros.number} probabilities of 0 are read as what their row lacks of 1, '
    f'shared among them, at most {zeros.step / 2:.3g} each ({size})'
  )


def decimals(
  values: np.ndarray, precision: np.ndarray | float, least: int = 0
) -> int | None:
  """To how many decimal places values are rounded.

  Args:
    values: float64 of any shape; NaN and infinity are passed over.
    precision: precision of the values, relative.
    least: how many places there are at least.

  Returns:
    The fewest places, at least `least`, that all values are rounded to; None
    where there are more than the precision can tell.
  """
  finite = np.isfinite(values)
  values = values[finite]
  precise = np.broadcast_to(precision, finite.shape)[finite]
  coarsest = float(precise.max(initial=0))
  for places in itertools.count(least):
    scaled = values * 10.0**places
    if coarsest * 10.0**places > _NEAR:
      return None
    off = np.abs(scaled - np.rint(scaled))
    if (off <= precise * np.abs(scaled)).all():
      break
  return places


def _both(block: np.ndarray, logarithms: bool) -> tuple[np.ndarray, np.ndarray]:
  """Logarithms and probabilities, float64; NaN where a value is neither."""
  with np.errstate(all='ignore'):
    given = block.astype(np.float64)
    if logarithms:
      logs = np.where(given <= np.log(_MOST), given, np.nan)
      return logs, np.exp(logs)
    values = np.where((given >= 0) & (given <= _MOST), given, np.nan)
    return np.log(values), values


def _precision(block: np.ndarray, logarithms: bool) -> np.ndarray | float:
  """The relative precision of the probabilities in a block."""
  if block.dtype.kind in 'iu':
    return _LEAST_PRECISION
  eps = max(_LEAST_PRECISION, float(ml_dtypes.finfo(block.dtype).eps))
  if not logarithms:
    return eps
  size = np.abs(block.astype(np.float64))
  return eps * np.where(np.isfinite(size), np.maximum(size, 1), 1)


def _is_one_hot(values: np.ndarray) -> bool:
  inside = (values == 0) | (values == 1)
  return bool(inside.all() and (values.sum(axis=1) == 1).all())
