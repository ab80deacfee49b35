"""Normalised and centred features, one block of examples at a time.

One pass over a model's features computes what normalisation needs: each
example's norm and each dimension's mean and variance. After that, blocks are
read and normalised on demand, one at a time in memory.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

# Examples per block, large enough that summing the products of blocks costs
# little beside computing them.
BLOCK = 4096
# Rows processed at a time, few enough for the processor's cache.
_ROWS = 64
# Variance below this fraction of the second moment counts as rounding.
_NOTHING = 1e-12


class Source(Protocol):
  """Features of some examples, read on demand."""

  @property
  def shape(self) -> tuple[int, ...]:
    """`(examples, dimensions)`."""

  def __getitem__(self, rows: slice, /) -> np.ndarray:
    """Returns float32 rows."""


class Moments(NamedTuple):
  """Statistics from one pass over a model's features.

  Attributes:
    row: factor of each example's features, float32 `[examples]`.
    mean: mean of the scaled rows, float32 `[dimensions]`.
    column: factor of each dimension after centring, float32 `[dimensions]`;
      None for 1.
    finite: number of examples without NaN or infinite features.
    second: sum of squares of the scaled rows.
    near: requested rows, as they are in the source.
  """

  row: np.ndarray
  mean: np.ndarray
  column: np.ndarray | None
  finite: int
  second: float
  near: np.ndarray


def blocks(total: int) -> Iterator[slice]:
  """Yields the row slice of each block."""
  for start in range(0, total, BLOCK):
    yield slice(start, min(start + BLOCK, total))


def scan(source: Source, normalise: str, near: np.ndarray) -> Moments:
  """Computes a model's moments in one pass over its features.

  Args:
    source: the features, `[examples, dimensions]`.
    normalise: a key of `options.NORMALISATIONS`.
    near: ascending positions of rows to keep.
  """
  total, width = source.shape
  scales = _Scales(by_length=normalise in ('l2', 'both'))
  spread = _Spread(width, wanted=normalise in ('standardise', 'both'))
  row, kept, finite, second = np.empty(total, np.float32), [], 0, 0.0
  for rows in blocks(total):
    block = np.ascontiguousarray(source[rows], np.float32)
    chosen = near[(near >= rows.start) & (near < rows.stop)]
    kept.append(block[chosen - rows.start])
    # Rows that are not finite are counted; their statistics are unused.
    with np.errstate(all='ignore'):
      for start in range(0, len(block), _ROWS):
        part = block[start : start + _ROWS]
        squares = _squares(part)
        own = scales.of(squares)
        spread.add(part, own)
        row[rows.start + start : rows.start + start + len(part)] = own
        finite += int(np.isfinite(squares).sum())
        second += float(squares @ np.square(own, dtype=np.float64))
  column = spread.column()
  return Moments(
    row=row,
    mean=spread.mean.astype(np.float32),
    column=None if column is None else column.astype(np.float32),
    finite=finite,
    second=second,
    near=np.concatenate(kept) if kept else np.empty((0, width), np.float32),
  )


def centred(
  block: np.ndarray, moments: Moments, rows: slice
) -> tuple[np.ndarray, np.ndarray]:
  """Returns a normalised and centred block and its squared row norms.

  Args:
    block: rows of the source, `[rows, dimensions]`.
    moments: moments of the whole source.
    rows: position of the block in the source.

  Returns:
    float32 `[rows, dimensions]` and float64 `[rows]`.
  """
  block = np.ascontiguousarray(block, np.float32)
  result, squares = np.empty_like(block), np.empty(len(block))
  scales = moments.row[rows, np.newaxis]
  for start in range(0, len(block), _ROWS):
    part = slice(start, start + _ROWS)
    out = result[part]
    np.multiply(block[part], scales[part], out=out)
    out -= moments.mean
    if moments.column is not None:
      out *= moments.column
    squares[part] = np.einsum('ij,ij->i', out, out)
  return result, squares


def normalised(features: np.ndarray, row: np.ndarray, m: Moments) -> np.ndarray:
  """Normalises rows; only standardisation centres them.

  Args:
    features: rows of the source, `[rows, dimensions]`.
    row: factors of these rows, a part of `m.row`.
    m: moments of the whole source.
  """
  result = features * row[:, np.newaxis]
  return result if m.column is None else (result - m.mean) * m.column


def is_constant(variance: float, moments: Moments) -> bool:
  """Returns whether the variance between examples is only rounding.

  Args:
    variance: sum of squares of the centred rows.
    moments: moments of the same features.
  """
  if moments.column is not None:
    return not moments.column.any()
  return not variance > _NOTHING * moments.second


class _Scales:
  """Scale factors of examples: one over their norms, or one common factor.

  The common factor, from the first block with non-zero rows, prevents overflow
  and changes no similarity.
  """

  def __init__(self, *, by_length: bool):
    self._by_length = by_length
    self._scale = 0.0

  def of(self, squares: np.ndarray) -> np.ndarray:
    """Returns the scale factors for squared norms, float32."""
    # One over a smaller norm is infinite in float32.
    usable = squares > 1e-74
    if not self._by_length:
      if not self._scale and usable.any():
        self._scale = float(1 / np.sqrt(squares[usable].mean()))
      return np.full(len(squares), self._scale or 1.0, np.float32)
    lengths = np.sqrt(np.where(usable, squares, np.inf))
    return (1 / lengths).astype(np.float32)


class _Spread:
  """Means and variances of the dimensions, updated block by block.

  Deviations are from the mean of each block (Chan et al. 1979), which avoids
  cancellation if means are large.
  """

  def __init__(self, width: int, *, wanted: bool):
    self._wanted = wanted
    self._count = 0
    self.mean = np.zeros(width)
    self._deviations = np.zeros(width)

  def add(self, part: np.ndarray, scales: np.ndarray) -> None:
    """Adds rows, each multiplied by its scale factor."""
    before, self._count = self._count, self._count + len(part)
    mean = (scales @ part).astype(np.float64) / len(part)
    apart = mean - self.mean
    if self._wanted:
      own = part * scales[:, np.newaxis] - mean.astype(np.float32)
      self._deviations += (own**2).sum(axis=0)
      self._deviations += apart**2 * (before * len(part) / self._count)
    self.mean += apart * (len(part) / self._count)

  def column(self) -> np.ndarray | None:
    """Reciprocal standard deviations, 0 for constant dimensions."""
    if not self._wanted:
      return None
    variance = self._deviations / max(1, self._count)
    varies = variance > _NOTHING * self.mean**2
    return np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0.0)


def _squares(rows: np.ndarray) -> np.ndarray:
  """Squared row norms, float64; NaN or infinite if a feature is."""
  found = np.einsum('ij,ij->i', rows, rows).astype(np.float64)
  # Recompute in float64 what may over- or underflow in float32.
  lost = ~((found > 1e-30) & (found < 1e30))
  if lost.any():
    found[lost] = (rows[lost].astype(np.float64) ** 2).sum(axis=1)
  return found
