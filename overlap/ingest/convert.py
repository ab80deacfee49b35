"""Scores of any kind to float32 logits, each block checked."""

import ml_dtypes
import numpy as np

from overlap.core import errors
from overlap.ingest import source as source_lib
from overlap.ingest import zeros as zeros_lib
from overlap.ingest.source import Blocks
from overlap.ingest.zeros import Zeros

# How far the probabilities of a row may sum from one: they may be rounded.
_SUM_TOLERANCE = 0.01


def look_like_probabilities(scores: np.ndarray) -> bool:
  """Returns whether rows `[rows, classes]` are all in [0, 1] and sum to one.

  Rounding to decimals may move the sums further than other imprecision.
  """
  values = _float64(scores)
  return _sum_to_one(values, scores, logarithms=False)


def rule_out_as_logarithms_do(scores: np.ndarray) -> bool:
  """Returns whether rows are logarithms of probabilities, some of them 0."""
  if not np.isneginf(scores).any():
    return False
  with np.errstate(over='ignore'):
    values = np.exp(_float64(scores))
  return _sum_to_one(values, scores, logarithms=True)


def _sum_to_one(
  values: np.ndarray, scores: np.ndarray, *, logarithms: bool
) -> bool:
  if values.shape[1] < 2 or not len(values):
    return False
  if not ((values >= 0) & (values <= 1)).all():
    return False
  rounded = zeros_lib.survey(iter([(0, scores)]), logarithms=logarithms)
  tolerance = max(1e-3, zeros_lib.sum_tolerance(rounded, values.shape[1]))
  return bool((np.abs(values.sum(axis=1) - 1) < tolerance).all())


def logits(
  blocks: Blocks,
  *,
  kind: str,
  what: str,
  rows: int,
  allow_nan: bool,
  zeros: Zeros | None = None,
) -> Blocks:
  """Turns blocks of scores into logits.

  Logits of probabilities are their logarithms, those of zeros as
  `overlap.ingest.zeros` has them. What is NaN in a row is NaN there; see
  `overlap.analyses.correctness.correct` for what becomes of such rows.

  Args:
    blocks: scores `[rows, classes]` of any real type.
    kind: one of `source.KINDS`, but not classes.
    what: the file, for error texts.
    rows: how many rows there must be.
    allow_nan: whether scores may be NaN or plus infinity.
    zeros: survey of these probabilities or their logarithms; None for logits.

  Yields:
    `(first row, float32 [rows, classes])`.

  Raises:
    DataError: NaN, plus infinity or nothing but minus infinity in a row;
      numbers beyond float32; probabilities that are none or don't sum to
      one; fewer or more rows than `rows`.
  """
  seen, unusable, example = 0, 0, 0
  for start, block in blocks:
    scores = block
    if scores.dtype == ml_dtypes.bfloat16:
      scores = _float64(scores)
    if kind != source_lib.LOGITS:
      assert zeros is not None
      logs = kind == source_lib.LOG_PROBS
      scores = _log_probs(scores, logs, zeros, start, what)
    converted = _float32(scores, start, what)
    # Minus infinity is a probability of 0, but one class must have more.
    with np.errstate(invalid='ignore'):
      usable = np.isfinite(converted.max(axis=1, initial=-np.inf))
    if not usable.all():
      if not unusable:
        example = start + int(np.argmin(usable))
      unusable += int(np.count_nonzero(~usable))
    seen += len(converted)
    yield start, converted
  if seen != rows:
    raise errors.DataError(f'{what} must have {rows} rows, got {seen}.')
  if unusable and not allow_nan:
    raise errors.DataError(
      f'{what} must have finite scores, got NaN or infinite ones in {unusable} '
      f'of {rows} rows, first in row {example}: --allow_nan takes them, and '
      'NaN counts as wrong.'
    )


def _float64(scores: np.ndarray) -> np.ndarray:
  # The bits of a damaged number may be a NaN that warns when it is converted.
  with np.errstate(invalid='ignore'):
    return scores.astype(np.float64)


def _float32(scores: np.ndarray, start: int, what: str) -> np.ndarray:
  with np.errstate(over='ignore', invalid='ignore'):
    converted = scores.astype(np.float32)
  beyond = np.isinf(converted) & ~np.isinf(scores)
  if beyond.any():
    row, column = np.argwhere(beyond)[0]
    raise errors.DataError(
      f'{what} must have scores within float32 (3.4e38), got '
      f'{scores[row, column]} in row {start + row}.'
    )
  return converted


def _log_probs(
  scores: np.ndarray, logarithms: bool, zeros: Zeros, start: int, what: str
) -> np.ndarray:
  """Logarithms of probabilities, float64 `[rows, classes]`, all finite.

  Raises:
    DataError: one is negative, or a row doesn't sum to one.
  """
  values = _float64(scores)
  if logarithms:
    logs = values
    with np.errstate(over='ignore'):
      values = np.exp(values)
  else:
    _check_positive(values, start, what)
    with np.errstate(divide='ignore'):
      logs = np.log(values)
  rounding = zeros_lib.sum_tolerance(zeros, values.shape[1])
  tolerance = max(_SUM_TOLERANCE, rounding)
  with np.errstate(over='ignore', invalid='ignore'):
    sums = values.sum(axis=1)
  _check_sums(sums, tolerance, start, what)
  return zeros_lib.fill(logs, zeros)


def _check_positive(values: np.ndarray, start: int, what: str) -> None:
  outside = values < 0
  if outside.any():
    row, column = np.argwhere(outside)[0]
    raise errors.DataError(
      f'{what} must have probabilities, got {values[row, column]} in row '
      f'{start + row}.'
    )


def _check_sums(
  sums: np.ndarray, tolerance: float, start: int, what: str
) -> None:
  # Rows with NaN are counted with the others that have.
  off = np.abs(sums - 1) > tolerance
  if off.any():
    row = int(np.argmax(off))
    raise errors.DataError(
      f'{what} must have rows of probabilities that sum to 1 (within '
      f'{tolerance:.3g}), got a sum of {sums[row]:.6g} in row {start + row}; '
      '--kind says what the numbers are.'
    )
