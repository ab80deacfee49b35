"""Choice of the model's dict of tensors in a training script's file.

Such a file has the model's state dict beside an epoch, an optimizer and so on,
often twice: as trained, and averaged over the steps (EMA).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from overlap.core import errors
from overlap.models.checkpoints.torch_objects import Tensor, Unread

Value = TypeVar('Value')

# Averaged weights, which come first as in timm; a DINO teacher is an average.
AVERAGED = (
  'state_dict_ema', 'model_ema', 'ema_state_dict', 'ema', 'teacher',
)  # fmt: skip
CONTAINERS = (*AVERAGED, 'state_dict', 'model', 'params', 'module')
_MOST_LEVELS = 4  # A dict may hold itself.
_MOST_NAMED = 5
_LONGEST_NAME = 100  # of what error texts repeat from a file


class Picked(NamedTuple):
  """A dict of tensors.

  Attributes:
    tensors: tensors by name.
    container: keys that lead to it, joined by '.'; '' at the top.
    others: containers beside it.
    unread: what is beside it of classes that are not read: 'key (class)'.
  """

  tensors: dict[str, Tensor]
  container: str
  others: tuple[str, ...]
  unread: tuple[str, ...]


def pick(value: Any, *, choice: str, path: str) -> Picked:
  """Finds the model in what a file holds.

  In each dict, the first of `CONTAINERS` that is a dict itself is gone into.

  Args:
    value: the file's object.
    choice: the container to take instead, as `Picked.container` names it; or
      what the names of all tensors to take begin with, without the dot.
    path: what error texts call the file.

  Raises:
    DataError: there is no dict of tensors, `choice` is none of its parts, or
      the averaged weights are of a class that is not read.
  """
  keys: list[str] = []
  others: list[str] = []
  unread: list[str] = []
  rest = choice
  for _ in range(_MOST_LEVELS):
    inner = _containers(value)
    key = _chosen(value, rest) if rest else None
    if key is not None:
      rest = rest[len(key) + 1 :]
    elif inner:
      key = inner[0]
      _check_averages(value, key, path)
    else:
      break
    others += ['.'.join((*keys, name)) for name in inner if name != key]
    unread += _unread(value)
    keys.append(key)
    value = value[key]
  tensors = _tensors(value, path)
  if rest:
    tensors, keys = beginning(tensors, rest, choice, path), [*keys, rest]
  return Picked(tensors, '.'.join(keys), tuple(others), tuple(unread))


def _containers(value: Any) -> list[str]:
  """Keys of the containers in a dict, in the order of preference."""
  outer = value if isinstance(value, dict) else {}
  return [k for k in CONTAINERS if isinstance(outer.get(k), dict) and outer[k]]


def _chosen(value: Any, choice: str) -> str | None:
  """The key of a dict within that a choice begins with."""
  if not isinstance(value, dict):
    return None
  parts = choice.split('.')
  keys = ('.'.join(parts[:n]) for n in range(len(parts), 0, -1))
  return next((k for k in keys if isinstance(value.get(k), dict)), None)


def _check_averages(value: Mapping[Any, Any], key: str, path: str) -> None:
  """Refuses to take raw weights for averaged ones that can't be read."""
  for name in AVERAGED:
    inner = value.get(name)
    if key not in AVERAGED and isinstance(inner, Unread):
      raise errors.DataError(
        f'{path} must hold averaged weights as tensors by name, and has an '
        f'object of the class {inner.name[:_LONGEST_NAME]!r} under {name!r}, '
        f'which was not run. {path}#{key} takes {key!r} instead.'
      )


def _unread(value: Mapping[Any, Any]) -> list[str]:
  return [
    f'{str(key)[:_LONGEST_NAME]} ({inner.name[:_LONGEST_NAME]})'
    for key, inner in value.items()
    if isinstance(inner, Unread) and isinstance(key, str)
  ]


def _tensors(value: Any, path: str) -> dict[str, Tensor]:
  if not isinstance(value, dict):
    raise errors.DataError(
      f'{path} must hold a dict of tensors, and holds one object of '
      f'{_kind(value)}; save a state_dict().'
    )
  for name, tensor in value.items():
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
      label = (
        repr(name[:_LONGEST_NAME]) if isinstance(name, str) else 'a number'
      )
      label = name.name if isinstance(name, Unread) else label
      raise errors.DataError(
        f'{path} must hold nothing but tensors by name, alone or in one of '
        f'{", ".join(map(repr, CONTAINERS))}, and has an object of '
        f'{_kind(tensor)} under {label}.'
      )
  return value


def _kind(value: Any) -> str:
  if isinstance(value, Unread):
    name = value.name[:_LONGEST_NAME]
    return f'the class or function {name!r}, which was not run'
  return f'type {type(value).__name__}'


def beginning(
  tensors: Mapping[str, Value], start: str, choice: str, path: str
) -> dict[str, Value]:
  """The tensors whose names begin so, by the rest of their names.

  Args:
    tensors: tensors by name.
    start: beginning of the names, without the dot after it.
    choice: what was asked for, for the error text.
    path: what the error text calls the file.

  Raises:
    DataError: there is none.
  """
  chosen = {
    name.removeprefix(f'{start}.'): tensor
    for name, tensor in tensors.items()
    if name.startswith(f'{start}.')
  }
  if not chosen:
    raise errors.DataError(
      f'{path} must hold what was chosen of it, {choice!r}, and does not. '
      f'Choices: {", ".join(first_parts(list(tensors)))}.'
    )
  return chosen


def first_parts(names: Sequence[str]) -> list[str]:
  """First parts of names ('head' of 'head.bias'), the most frequent first."""
  counts: dict[str, int] = {}
  for name in names:
    part = name.partition('.')[0][:_LONGEST_NAME]
    counts[part] = counts.get(part, 0) + 1
  return sorted(counts, key=lambda part: -counts[part])[:_MOST_NAMED]
