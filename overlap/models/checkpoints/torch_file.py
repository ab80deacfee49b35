"""Tensors from PyTorch's files, without PyTorch and without running them."""

from typing import Any, NamedTuple

import numpy as np
from etils import epath

from overlap.core import errors
from overlap.models.checkpoints import containers, places, torch_layouts
from overlap.models.checkpoints.torch_objects import Tensor


class Contents(NamedTuple):
  """Contents of a file.

  Attributes:
    state: arrays by name, in the file's order: read-only views, strided and
      sharing memory as the tensors did. bfloat16 and float8 have ml_dtypes'
      dtypes.
    picked: where they were, and what is beside them.
    architecture: the model's name where the file has one, else ''.
  """

  state: dict[str, np.ndarray]
  picked: containers.Picked
  architecture: str


def read_torch_file(path: epath.PathLike, *, choice: str = '') -> Contents:
  """Reads a state dict: tensors by name.

  Both layouts of `torch.save` are read: the zip archive (since PyTorch 1.6)
  and the stream before it. Where the file holds a dict with the state dict in
  it, `containers.pick` finds it, and what is beside it is left unread. Refused
  are files of big-endian machines, quantised and sparse tensors, whole modules
  and anything else that is no tensor.

  Args:
    path: a '.pth', '.pt' or '.bin' file.
    choice: see `containers.pick`.

  Raises:
    DataError: the file is absent, damaged or refused; the text says why.
  """
  path = epath.Path(path)
  with places.reading(path):
    content = path.read_bytes()
  value, fetch = torch_layouts.read_layout(content, path=str(path))
  picked = containers.pick(value, choice=choice, path=str(path))
  state = {
    name: _view(tensor, fetch(tensor.storage), f'{name[:100]!r} in {path}')
    for name, tensor in picked.tensors.items()
  }
  return Contents(state, picked, _architecture(value))


def load(path: epath.PathLike) -> dict[str, np.ndarray]:
  """`read`, of which the arrays alone."""
  return read_torch_file(path).state


def _architecture(value: Any) -> str:
  """Returns the model's name that a training script saved with the weights."""
  name = value.get('arch') if isinstance(value, dict) else None
  return name if isinstance(name, str) else ''


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
