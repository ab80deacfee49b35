"""From tensors named as PyTorch names them to the leaves of our modules.

A family's converter says where each of its layers is here; which of the
layer's leaves a tensor is, and the order of its axes, follow from its name and
shape.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from overlap.core import errors

_STATISTICS = {'running_mean': 'mean', 'running_var': 'var'}
_KINDS = ('weight', 'bias', *_STATISTICS)
# PyTorch counts batches for a running mean that we don't take.
_COUNTER = 'num_batches_tracked'
_LONGEST_NAME = 100  # of what error texts repeat from a file
_COLLECTIONS = ('params/', 'batch_stats/')

# From a layer's name in the file, 'layer1.0.conv1', to its path here,
# 'stage1_block1/conv1/conv'; None where no model of the family has it.
Rename = Callable[[str], str | None]


def rename_leaves(
  state: Mapping[str, np.ndarray], rename: Rename, *, family: str, example: str
) -> dict[str, np.ndarray]:
  """Renames and transposes the tensors of a file.

  Args:
    state: tensors by name, such as 'layer1.0.conv1.weight'.
    rename: see `Rename`.
    family: what error texts call the models.
    example: example of a name that such models have.

  Returns:
    Leaves by path, such as 'params/stem/conv/kernel'. A convolution's kernel
    is [height, width, in, out], a dense one [in, out].

  Raises:
    DataError: a name that no model of the family has.
  """
  leaves = {}
  for name, values in state.items():
    layer, _, kind = name.rpartition('.')
    if kind == _COUNTER:
      continue
    path = rename(layer) if kind in _KINDS else None
    if path is None:
      raise unknown(name, family=family, example=example)
    collection, leaf = _leaf(kind, values.ndim)
    leaves[f'{collection}/{path}/{leaf}'] = _transposed(values)
  return leaves


def variables(
  state: Mapping[str, np.ndarray], rename: Rename, *, family: str, example: str
) -> dict[str, Any]:
  """`convert`, as {'params': ..., 'batch_stats': ...}."""
  return nested(rename_leaves(state, rename, family=family, example=example))


class UnknownName(errors.DataError):
  """No model of a family has a tensor of this name."""

  def __init__(self, name: str, *, family: str, example: str):
    super().__init__(
      f'Weights of {family} must have names such as {example!r}, got '
      f'{name[:_LONGEST_NAME]!r}.'
    )
    self._name = name

  def within(self, state: Mapping[str, np.ndarray]) -> list[str]:
    """The names in a file that are meant: itself, or what ends in it.

    Some converters look at names without the prefix that all of them have.
    """
    if self._name in state:
      return [self._name]
    return [
      n for n in state if n.endswith((f'/{self._name}', f'.{self._name}'))
    ]


def unknown(name: str, *, family: str, example: str) -> UnknownName:
  """The error of a tensor that no model of the family has."""
  return UnknownName(name, family=family, example=example)


def are_ours(state: Mapping[str, np.ndarray]) -> bool:
  """Returns whether names are those of a tree of variables, such as ours."""
  return all(name.startswith(_COLLECTIONS) for name in state)


def nested(leaves: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """{'params': ..., 'batch_stats': ...} of leaves by path."""
  return traverse_util.unflatten_dict(dict(leaves), sep='/')


def fitted(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """A kernel [height, width, in, out] where the module has a plain product.

  That is [in, out] of a 1×1 convolution, or [height·width·in, out] of patches;
  anything else is returned as it is, for the comparison of shapes to judge.
  """
  kernel = values.ndim == 4 and len(shape) == 2
  if kernel and (np.prod(values.shape[:3]), values.shape[3]) == shape:
    return values.reshape(shape)
  return values


def _leaf(kind: str, ndim: int) -> tuple[str, str]:
  """A tensor's collection and the last part of its path."""
  if kind in _STATISTICS:
    return 'batch_stats', _STATISTICS[kind]
  if kind == 'bias':
    return 'params', 'bias'
  return 'params', 'scale' if ndim == 1 else 'kernel'


def _transposed(values: np.ndarray) -> np.ndarray:
  """Outputs and inputs come first there and last here."""
  if values.ndim == 4:
    return values.transpose(2, 3, 1, 0)
  return values.T if values.ndim == 2 else values
