"""Parts of two representations beside each other (Sec. 4.6, Fig. 6 centre)."""

import numpy as np

from overlap import errors

PERCENTS = (0, 25, 50, 75, 100)


def dimensions(
  base: int, other: int, percent: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
  """Random dimensions of two representations, at most the base's width.

  Of each, a seed has one random order, of which the first are taken: what is
  taken of the base at 25 % is among what is taken at 50 %.

  Args:
    base: its width, which the result has where the other is wide enough.
    other: its width.
    percent: of the result, what comes of the base; the rest comes of the
      other, as far as that goes.
    seed: of the orders.

  Returns:
    Indices into the base's and into the other's dimensions, each sorted.

  Raises:
    UsageError: a width below 1, or a percentage out of range.
  """
  if base < 1 or other < 1:
    raise errors.UsageError(
      f'Both widths must be at least 1, got {base} and {other}.'
    )
  if not 0 <= percent <= 100:
    raise errors.UsageError(
      f'The percentage must be within [0, 100], got {percent}.'
    )
  # A half is rounded up: of 1 dimension 50 % is the base's.
  of_base = int(np.floor(base * percent / 100 + 0.5))
  of_other = min(base - of_base, other)
  orders = np.random.SeedSequence(seed).spawn(2)
  first = np.random.default_rng(orders[0]).permutation(base)[:of_base]
  second = np.random.default_rng(orders[1]).permutation(other)[:of_other]
  return np.sort(first), np.sort(second)


def join(
  base: np.ndarray, other: np.ndarray, percent: float, seed: int
) -> np.ndarray:
  """`[n, d]` of `[n, base]` and `[n, other]`, each already normalised.

  Args:
    base: its features.
    other: the same examples' features.
    percent: as for `dimensions`.
    seed: likewise.

  Raises:
    DataError: they have different numbers of rows.
    UsageError: as `dimensions`.
  """
  if base.ndim != 2 or other.ndim != 2 or len(base) != len(other):
    raise errors.DataError(
      'Both features must be [n, d] of one n, got shapes '
      f'{list(base.shape)} and {list(other.shape)}.'
    )
  first, second = dimensions(base.shape[1], other.shape[1], percent, seed)
  return np.concatenate([base[:, first], other[:, second]], axis=1)
