"""A pseudo-random order of examples that depends only on ids and a seed."""

import hashlib
from collections.abc import Iterable

import numpy as np


def order(ids: Iterable[str], purpose: str, seed: int) -> np.ndarray:
  """Order of ids by a hash of purpose, seed and id, int64 `[examples]`.

  Any prefix is a random sample.

  Args:
    ids: unique ids `[examples]`.
    purpose: label that makes samples for different purposes independent.
    seed: seed of the hash.
  """
  digests = [
    hashlib.sha256(f'{purpose}:{seed}:{i}'.encode()).digest() for i in ids
  ]
  return np.argsort(np.array(digests, 'S32'), kind='stable')
