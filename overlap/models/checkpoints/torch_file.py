"""Tensors from PyTorch's files, without PyTorch and without running them."""

from typing import Any

import numpy as np
from etils import epath

from overlap import errors
from overlap.models.checkpoints import places, torch_layouts
from overlap.models.checkpoints.torch_objects import Tensor

# Where training scripts put the tensors beside an epoch, an optimizer ...
_CONTAINERS = ('state_dict', 'model', 'params')


def load(path: epath.PathLike) -> dict[str, np.ndarray]:
  """Reads a state dict: tensors by name.

  Both layouts of `torch.save` are read: the zip archive (since PyTorch 1.6)
  and the stream before it. Where the file holds a dict with a dict called
  'state_dict', 'model' or 'params' in it, that one is taken, and what is
  beside it is left. Refused are files of big-endian machines, quantised and
  sparse tensors, whole modules and anything else that is no tensor.

  Args:
    path: a '.pth', '.pt' or '.bin' file.

  Returns:
    Arrays by name, in the file's order: read-only views, strided and sharing
    memory as the tensors did. bfloat16 and float8 have ml_dtypes' dtypes.

  Raises:
    DataError: the file is absent, damaged or refused; the text says why.
  """
  path = epath.Path(path)
  with places.reading(path):
    content = path.read_bytes()
  value, fetch = torch_layouts.read(content, path=str(path))
  return {
    name: _view(tensor, fetch(tensor.storage), f'{name[:100]!r} in {path}')
    for name, tensor in _pick(value, str(path)).items()
  }


def _pick(value: Any, path: str) -> dict[str, Tensor]:
  """Finds the dict of tensors in what a file holds."""
  # A few levels only: a dict may hold itself.
  for _ in _CONTAINERS:
    outer = value if isinstance(value, dict) else {}
    inner = [outer[k] for k in _CONTAINERS if isinstance(outer.get(k), dict)]
    value = inner[0] if inner else value
  if not isinstance(value, dict):
    raise errors.DataError(
      f'{path} must hold a dict of tensors, and holds one object of type '
      f'{type(value).__name__}; save a state_dict().'
    )
  for name, tensor in value.items():
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
      label = repr(name[:100]) if isinstance(name, str) else 'a number'
      raise errors.DataError(
        f'{path} must hold nothing but tensors by name, alone or in one of '
        f'{", ".join(map(repr, _CONTAINERS))}, and has an object of type '
        f'{type(tensor).__name__} under {label}.'
      )
  return value


def _view(tensor: Tensor, content: np.ndarray, label: str) -> np.ndarray:
  """The numbers of a tensor, once they are known to lie in its storage."""
  itemsize = tensor.dtype.itemsize
  last = tensor.offset + sum(
    (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides)
  )
  empty = 0 in tensor.shape
  if not empty and (last + 1) * itemsize > content.nbytes:
    raise errors.DataError(
      f'{label} must lie within its storage of {content.nbytes} bytes, and '
      f'reaches to byte {(last + 1) * itemsize}.'
    )
  try:
    # NumPy checks the bounds once more.
    view = np.ndarray(
      tensor.shape,
      tensor.dtype,
      buffer=None if empty else content,
      offset=0 if empty else tensor.offset * itemsize,
      strides=None if empty else [s * itemsize for s in tensor.strides],
    )
  except (ValueError, OverflowError) as e:
    raise errors.DataError(f'{label} must be an array, got: {e}.') from e
  view.flags.writeable = False
  return view
