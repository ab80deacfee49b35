"""Arrays from Flax's msgpack files, of which nothing is run.

`flax.serialization.to_bytes` writes them, and `flax.training.checkpoints` of
before Orbax ('checkpoint_1000'). They hold dicts, numbers, texts and three
types of Flax's own: arrays and NumPy's scalars, each made from its shape, the
name of its dtype and its bytes, and complex numbers. Nothing in them can name
code. Arrays of objects, which would be addresses, are refused by NumPy.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import serialization

from overlap.core import errors
from overlap.models.checkpoints import places, trees

_LONGEST_NAME = 100  # of what error texts repeat from a file
# First bytes of dicts: of up to 15 items, and of more with the bytes that
# count them.
_MAPS = {0xDE: 2, 0xDF: 4}
_STRINGS = (*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB)


def is_one(start: bytes) -> bool:
  """Returns whether a file that starts so holds a dict with names as keys."""
  if not start:
    return False
  counted = 0 if 0x81 <= start[0] <= 0x8F else _MAPS.get(start[0])
  if counted is None:
    return False
  return start[1 + counted : 2 + counted] in {bytes([s]) for s in _STRINGS}


def load(path: epath.PathLike) -> dict[str, np.ndarray]:
  """Reads the variables in a file of Flax: arrays by name, sorted.

  Returns:
    Arrays by name, such as 'params/head/kernel'; see `trees.find` for which
    part of the file they are.

  Raises:
    DataError: the file is absent, cut short or damaged, holds no dict, or has
      something else than numbers among its variables.
  """
  path = epath.Path(path)
  with places.reading(path):
    content = path.read_bytes()
  try:
    tree = serialization.msgpack_restore(content)
  except (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    OverflowError,
    RecursionError,
    MemoryError,
  ) as e:
    reason = str(e).strip().split('\n')[0][:100] or type(e).__name__
    raise errors.DataError(
      f'{path} must be a whole msgpack file of Flax, got: {reason}.'
    ) from e
  if not isinstance(tree, Mapping):
    raise errors.DataError(
      f'{path} must hold a dict of arrays, and holds one object of type '
      f'{type(tree).__name__}.'
    )
  named = trees.named(tree, trees.find(tree))
  return {name: _array(named[name], name, path) for name in sorted(named)}


def _array(value: Any, name: str, path: epath.Path) -> np.ndarray:
  number = isinstance(value, (np.ndarray, np.generic, int, float, complex))
  values = np.asarray(value if number else None)
  if not (values.dtype == bool or jnp.issubdtype(values.dtype, jnp.number)):
    raise errors.DataError(
      f'{name[:_LONGEST_NAME]!r} in {path} must be numbers, and is of type '
      f'{getattr(value, "dtype", type(value).__name__)}.'
    )
  values.flags.writeable = False
  return values
