"""Features, normalised and centred, a block of examples at a time.

One pass over a model's features gives what normalising takes: each example's
length, each dimension's mean and variance. Then any block can be had as often
as it is needed, and no more than a block is in memory.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

# Examples of a block: so many that adding up products of blocks costs little
# beside the products.
BLOCK = 4096
# Rows that are worked on at a time: they stay in the processor's cache.
_ROWS = 64
# Of the second moment: less variance than this is rounding.
_NOTHING = 1e-12


class Source(Protocol):
  """Features of some examples, read as they are needed."""

  @property
  def shape(self) -> tuple[int, ...]:
    """`(examples, dimensions)`."""

  def __getitem__(self, rows: slice, /) -> np.ndarray:
    """Some of the rows, float32."""


class Moments(NamedTuple):
  """What one pass over a model's features tells.

  Attributes:
    row: what each example's features are multiplied by, float32 `[examples]`.
    mean: of the rows so multiplied, float32 `[dimensions]`.
    column: what each dimension is multiplied by after that, float32
      `[dimensions]`; None for 1.
    finite: how many examples have no NaN or infinite feature.
    second: the sum of squares of the rows so multiplied.
    near: the rows asked for, as they are in the source.
  """

  row: np.ndarray
  mean: np.ndarray
  column: np.ndarray | None
  finite: int
  second: float
  near: np.ndarray


def blocks(total: int) -> Iterator[slice]:
  """Yields the rows of each block."""
  for start in range(0, total, BLOCK):
    yield slice(start, min(start + BLOCK, total))


def scan(source: Source, normalise: str, near: np.ndarray) -> Moments:
  """Goes through a model's features once.

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
    # What is not finite is counted, and nothing is made of it.
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
  """A block normalised and centred, and the square of each row's length.

  Args:
    block: `[rows, dimensions]` of the source.
    moments: of the whole source.
    rows: where in the source the block is.

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
  """Some rows as the normalisation has them: centred only by standardising.

  Args:
    features: `[rows, dimensions]` of the source.
    row: their part of `m.row`.
    m: of the whole source.
  """
  result = features * row[:, np.newaxis]
  return result if m.column is None else (result - m.mean) * m.column


def is_constant(variance: float, moments: Moments) -> bool:
  """Whether all that varies between the examples is rounding.

  Args:
    variance: the sum of squares of the centred rows.
    moments: of the same features.
  """
  if moments.column is not None:
    return not moments.column.any()
  return not variance > _NOTHING * moments.second


class _Scales:
  """What examples are multiplied by: one over their lengths, or one for all.

  The latter, of no effect on any similarity but that nothing overflows, is
  from the first rows that are not 0.
  """

  def __init__(self, *, by_length: bool):
    self._by_length = by_length
    self._scale = 0.0

  def of(self, squares: np.ndarray) -> np.ndarray:
    """The scales of examples of these squared lengths: float32."""
    # In float32, one over anything smaller is infinite.
    usable = squares > 1e-74
    if not self._by_length:
      if not self._scale and usable.any():
        self._scale = float(1 / np.sqrt(squares[usable].mean()))
      return np.full(len(squares), self._scale or 1.0, np.float32)
    lengths = np.sqrt(np.where(usable, squares, np.inf))
    return (1 / lengths).astype(np.float32)


class _Spread:
  """Means and variances of the dimensions, added up over parts.

  A part's own deviations are from its own mean (Chan et al. 1979), so that no
  digits are lost where means are large.
  """

  def __init__(self, width: int, *, wanted: bool):
    self._wanted = wanted
    self._count = 0
    self.mean = np.zeros(width)
    self._deviations = np.zeros(width)

  def add(self, part: np.ndarray, scales: np.ndarray) -> None:
    """Takes rows, each times its scale."""
    before, self._count = self._count, self._count + len(part)
    mean = (scales @ part).astype(np.float64) / len(part)
    apart = mean - self.mean
    if self._wanted:
      own = part * scales[:, np.newaxis] - mean.astype(np.float32)
      self._deviations += (own**2).sum(axis=0)
      self._deviations += apart**2 * (before * len(part) / self._count)
    self.mean += apart * (len(part) / self._count)

  def column(self) -> np.ndarray | None:
    """One over each standard deviation, 0 where a dimension is constant."""
    if not self._wanted:
      return None
    variance = self._deviations / max(1, self._count)
    varies = variance > _NOTHING * self.mean**2
    return np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0.0)


def _squares(rows: np.ndarray) -> np.ndarray:
  """Squared lengths, float64; NaN or infinite where a feature is."""
  found = np.einsum('ij,ij->i', rows, rows).astype(np.float64)
  # Where float32 has no such number, float64 has.
  lost = ~((found > 1e-30) & (found < 1e30))
  if lost.any():
    found[lost] = (rows[lost].astype(np.float64) ** 2).sum(axis=1)
  return found
