"""Parts shared by the converters of image-text models.

A released file holds both towers; each of our modules takes its own part.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from overlap.core import errors
from overlap.models.checkpoints import leaves

# Positions 0, 1, 2, ..., which older files hold among the weights.
_COUNTERS = ('position_ids', 'token_type_ids')


def part(
  state: Mapping[str, np.ndarray],
  prefixes: Mapping[str, str],
  others: Iterable[str],
  *,
  family: str,
  example: str,
) -> dict[str, np.ndarray]:
  """The tensors of one tower, by shorter names.

  Args:
    state: tensors by name, of the whole model.
    prefixes: prefixes of the tower's names, and what stands for them here.
    others: prefixes of the rest of the model.
    family: what the error text calls the model.
    example: example of a name that such models have.

  Raises:
    DataError: a name of neither.
  """
  kept = {}
  for name, values in state.items():
    if name.rpartition('.')[2] in _COUNTERS:
      continue
    prefix = next((p for p in prefixes if name.startswith(p)), None)
    if prefix is not None:
      kept[prefixes[prefix] + name.removeprefix(prefix)] = values
    elif not name.startswith(tuple(others)):
      raise leaves.unknown(name, family=family, example=example)
  return kept


def join_qkv(
  state: Mapping[str, np.ndarray], query: str, key: str, value: str
) -> dict[str, np.ndarray]:
  """Joins each attention's three layers to one, called 'qkv'.

  Where one of the three is absent, the others are left for the converter to
  refuse.

  Args:
    state: tensors by name, such as 'layers.0.self_attn.q_proj.weight'.
    query: name of the query layer within its attention, such as 'q_proj'.
    key: name of the key layer.
    value: name of the value layer.
  """
  joined = dict(state)
  for name in state:
    match = re.fullmatch(rf'(.+\.){re.escape(query)}\.(weight|bias)', name)
    if not match:
      continue
    attention, kind = match.groups()
    parts = [f'{attention}{layer}.{kind}' for layer in (query, key, value)]
    if all(part in state for part in parts):
      joined[f'{attention}qkv.{kind}'] = np.concatenate(
        [joined.pop(part) for part in parts]
      )
  return joined


def scalar(state: Mapping[str, np.ndarray], name: str) -> float:
  """A single number of a file.

  Raises:
    DataError: it is absent, no single number, or not finite.
  """
  values = np.asarray(state.get(name, np.empty(0)), np.float64)
  if values.size != 1 or not np.isfinite(values).all():
    got = f'shape {list(values.shape)}' if name in state else 'none'
    raise errors.DataError(
      f'Weights of an image-text model must hold the number {name}, got {got}.'
    )
  return float(values.reshape(()))
