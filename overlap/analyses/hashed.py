"""An order of examples that depends on nothing but their ids and a seed."""

import hashlib
from collections.abc import Iterable

import numpy as np


def order(ids: Iterable[str], purpose: str, seed: int) -> np.ndarray:
  """Positions of ids by a hash of purpose, seed and id: int64 `[examples]`.

  The first so many are a random sample.

  Args:
    ids: `[examples]`, unique.
    purpose: so that samples for different purposes are independent.
    seed: of the hash.
  """
  digests = [
    hashlib.sha256(f'{purpose}:{seed}:{i}'.encode()).digest() for i in ids
  ]
  return np.argsort(np.array(digests, 'S32'), kind='stable')
