"""Split expressions: 'train', 'train[10%:]', 'train[:5000]', 'test[1000:3000]'.

Positions count along the order of the SHA-256 of the ids, so that a slice is a
random sample whatever the source's order is (the first 10 % of a folder sorted
by class would be one class), and stays the same sample when the source is
listed in another order. The chosen examples are kept in the source's order.
"""

import dataclasses
import fractions
import hashlib
import re

import numpy as np

from overlap.core import errors

# Never change it: it decides which examples every slice holds.
_SALT = b'overlap/split/1:'
_RULE = "A split must look like 'train', 'train[10%:]' or 'train[1000:3000]'"
_EXPRESSION = re.compile(r'([^\[\]]+)(?:\[([^\[\]]*)\])?')
_POSITION = re.compile(r'(\d+)|(\d+(?:\.\d+)?)%')


@dataclasses.dataclass(frozen=True)
class Split:
  """A parsed expression.

  Attributes:
    expression: the text.
    name: name of the source's split.
    start: 'N', 'N%' or ''.
    stop: end of the range.
  """

  expression: str
  name: str
  start: str = ''
  stop: str = ''

  @property
  def is_whole(self) -> bool:
    return not (self.start or self.stop)

  def positions(self, ids: np.ndarray) -> np.ndarray:
    """Returns which of `ids` [M] are chosen: ascending positions, int64 [B].

    Raises:
      UsageError: the slice is empty or reaches beyond the M examples.
    """
    start = self._boundary(self.start, len(ids)) if self.start else 0
    stop = self._boundary(self.stop, len(ids)) if self.stop else len(ids)
    if start >= stop:
      raise errors.UsageError(
        f'A slice must hold an example, got {self.expression!r}, which is '
        f'[{start}:{stop}] of {len(ids)} examples.'
      )
    return np.sort(hash_order(ids)[start:stop])

  def _boundary(self, text: str, count: int) -> int:
    if text.endswith('%'):
      value, limit, end = fractions.Fraction(text[:-1]), 100, '%'
    else:
      value, limit, end = fractions.Fraction(text), count, ''
    if value > limit:
      raise errors.UsageError(
        f'Positions of a slice must lie in 0..{limit}{end}, got {text} in '
        f'{self.expression!r}.'
      )
    # Exact, and a function of (text, count) alone: [:p%] and [p%:] meet.
    return round(value * count / limit) if end else int(value)


def parse(expression: str) -> Split:
  """Parses a split expression.

  Raises:
    UsageError: it is none.
  """
  match = _EXPRESSION.fullmatch(expression.strip())
  if not match:
    raise errors.UsageError(f'{_RULE}, got {expression!r}.')
  name, inside = match[1].strip(), match[2]
  if inside is None:
    return Split(expression, name)
  start, colon, stop = (part.strip() for part in inside.partition(':'))
  for text in (start, stop):
    if not colon or (text and not _POSITION.fullmatch(text)):
      raise errors.UsageError(f'{_RULE}, got {expression!r}.')
  return Split(expression, name, start, stop)


def hash_order(ids: np.ndarray) -> np.ndarray:
  """Returns the positions of `ids` [M] in the order of their hash, [M]."""
  digests = [
    hashlib.sha256(_SALT + name.encode()).digest() for name in ids.tolist()
  ]
  keys = np.frombuffer(b''.join(digests), dtype='S32')
  return np.argsort(keys, kind='stable')
