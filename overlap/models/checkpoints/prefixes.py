"""Prefixes that all names of a file share, as wrappers of modules add them."""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar('Value')

# DataParallel's, torch.compile's, Lightning's, and those of self-supervised
# models whose encoder is what is kept.
PREFIXES = (
  'module.', '_orig_mod.', 'model.', 'backbone.', 'encoder.', 'student.',
  'teacher.',
)  # fmt: skip
# Steps that torch.optim.swa_utils.AveragedModel has counted.
_COUNTER = 'n_averaged'


def strip_prefixes(
  state: Mapping[str, Value],
) -> tuple[dict[str, Value], str]:
  """Takes off the names what all of them begin with.

  Args:
    state: values by name.

  Returns:
    The values by their shorter names, and what was taken off: one of
    `PREFIXES`, several of them, or ''.
  """
  names = {name: name for name in state if name != _COUNTER}
  stripped = ''
  while prefix := _shared(list(names)):
    names = {name.removeprefix(prefix): of for name, of in names.items()}
    stripped += prefix
  if not stripped:
    return dict(state), ''
  return {name: state[of] for name, of in names.items()}, stripped


def _shared(names: list[str]) -> str | None:
  """The prefix that all names begin with and none consists of."""
  for prefix in PREFIXES if names else ():
    if all(n.startswith(prefix) and n != prefix for n in names):
      return prefix
  return None
