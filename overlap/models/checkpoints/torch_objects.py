"""Inert stand-ins for the names in a PyTorch file: tensor descriptions.

A file names functions and types of PyTorch's. `NAMES` has those that rebuild
tensors, and what each stands for here; any other name stands for an `Unread`,
which does nothing. All arguments are checked, since they come from the file,
and nothing is allocated: a `Tensor` says where its numbers are.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

# PyTorch's names and what the numbers are in the file: little-endian.
_DTYPES = {
  'float64': '<f8',
  'float32': '<f4',
  'float16': '<f2',
  'bfloat16': ml_dtypes.bfloat16,
  'float8_e4m3fn': ml_dtypes.float8_e4m3fn,
  'float8_e4m3fnuz': ml_dtypes.float8_e4m3fnuz,
  'float8_e5m2': ml_dtypes.float8_e5m2,
  'float8_e5m2fnuz': ml_dtypes.float8_e5m2fnuz,
  'complex128': '<c16',
  'complex64': '<c8',
  'int64': '<i8',
  'int32': '<i4',
  'int16': '<i2',
  'int8': 'i1',
  'uint64': '<u8',
  'uint32': '<u4',
  'uint16': '<u2',
  'uint8': 'u1',
  'bool': '?',
}
_STORAGES = {
  'torch.DoubleStorage': 'float64',
  'torch.FloatStorage': 'float32',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.ComplexDoubleStorage': 'complex128',
  'torch.ComplexFloatStorage': 'complex64',
  'torch.LongStorage': 'int64',
  'torch.IntStorage': 'int32',
  'torch.ShortStorage': 'int16',
  'torch.CharStorage': 'int8',
  'torch.ByteStorage': 'uint8',
  'torch.BoolStorage': 'bool',
  'torch.storage.UntypedStorage': 'uint8',
}
_MOST_DIMENSIONS = 64  # NumPy's own limit


@dataclasses.dataclass(frozen=True, eq=False)
class Storage:
  """A flat run of numbers elsewhere in the file: `size` counts elements."""

  key: str
  dtype: np.dtype
  size: int

  @property
  def nbytes(self) -> int:
    return self.size * self.dtype.itemsize


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
  """A view of a storage; `offset` and `strides` count elements."""

  storage: Storage
  dtype: np.dtype
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class StorageType:
  """Stand-in for torch.FloatStorage and the like."""

  dtype: np.dtype


@dataclasses.dataclass(frozen=True, eq=False)
class Function:
  """A function of this file that a file may call by PyTorch's name."""

  call: Callable[..., Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Unread:
  """An object, or its class, that is not read: its name in the file alone."""

  name: str


def require(fulfilled: bool, rule: str) -> None:
  """Raises ValueError(rule) unless `fulfilled`."""
  if not fulfilled:
    raise ValueError(rule)


def dict_key(value: Any) -> Any:
  """Returns a key of a dict; an `Unread` for all but text and integers."""
  # Hashing a tuple goes down into it, on a C stack that a deep one overflows.
  if type(value) in (str, int):
    return value
  return Unread(f'a key of type {type(value).__name__}')


def storage(identifier: Any) -> Storage:
  """Resolves a reference of the object stream to a storage.

  Args:
    identifier: ('storage', type, key, device, number of elements), and in
      files of the older layout a view, which must be None.

  Raises:
    ValueError: it is anything else.
  """
  require(type(identifier) is tuple, 'a storage is named by a tuple')
  kind, storage_type, key, _, size, *view = identifier
  require(kind == 'storage', 'only storages lie outside the object')
  require(
    type(storage_type) is StorageType,
    f'a storage has a known type, not {_name(storage_type)}',
  )
  require(type(key) is str, 'a storage has text for a key')
  require(_is_size(size), 'a storage has a size of 0 or more')
  require(not any(view), 'a storage must not be a view of another')
  return Storage(key, storage_type.dtype, size)


def _name(value: Any) -> str:
  return value.name if type(value) is Unread else type(value).__name__


def _is_size(value: Any) -> bool:
  return type(value) is int and 0 <= value < 2**63


def _are_sizes(values: Any) -> bool:
  return (
    type(values) is tuple
    and len(values) <= _MOST_DIMENSIONS
    and all(map(_is_size, values))
  )


def _tensor(
  of: Any,
  offset: Any,
  shape: Any,
  strides: Any,
  requires_grad: Any = False,
  hooks: Any = None,
  metadata: Any = None,
) -> Tensor:
  require(type(of) is Storage, 'a tensor has a storage')
  return _typed_tensor(
    of, offset, shape, strides, requires_grad, hooks, of.dtype, metadata
  )


def _typed_tensor(
  of: Any,
  offset: Any,
  shape: Any,
  strides: Any,
  requires_grad: Any,
  hooks: Any,
  dtype: Any,
  metadata: Any = None,
) -> Tensor:
  """A tensor whose dtype is not its storage's, which is of bytes."""
  del requires_grad, hooks
  require(type(of) is Storage, 'a tensor has a storage')
  require(isinstance(dtype, np.dtype), 'a tensor has a known dtype')
  require(_is_size(offset), 'a tensor has an offset of 0 or more')
  require(_are_sizes(shape), 'a tensor has a tuple of sizes of 0 or more')
  require(_are_sizes(strides), 'a tensor has a tuple of strides of 0 or more')
  require(len(shape) == len(strides), 'a tensor has a stride for each size')
  require(not metadata, 'a tensor must not be conjugated or negated lazily')
  return Tensor(of, dtype, offset, shape, strides)


def _parameter(
  tensor: Any, requires_grad: Any, hooks: Any, state: Any = None
) -> Tensor:
  del requires_grad, hooks, state
  require(type(tensor) is Tensor, 'a parameter has a tensor')
  return tensor


def _ordered_dict(pairs: Any = None) -> dict:
  pairs = [] if pairs is None else pairs
  require(type(pairs) is list, 'a dict is made of a list of pairs')
  made = {dict_key(key): value for key, value in pairs}
  # Python 2 wrote such a list for this call alone. Emptied, it can't be called
  # upon again and again to fill the memory from a short file.
  pairs.clear()
  return made


def _size(sizes: Any) -> tuple[int, ...]:
  require(_are_sizes(sizes), 'a size is made of a tuple of numbers')
  return sizes


NAMES: Mapping[str, Function | StorageType | np.dtype] = {
  'collections.OrderedDict': Function(_ordered_dict),
  'torch.Size': Function(_size),
  'torch._utils._rebuild_parameter': Function(_parameter),
  'torch._utils._rebuild_parameter_with_state': Function(_parameter),
  'torch._utils._rebuild_tensor': Function(_tensor),
  'torch._utils._rebuild_tensor_v2': Function(_tensor),
  'torch._utils._rebuild_tensor_v3': Function(_typed_tensor),
  **{f'torch.{name}': np.dtype(dtype) for name, dtype in _DTYPES.items()},
  **{
    name: StorageType(np.dtype(_DTYPES[dtype]))
    for name, dtype in _STORAGES.items()
  },
}
