"""Scenic's own checkpoints, for models that Scenic itself builds.

Its names are kept, below the module that has Scenic's; only the classifier,
which Scenic calls 'output_projection', is ours.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from overlap.models.checkpoints import leaves

_HEAD = 'output_projection'
_INNER = 'scenic'  # The name of the module in `scenic_model.Scenic`.
_EXAMPLE = f'params/{_HEAD}/kernel'


def is_one(state: Mapping[str, np.ndarray]) -> bool:
  """Returns whether tensors are named by Scenic, and not by its module here."""
  return not any(name.startswith(f'params/{_INNER}/') for name in state)


def convert_scenic(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Variables of `scenic_model.Scenic`.

  Raises:
    DataError: a name of no collection of variables.
  """
  return leaves.nested({_rename(name): v for name, v in state.items()})


def _rename(name: str) -> str:
  match = re.fullmatch(r'(params|batch_stats)/(.+)', name)
  if not match:
    raise leaves.unknown(name, family='Scenic', example=_EXAMPLE)
  collection, path = match.groups()
  if path.startswith(f'{_HEAD}/'):
    return f'{collection}/head/{path.removeprefix(_HEAD + "/")}'
  return f'{collection}/{_INNER}/{path}'
