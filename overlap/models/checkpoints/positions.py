"""Position embeddings for images of another size than the weights'.

As timm does it (`resample_abs_pos_embed`): the grid of the patches' embeddings
is resized like an image, by PyTorch's antialiased bicubic interpolation, and
those of the tokens before the patches stay as they are.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.data import resampling

# By family: the positions and the tokens before the patches.
_LEAVES = {
  'clip': ('params/image/positions', 'params/image/token'),
  'vit': ('params/positions', 'params/tokens'),
}


def fit(
  family: str,
  leaves: Mapping[str, np.ndarray],
  template: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], str]:
  """Resizes the positions of a vision transformer to those of a module.

  Args:
    family: key of `CONVERTERS`.
    leaves: the leaves of a file, by path.
    template: those of the module, which have a `shape`; positions have
      [1, tokens + patches, D].

  Returns:
    The leaves, and what was done in words; '' where that is nothing. Both grids
    must be square: others are left as they are, for the comparison to refuse.
  """
  at, token = _LEAVES.get(family, ('', ''))
  values = leaves.get(at)
  if values is None or at not in template:
    return dict(leaves), ''
  shape = template[at].shape
  if (
    values.shape == shape or values.ndim != 3 or values.shape[::2] != shape[::2]
  ):
    return dict(leaves), ''
  tokens = leaves[token].shape[1] if token in leaves else 0
  note = ''
  without_tokens = _side(values.shape[1] - tokens) is None
  if values.shape[1] == shape[1] - tokens or (
    without_tokens and _side(values.shape[1])
  ):
    # The positions are those of patches alone, added before the tokens.
    none = np.zeros((1, tokens, values.shape[2]), values.dtype)
    values = np.concatenate([none, values], axis=1)
    note = 'tokens before the patches have no positions'
  old, new = _side(values.shape[1] - tokens), _side(shape[1] - tokens)
  if old and new and old != new:
    resized = resize_grid(values[:, tokens:], old, new)
    values = np.concatenate([values[:, :tokens], resized], axis=1)
    note = f'positions of {old}×{old} patches interpolated to {new}×{new}'
  return dict(leaves) | {at: values}, note


def resize_grid(values: np.ndarray, old: int, new: int) -> np.ndarray:
  """Resizes embeddings of a square grid.

  Args:
    values: [1, old·old, D], row by row.
    old: side of the grid.
    new: side of the grid that is returned.

  Returns:
    float32 [1, new·new, D].
  """
  weights = _weights(old, new)
  grid = values.astype(np.float32).reshape(old, old, -1)
  grid = np.einsum('ai,bj,ijd->abd', weights, weights, grid, optimize=True)
  return grid.reshape(1, new * new, -1).astype(np.float32)


def _weights(old: int, new: int) -> np.ndarray:
  """Returns the weight of each old position for each new one, [new, old]."""
  scale = old / new
  widened = max(scale, 1.0)
  centres = scale * (np.arange(new)[:, None] + 0.5)
  places = np.arange(old)[None] + 0.5
  distances = np.abs(places - centres) / widened
  weights = np.where(distances < 2, resampling.cubic(distances), 0)
  return weights / weights.sum(axis=1, keepdims=True)


def _side(count: int) -> int | None:
  """Side of a square of so many patches, None where there is none."""
  side = math.isqrt(max(count, 0))
  return side if side and side * side == count else None
